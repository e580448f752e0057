//! Running cells: the one thread that owns Evcxr, and what is added to Evcxr for a class.
//!
//! Requests that need the compiler are queued for one thread ([`engine_thread`], [`request_loop`]). If
//! Evcxr cannot be started, each cell is answered with the reason. A panic of rust-analyzer during a
//! completion is answered with no completions; a panic while a cell runs ends the kernel, so that Jupyter
//! restarts it. A cell becomes an [`execution`]; [`evcxr_engine`] is Evcxr with the library loaded.
//!
//! *Results.* The library shows a reference to any value, so the last expression of a cell is borrowed
//! ([`last_expression`]), and Evcxr builds the cell once, not twice. A [`prepared_cell`] is a cell with such
//! insertions.
//!
//! *Definitions* ([`definitions`]). Running a cell again replaces what it defined. Evcxr replaces items by
//! name; an `impl` gets a name for this purpose, each method of its own. An item of an older cell that no
//! longer compiles is removed, and the page names the cell to run again. A static keeps its value from cell to
//! cell ([`statics`]).
//!
//! *Errors.* One sentence of [`advice`] comes before the compiler's message for the mistakes that readers
//! of notebooks make, Python's way of writing among them ([`python_habits`]). libtorch's exceptions are
//! reduced to one sentence. A bracket that does not match is reported before the compiler sees it
//! ([`delimiters`]). Messages name the line of the cell ([`compile_error`], [`source_line`]).
//! Variables that a failed cell redefines keep their old values where possible; otherwise the error names
//! them ([`declared_variables`]).
//!
//! *Interrupts* ([`interrupt`]). The first one sends `SIGINT`, for which the library installs a handler
//! that sets a flag; `fit` and other long functions return at their next step. Cells queued behind are
//! not run. A second interrupt within a second counts as a double click; any later one ends the cell
//! process, and a new one replaces it. When a cell begins, `SIGUSR1` clears the flag. While a cell is
//! compiled, an interrupt ends the build instead, and no variable is lost.
//!
//! *Magics* ([`magic`]): `%%time`, `%%bash`, `%who`, `:clear`, `:restart`, `?name`, and programs after a `!`
//! ([`shell_command`]). `:dep` lines may use the network ([`dependencies`]). After `:clear` and `:restart` the library is loaded again. A cell that reads standard
//! input is rejected ([`standard_input`]).

mod advice;
mod cell_syntax;
mod compile_error;
pub mod compile_server;
mod declared_variables;
mod definitions;
mod delimiters;
mod dependencies;
pub mod engine_thread;
pub mod evcxr_engine;
mod execute_error;
mod execution;
mod input_request;
mod insertion;
mod interrupt;
mod introspection;
pub mod kernel_state;
mod last_expression;
mod magic;
mod prepared_cell;
mod python_habits;
pub mod request_loop;
mod shell_command;
mod source_line;
mod standard_input;
mod statics;
