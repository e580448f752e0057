//! Evcxr with the library loaded: it compiles and runs cells, and completes names.
//!
//! Evcxr starts in the session's folder, where it finds the kernel's settings and none of the reader's.
//! The cell process gets the folder of Rust's own shared library, however the kernel was started.

use crate::engine::advice;
use crate::engine::compile_server::environment::restored;
use crate::engine::declared_variables;
use crate::engine::definitions::{self, Definitions};
use crate::engine::execute_error::ExecuteError;
use crate::engine::prepared_cell::PreparedCell;
use crate::engine::source_line;
use crate::home::Home;
use crate::output::cell_process::signal_group;
use crate::output::failure_report::{CellFailure, FailureKind, FailureReport};
use crate::output::{publisher::Publisher, stream::Stream};
use crate::text::shortened;
use anyhow::{Context, Result, anyhow};
use evcxr::{
    CommandContext, CompilationError, Error, EvalCallbacks, EvalContext, EvalContextOutputs,
};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

/// Tells the library that a page shows its output while the cell runs.
const LIVE_OUTPUT: &str = "TCHALK_KERNEL";

/// Installs the library's handlers for interrupts.
const INSTALL_HANDLERS: &str = "tchalk::runtime::interrupt::requested();";

/// The system's variable for folders of shared libraries.
const LIBRARY_PATH: &str =
    if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };

/// The outcome of a cell.
#[derive(Debug)]
pub enum Outcome {
    /// It ran; the value of its last expression by MIME type, if it has one.
    Done(Value),
    /// It did not compile, panicked, or a `?` met an error.
    Failed(ExecuteError),
}

/// Asks the reader for a line: takes the prompt and whether it is a password, returns the answer.
pub type AskInput<'a> = &'a dyn Fn(String, bool) -> String;

/// Names that could replace the text between two byte offsets, and what kind of item each is.
pub struct Completions {
    pub start: usize,
    pub end: usize,
    pub names: Vec<(String, &'static str)>,
}

/// Evcxr with the library loaded.
pub struct Engine {
    context: CommandContext,
    publisher: Publisher,
    home: Home,
    /// Code that every new cell process runs first; may be empty.
    preparation: String,
    definitions: Definitions,
}

impl Engine {
    /// Starts Evcxr in the session folder and loads the library.
    pub fn start(home: &Home, publisher: Publisher) -> Result<Engine> {
        let mut command = Command::new(std::env::current_exe()?);
        restored(&mut command).env(LIVE_OUTPUT, "1");
        if let Some(folders) = library_path_with_rust() {
            command.env(LIBRARY_PATH, folders);
        }
        let (context, outputs) = evcxr(command)?;
        publisher.follow(Stream::Out, outputs.stdout);
        publisher.follow(Stream::Err, outputs.stderr);
        let context = CommandContext::with_eval_context(context);
        let mut engine = Engine {
            context,
            publisher,
            home: home.clone(),
            preparation: String::new(),
            definitions: Definitions::default(),
        };
        engine.load_library()?;
        Ok(engine)
    }

    fn load_library(&mut self) -> Result<()> {
        let home = &self.home;
        // Evcxr's first build had no dependencies, and cargo has removed them from the lock file.
        let folder = std::env::var_os("EVCXR_TMPDIR").context("EVCXR_TMPDIR is not set")?;
        let lock = home.lock_file();
        if lock.is_file() {
            std::fs::copy(&lock, Path::new(&folder).join("Cargo.lock"))
                .with_context(|| format!("cannot copy {}", lock.display()))?;
        }
        let library = toml(home.library.to_str().context("the library's path is not UTF-8")?);
        for line in [
            ":offline 1",
            // A cell is built in a third of a second this way; the library is optimized all the same.
            ":opt 0",
            ":efmt {}",
            &format!(":dep tchalk = {{ path = {library} }}"),
            "use tchalk::prelude::*;",
            // A result that is not used is a mistake in a notebook.
            "#![deny(unused_must_use)]",
        ] {
            self.context
                .execute(line)
                .map_err(to_anyhow)
                .with_context(|| format!("in `{line}`"))?;
        }
        Ok(())
    }

    /// Runs a hidden cell, so that the type of a first variable has been inferred once.
    pub fn run_first_cell(&mut self) -> Result<()> {
        let last = format!("drop(first_variable); {INSTALL_HANDLERS}");
        for cell in ["let first_variable = vec![Some(1)];", &last] {
            self.context.execute(cell).map_err(to_anyhow)?;
        }
        Ok(())
    }

    /// Runs hidden code in this cell process and in every later one.
    pub fn prepare(&mut self, code: String) -> Result<()> {
        self.preparation = code;
        self.initialize_process()
    }

    /// Initializes a new cell process; errors occur here and not in the reader's next cell.
    fn initialize_process(&mut self) -> Result<()> {
        let code = format!("use tchalk::prelude::*;\n{INSTALL_HANDLERS}\n{}", self.preparation);
        self.context.execute(&code).map(drop).map_err(to_anyhow)
    }

    /// Starts a new cell process, without variables.
    pub fn restart(&mut self) -> Result<()> {
        // Evcxr's own `:restart` passes the old variables to the new process, which crashes. A process
        // that has ended is replaced, without variables.
        if let Ok(process) = self.process().lock() {
            signal_group(&process, libc::SIGKILL);
        }
        match self.context.execute("drop(());") {
            Ok(_) | Err(Error::SubprocessTerminated(_)) => {}
            Err(error) => return Err(to_anyhow(error)),
        }
        self.publisher.process_ended();
        self.initialize_process()
    }

    /// Removes all variables, functions and imports, but not the library.
    pub fn clear(&mut self) -> Result<()> {
        self.context.execute(":clear").map_err(to_anyhow)?;
        self.definitions.clear();
        self.publisher.process_ended();
        self.load_library()?;
        self.initialize_process()
    }

    /// The variables with their types, in order of name.
    pub fn variables(&self) -> Vec<(String, String)> {
        let shortened = |(name, kind): (&str, &str)| (name.to_owned(), short_type(kind));
        let mut variables: Vec<_> = self.context.variables_and_types().map(shortened).collect();
        variables.sort();
        variables
    }

    /// The cell process, now and after a restart.
    pub fn process(&self) -> Arc<Mutex<Child>> {
        self.context.process_handle()
    }

    /// Runs one cell, which has this number. Items of older cells that do not fit what it defines are
    /// removed.
    pub fn run(&mut self, code: &str, number: u64, ask: AskInput) -> Outcome {
        let mut callbacks =
            EvalCallbacks { input_reader: &|request| ask(request.prompt, request.is_password) };
        let before = self.types();
        let mut end = self.definitions.removal_of_old(code);
        let mut outdated = BTreeSet::new();
        let (cell, result) = loop {
            let cell = PreparedCell::new(code, &end, number);
            let result = self.context.execute_with_callbacks(&cell.code, &mut callbacks);
            let more = match &result {
                Err(Error::CompilationErrors(errors)) => self.outdated_items(errors, code),
                _ => BTreeSet::new(),
            };
            if more.is_subset(&outdated) {
                break (cell, result);
            }
            end.extend(more.iter().map(|key| definitions::removal(key)));
            outdated.extend(more);
        };
        if let Err(Error::SubprocessTerminated(_)) = &result {
            self.publisher.process_ended();
        }
        if result.is_ok() {
            self.report_outdated(&outdated);
            self.definitions.record(code, number);
        }
        match (result, self.publisher.finish()) {
            (Err(error), _) => Outcome::Failed(self.evcxr_error(error, code, &cell)),
            (Ok(_), Some(failure)) => {
                Outcome::Failed(self.cell_failure(&failure, code, &cell, &before))
            }
            (Ok(outputs), None) => Outcome::Done(value_of(outputs.content_by_mime_type)),
        }
    }

    /// Runs a cell whose `:dep` lines need a registry: with the network, if that is allowed.
    pub fn run_with_network(&mut self, code: &str, number: u64, ask: AskInput) -> Outcome {
        if let Err(error) = self.set_offline(false) {
            return Outcome::Failed(ExecuteError::new("Error", &format!("{error:#}")));
        }
        let outcome = self.run(code, number, ask);
        // The next build writes the configuration again.
        let _ = self.context.execute(":offline 1");
        outcome
    }

    /// cargo reads the setting from a file, which Evcxr writes only before a build.
    fn set_offline(&mut self, offline: bool) -> Result<()> {
        let value = if offline { ":offline 1" } else { ":offline 0" };
        self.context.execute(value).map_err(to_anyhow)?;
        let session = std::env::var_os("EVCXR_TMPDIR").context("EVCXR_TMPDIR is not set")?;
        let file = Path::new(&session).join(".cargo/config.toml");
        std::fs::write(&file, format!("[net]\noffline = {offline}\n"))
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// The items of older cells that these errors are in; none if one is in the cell itself.
    fn outdated_items(&self, errors: &[CompilationError], code: &str) -> BTreeSet<String> {
        let Ok(source) = self.context.last_source() else { return BTreeSet::new() };
        let mut found = BTreeSet::new();
        for error in errors.iter().filter(|error| error.level() == "error") {
            let items = self.definitions.older_at_lines(&source, &primary_lines(error), code);
            if items.is_empty() {
                return items;
            }
            found.extend(items);
        }
        found
    }

    /// Tells the reader which items were removed, and which cells define them again.
    fn report_outdated(&mut self, keys: &BTreeSet<String>) {
        let removed = self.definitions.remove(keys);
        if removed.is_empty() {
            return;
        }
        let mut cells: Vec<u64> = removed.iter().map(|(_, cell)| *cell).collect();
        cells.sort_unstable();
        cells.dedup();
        let labels: Vec<String> = removed.iter().map(|(label, _)| format!("`{label}`")).collect();
        let cells: Vec<String> = cells.iter().map(|cell| format!("[{cell}]")).collect();
        let text = format!(
            "{} of cell {} no longer fits what is defined here, and was removed. Change it if need be, and \
             run it again.\n",
            labels.join(", "),
            cells.join(", ")
        );
        self.publisher.write(Stream::Err, &text);
    }

    /// A panic, or an error that reached a `?`, with the line of the cell in which it occurred and the
    /// variables that were lost.
    fn cell_failure(
        &mut self,
        failure: &CellFailure,
        code: &str,
        cell: &PreparedCell,
        before: &HashMap<String, String>,
    ) -> ExecuteError {
        let name = match failure.kind {
            FailureKind::Panic => "Panic",
            FailureKind::Error => "Error",
        };
        let message = failure.report.message();
        let message = advice::torch_message(&message).unwrap_or(message);
        let location = self.location(&failure.report, code, cell);
        self.restore(&failure.kept, before);
        let after = self.types();
        let mut lost = declared_variables::declared_in(code);
        lost.retain(|name| before.contains_key(name) && !after.contains_key(name));
        let notes = location.into_iter().chain(declared_variables::lost_note(&lost));
        ExecuteError::with_notes(name, &message, notes.collect())
    }

    /// Where a failure occurred: a line of the cell, or of a file that is the reader's or the library's.
    fn location(&self, report: &FailureReport, code: &str, cell: &PreparedCell) -> Option<String> {
        let (file, line) = report.location()?;
        if file == "src/lib.rs" {
            // Evcxr compiles the cell into a file of its own, which contains the lines of the cell.
            let source = self.context.last_source().ok()?;
            let number = source_line::line_in_cell(&source, line, &cell.code)?;
            let text = code.lines().nth(number - 1)?.trim();
            return Some(format!("  in line {number} of this cell: {text}"));
        }
        (!source_line::is_third_party(&file)).then(|| format!("  in {file}, line {line}"))
    }

    /// The variables and their types, as Evcxr writes them.
    fn types(&self) -> HashMap<String, String> {
        let owned = |(name, kind): (&str, &str)| (name.to_owned(), kind.to_owned());
        self.context.variables_and_types().map(owned).collect()
    }

    /// Declares variables to Evcxr again that are still in the store. Whether they were mutable is not
    /// known, so they are declared as mutable.
    fn restore(&mut self, kept: &[String], types: &HashMap<String, String>) {
        let cell: String = kept
            .iter()
            .filter_map(|name| Some((name, types.get(name)?)))
            .map(|(name, kind)| {
                format!(
                    "let mut {name}: {kind} = \
                     evcxr_variable_store.take_variable::<{kind}>(stringify!({name}));\n"
                )
            })
            .collect();
        if !cell.is_empty() {
            // If this fails, the error names them as lost.
            let _ = self.context.execute(&cell);
            self.publisher.finish();
        }
    }

    fn evcxr_error(&mut self, error: Error, code: &str, cell: &PreparedCell) -> ExecuteError {
        match error {
            Error::CompilationErrors(errors) => {
                let mut error = ExecuteError::from_compiler(&errors, code, cell);
                if let Some((name, cell)) = self.definitions.removed_in(code) {
                    error.set_advice(&format!(
                        "`{name}` was removed, since it no longer fitted what other cells define. Run cell \
                         [{cell}] again."
                    ));
                }
                error
            }
            Error::SubprocessTerminated(how) => {
                let _ = self.initialize_process();
                ExecuteError::process_ended(&how)
            }
            Error::TypeRedefinedVariablesLost(names) => ExecuteError::new(
                "VariableLost",
                &format!("{}: a type was redefined, so its variables are lost", names.join(", ")),
            ),
            Error::Message(message) => ExecuteError::from_evcxr(&message),
        }
    }

    /// Completions for the word before `position`, a byte offset.
    pub fn completions(&mut self, code: &str, position: usize) -> Result<Completions> {
        let completions = self.context.completions(code, position)?;
        let names = completions.completions.into_iter().map(|c| (c.code, c.kind));
        let names = names.filter(|(name, _)| !name.starts_with(definitions::PREFIX)).collect();
        Ok(Completions { start: completions.start_offset, end: completions.end_offset, names })
    }

    /// The documentation of the name at `position`: as plain text and as HTML.
    pub fn inspect(&mut self, code: &str, position: usize) -> Option<(String, String)> {
        let documentation = self.context.hover_at(code, position).ok()?;
        (documentation.0 != "No documentation found").then_some(documentation)
    }
}

/// The search path of shared libraries, with the folder of Rust's own first. The library is a shared one
/// and needs it; the path that rustc wrote into it is relative and wrong in a session's folder.
fn library_path_with_rust() -> Option<OsString> {
    let output = Command::new("rustc").args(["--print", "target-libdir"]).output().ok()?;
    let folder = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    let others = std::env::var_os(LIBRARY_PATH).unwrap_or_default();
    let others = std::env::split_paths(&others).filter(|folder| !folder.as_os_str().is_empty());
    std::env::join_paths(std::iter::once(folder).chain(others)).ok()
}

/// Turns a panic inside Evcxr or rust-analyzer into an error, so that its thread goes on to answer.
pub fn catch_panic<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(anyhow!("an internal error occurred (a panic)")))
}

fn to_anyhow(error: Error) -> anyhow::Error {
    match error {
        Error::CompilationErrors(errors) => {
            anyhow!(errors.iter().map(rendered).collect::<Vec<_>>().join("\n"))
        }
        other => anyhow!(other.to_string()),
    }
}

/// The compiler's message; Evcxr's own where one of its commands has failed.
fn rendered(error: &CompilationError) -> String {
    let rendered = error.rendered();
    if rendered.is_empty() { error.message() } else { rendered }
}

/// A TOML string, which is written as in JSON.
fn toml(text: &str) -> String {
    json!(text).to_string()
}

/// Starts Evcxr in the session's folder with settings of the kernel's own: it reads a settings file in the
/// working folder, which may hold the reader's.
fn evcxr(mut command: Command) -> Result<(EvalContext, EvalContextOutputs)> {
    let session = std::env::var_os("EVCXR_TMPDIR").context("EVCXR_TMPDIR is not set")?;
    std::fs::write(Path::new(&session).join("evcxr.toml"), "")?;
    let before = std::env::current_dir();
    if let Ok(folder) = &before {
        command.current_dir(folder);
    }
    std::env::set_current_dir(&session)?;
    let started = EvalContext::with_subprocess_command(command).map_err(to_anyhow);
    if let Ok(folder) = before {
        std::env::set_current_dir(folder)?;
    }
    started
}

/// The lines of the generated code at which an error is.
fn primary_lines(error: &CompilationError) -> Vec<usize> {
    let spans = error.json["spans"].as_array().map(Vec::as_slice).unwrap_or_default();
    let primary = spans.iter().filter(|span| span["is_primary"] == true);
    primary.filter_map(|span| Some(span["line_start"].as_u64()? as usize)).collect()
}

/// A type without module paths: `Vec<f32>` for `alloc::vec::Vec<f32>`.
fn short_type(kind: &str) -> String {
    let mut short = String::new();
    for part in
        kind.replace(' ', "").split_inclusive(|c: char| !(c.is_alphanumeric() || "_:".contains(c)))
    {
        short.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    short.replace(',', ", ")
}

/// The value of a cell's last expression as Jupyter represents it: MIME type to content. `()` is no value.
fn value_of(content: HashMap<String, String>) -> Value {
    if content.len() == 1 && content.get("text/plain").is_some_and(|text| text.trim() == "()") {
        return json!({});
    }
    let as_json = |mime: &str, text: String| match mime.contains("json") {
        true => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        false if mime == "text/plain" => Value::String(shortened(&text)),
        false => Value::String(text),
    };
    content.into_iter().map(|(mime, text)| (mime.clone(), as_json(&mime, text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_no_module_paths() {
        let long = "std::collections::HashMap<alloc::string::String,Vec<tchalk::model::Model>>";
        assert_eq!(short_type(long), "HashMap<String, Vec<Model>>");
        assert_eq!(short_type("[f64; 3]"), "[f64;3]");
    }

    #[test]
    fn a_panic_becomes_an_error() {
        assert_eq!(catch_panic(|| Ok(1)).unwrap(), 1);
        assert!(catch_panic(|| -> Result<()> { panic!("inside rust-analyzer") }).is_err());
    }

    #[test]
    fn a_path_is_quoted_for_toml() {
        assert_eq!(toml("/a b/Pru\u{308}f \"x\""), "\"/a b/Pru\u{308}f \\\"x\\\"\"");
    }

    #[test]
    fn unit_is_no_value_and_json_is_structured() {
        let of = |mime: &str, text: &str| value_of([(mime.to_owned(), text.to_owned())].into());
        assert_eq!(of("text/plain", "()"), json!({}));
        assert_eq!(of("text/plain", "3"), json!({"text/plain": "3"}));
        assert_eq!(of("application/json", "[1]"), json!({"application/json": [1]}));
    }
}
