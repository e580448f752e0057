//! How a value is displayed in a notebook.
//!
//! A value that implements [`Show`] is displayed as a figure or a table when it is the last expression of a
//! cell. `.show()` displays it from the middle of a cell. In a terminal or a test both print plain text.
//! No other module knows the output protocol of the kernel.

#[doc(hidden)]
pub mod last_value;

use crate::text::{HeadAndTail, escape_html};
use std::fmt::Write as _;
use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicU64, Ordering};

/// A value as plain text and, optionally, as HTML.
#[derive(Clone, PartialEq)]
pub struct Content {
    plain: String,
    html: Option<String>,
}

impl Content {
    /// Only plain text.
    pub fn text(plain: impl Into<String>) -> Content {
        Content { plain: plain.into(), html: None }
    }

    /// HTML, and plain text where HTML cannot be displayed.
    pub fn html(plain: impl Into<String>, html: impl Into<String>) -> Content {
        Content { plain: plain.into(), html: Some(html.into()) }
    }

    /// The plain text.
    pub fn plain(&self) -> String {
        self.plain.clone()
    }

    /// The HTML, if there is any.
    pub fn as_html(&self) -> Option<String> {
        self.html.clone()
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.plain)
    }
}

/// A value that can be displayed in a notebook.
///
/// ```
/// use tchalk::display::{Content, Show};
/// struct Greeting;
/// impl Show for Greeting {
///     fn content(&self) -> Content {
///         Content::text("good morning, class")
///     }
/// }
/// Greeting.show(); // prints: good morning, class
/// ```
pub trait Show {
    /// The value as plain text and, optionally, as HTML.
    fn content(&self) -> Content;

    /// Displays the value now, from anywhere in a cell.
    fn show(&self) {
        if has_live_page() {
            emit_marker(&self.content(), None, false);
        } else {
            emit(&self.content(), &mut io::stdout().lock(), in_notebook());
        }
    }

    /// Called by Evcxr's own kernel for the last expression of a cell.
    #[doc(hidden)]
    fn evcxr_display(&self) {
        emit_value(&self.content());
    }
}

/// A message to the user: what stands in for what, what was left out.
pub(crate) struct Message(pub(crate) String);

impl Show for Message {
    fn content(&self) -> Content {
        Content::html(self.0.clone(), format!("<p>{}</p>", escape_html(&self.0)))
    }
}

/// These two are compiled with the library. Generic code would be compiled with every cell.
#[inline(never)]
fn emit_value(content: &Content) {
    emit(content, &mut io::stdout().lock(), true);
}

#[inline(never)]
fn emit_debug(value: &dyn std::fmt::Debug) {
    let mut text = HeadAndTail::default();
    // If formatting fails, the text so far is displayed.
    let _ = write!(text, "{value:?}");
    emit_value(&Content::text(text.finish()));
}

/// An output whose content can be replaced: progress, a growing curve.
///
/// There is none in a terminal or under a kernel without live output.
pub struct Live {
    id: String,
    shown: bool,
}

impl Live {
    /// A new output below those of the cell so far, if the page supports it.
    pub fn new() -> Option<Live> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("tchalk-{}-{count}", std::process::id());
        has_live_page().then_some(Live { id, shown: false })
    }

    /// Replaces the content.
    pub fn update(&mut self, content: &Content) {
        emit_marker(content, Some(&self.id), self.shown);
        self.shown = true;
    }
}

/// The environment variable by which the tchalk kernel announces live output.
const LIVE_PAGE: &str = "TCHALK_KERNEL";

/// Whether an output can be replaced later.
pub(crate) fn has_live_page() -> bool {
    std::env::var_os(LIVE_PAGE).is_some()
}

/// Tells the tchalk kernel to display `content` now.
fn emit_marker(content: &Content, id: Option<&str>, update: bool) {
    let mut data = serde_json::Map::new();
    data.insert("text/plain".into(), content.plain.as_str().into());
    if let Some(html) = &content.html {
        data.insert("text/html".into(), html.as_str().into());
    }
    let marker = serde_json::json!({"kind": "show", "data": data, "id": id, "update": update});
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "\u{1}tchalk {marker}").and_then(|()| out.flush());
}

/// Removes the outputs of the cell so far; with `wait` only when the next output comes, which avoids
/// flicker. Does nothing where outputs cannot be replaced.
pub fn clear(wait: bool) {
    if has_live_page() {
        let marker = serde_json::json!({"kind": "clear", "wait": wait});
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "\u{1}tchalk {marker}").and_then(|()| out.flush());
    }
}

/// Asks the user for a line of text: in a box below the cell, or on standard input in a terminal. The
/// answer is empty where nobody can answer, such as in a notebook that is run from a script.
pub fn input(prompt: &str) -> String {
    ask(prompt, "EVCXR_INPUT_REQUEST")
}

/// Asks the user for a secret. A notebook hides the input and does not store it.
pub fn password(prompt: &str) -> String {
    ask(prompt, "EVCXR_INPUT_REQUEST_PASSWORD")
}

fn ask(prompt: &str, request: &str) -> String {
    let prompt = prompt.replace('\n', " ");
    let mut out = io::stdout().lock();
    let _ = match in_notebook() {
        // Evcxr cuts a prompt at its first colon, so a similar letter replaces it, and the kernel puts
        // the colon back.
        true => writeln!(out, "{request}:{}", prompt.replace(':', "\u{a789}")),
        false => write!(out, "{prompt}"),
    };
    let _ = out.flush();
    let mut line = String::new();
    let _ = match kernel_input() {
        Some(input) => io::BufReader::new(input).read_line(&mut line),
        None => io::stdin().read_line(&mut line),
    };
    line.trim_end_matches(['\r', '\n']).to_owned()
}

/// The environment variable by which the tchalk kernel names the descriptor that carries its answers.
const KERNEL_INPUT: &str = "TCHALK_KERNEL_INPUT";

/// Where the kernel answers. It sends one line for each question, so that a reader takes no more than that.
#[cfg(unix)]
fn kernel_input() -> Option<io::PipeReader> {
    use std::os::fd::{BorrowedFd, RawFd};
    let descriptor: RawFd = std::env::var(KERNEL_INPUT).ok()?.parse().ok()?;
    // SAFETY: the cell process keeps this descriptor open as long as it lives.
    let input = unsafe { BorrowedFd::borrow_raw(descriptor) };
    Some(io::PipeReader::from(input.try_clone_to_owned().ok()?))
}

#[cfg(not(unix))]
fn kernel_input() -> Option<io::PipeReader> {
    None
}

/// The environment variable by which Evcxr marks the process that runs the cells.
const CELL_PROCESS: &str = "EVCXR_IS_RUNTIME";

/// Whether this process runs the cells of a notebook.
pub fn in_notebook() -> bool {
    std::env::var_os(CELL_PROCESS).is_some()
}

/// Writes `content` in the kernel's protocol, or as plain text for a terminal.
///
/// Write errors, such as a closed pipe, are ignored: they are no reason to stop the cell.
fn emit(content: &Content, out: &mut impl Write, notebook: bool) {
    let _ = if notebook { emit_blocks(content, out) } else { writeln!(out, "{}", content.plain) };
    let _ = out.flush();
}

fn emit_blocks(content: &Content, out: &mut impl Write) -> io::Result<()> {
    let mut block = |mime: &str, text: &str| {
        writeln!(out, "EVCXR_BEGIN_CONTENT {mime}\n{text}\nEVCXR_END_CONTENT")
    };
    block("text/plain", &content.plain)?;
    if let Some(html) = &content.html {
        block("text/html", html)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(content: &Content, notebook: bool) -> String {
        let mut out = Vec::new();
        emit(content, &mut out, notebook);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_notebook_gets_text_and_html_and_a_terminal_only_text() {
        let content = Content::html("two", "<b>2</b>");
        assert_eq!(
            written(&content, true),
            "EVCXR_BEGIN_CONTENT text/plain\ntwo\nEVCXR_END_CONTENT\n\
             EVCXR_BEGIN_CONTENT text/html\n<b>2</b>\nEVCXR_END_CONTENT\n"
        );
        assert_eq!(written(&content, false), "two\n");
    }
}
