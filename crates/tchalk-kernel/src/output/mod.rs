//! The output of cells, from the cell process to the page.
//!
//! Inside the cell process a thread reads what the cells print before Evcxr does ([`relay`]). It adds
//! marker lines ([`marker`]): for panics, for errors that reached a `?`, for the end of each cell on
//! both streams, and for text without a newline. It also marks where the report of a panic or of an
//! error begins on standard error; text before that is ordinary output ([`failure_report`]). A cell
//! process that aborts, exits or overflows its stack first waits until the thread has passed on what was
//! written ([`cell_process`]). Evcxr reads standard output only while a cell runs, so what threads print
//! at other times travels on standard error; it is shown below the last cell.
//!
//! In the kernel, [`publisher`] turns the two streams into Jupyter's messages. Lines that the library's
//! `display` prints with a marker become `display_data` and `update_display_data`, in order with the
//! text. Output is limited ([`output_limit`]): text is sent in pieces, and of too much text only the
//! beginning and the end are shown, also of a single value or error message. Of a progress bar only the last
//! state counts ([`carriage_return`]). Clearing the page resets the limit. A display is updated, and the page is cleared, at most ten times a second.

mod carriage_return;
mod cell_loop;
mod cell_output;
pub mod cell_process;
pub mod failure_report;
pub mod marker;
mod output_limit;
pub mod publisher;
mod relay;
pub mod stream;
