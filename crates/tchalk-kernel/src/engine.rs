//! Evcxr, prepared for a class: the library loaded, quick builds, one thread that runs the cells.

use crate::advice;
use crate::anew;
use crate::compile_error;
use crate::limit::shortened;
use crate::place;
use crate::publish::{Publisher, Stream};
use crate::quick;
use crate::report::{Failed, Failure};
use crate::session::Home;
use crate::tail::Lent;
use anyhow::{Context, Result, anyhow};
use evcxr::{
    CommandContext, CompilationError, Error, EvalCallbacks, EvalContext, EvalContextOutputs,
};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

/// By this variable the library knows that a page with live output is listening.
const LIVE_OUTPUT: &str = "TCHALK_KERNEL";

/// Has the library take over the signals of the stop button.
const LISTEN: &str = "tchalk::runtime::interrupt::requested();";

/// The system's variable for folders of shared libraries.
const LIBRARY_PATH: &str =
    if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };

/// What came of a cell.
#[derive(Debug)]
pub enum Outcome {
    /// It ran; the value it ended in, by MIME type, if there was one.
    Done(Value),
    /// It did not compile, panicked, or a `?` met an error.
    Failed(Trouble),
}

/// Jupyter's three parts of an error message.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    pub name: String,
    pub value: String,
    pub traceback: Vec<String>,
}

impl Trouble {
    pub fn new(name: &str, value: &str) -> Trouble {
        Trouble::at(name, value, Vec::new())
    }

    /// With the reader's own lines below the message.
    fn at(name: &str, value: &str, places: Vec<String>) -> Trouble {
        let value = shortened(value);
        let mut traceback = vec![format!("\u{1b}[31m\u{1b}[1m{name}\u{1b}[0m: {value}")];
        traceback.extend(places);
        Trouble { name: name.into(), value, traceback }
    }

    pub fn content(&self) -> Value {
        json!({"ename": self.name, "evalue": self.value, "traceback": self.traceback})
    }
}

/// Asks the reader for a line: prompt and whether it is secret, to the answer.
pub type AskInput<'a> = &'a dyn Fn(String, bool) -> String;

/// What could stand between two byte offsets: names, and what kind of thing each is.
pub struct Candidates {
    pub start: usize,
    pub end: usize,
    pub names: Vec<(String, &'static str)>,
}

/// Evcxr with the library loaded.
pub struct Engine {
    context: CommandContext,
    publisher: Publisher,
    home: Home,
    /// Code that every new cell process has to run first; empty if none.
    preparation: String,
}

impl Engine {
    /// Starts Evcxr in the session folder and loads the library.
    pub fn start(home: &Home, publisher: Publisher) -> Result<Engine> {
        let mut command = Command::new(std::env::current_exe()?);
        quick::leave(&mut command).env(LIVE_OUTPUT, "1");
        if let Some(folders) = with_standard_library() {
            command.env(LIBRARY_PATH, folders);
        }
        let (context, outputs) = evcxr(command)?;
        publisher.follow(Stream::Out, outputs.stdout);
        publisher.follow(Stream::Err, outputs.stderr);
        let context = CommandContext::with_eval_context(context);
        let mut engine =
            Engine { context, publisher, home: home.clone(), preparation: String::new() };
        engine.load_library()?;
        Ok(engine)
    }

    fn load_library(&mut self) -> Result<()> {
        let home = &self.home;
        // Evcxr's first build knew no dependencies, and cargo has dropped all from the lock file.
        let folder = std::env::var_os("EVCXR_TMPDIR").context("EVCXR_TMPDIR is not set")?;
        let lock = home.lock_file();
        if lock.is_file() {
            std::fs::copy(&lock, Path::new(&folder).join("Cargo.lock"))
                .with_context(|| format!("cannot copy {}", lock.display()))?;
        }
        let library = toml(home.library.to_str().context("the library's path is not UTF-8")?);
        for line in [
            ":offline 1",
            // A cell is built in a third of a second this way; the library in it is optimized.
            ":opt 0",
            ":efmt {}",
            &format!(":dep tchalk = {{ path = {library} }}"),
            "use tchalk::prelude::*;",
            // A call that can fail, and whose failure nobody looks at, is a mistake in a notebook.
            "#![deny(unused_must_use)]",
        ] {
            self.context.execute(line).map_err(told).with_context(|| format!("in `{line}`"))?;
        }
        Ok(())
    }

    /// Runs a cell nobody sees, so that the type of a first variable has been inferred once.
    pub fn first_cell(&mut self) -> Result<()> {
        let last = format!("drop(first_variable); {LISTEN}");
        for cell in ["let first_variable = vec![Some(1)];", &last] {
            self.context.execute(cell).map_err(told)?;
        }
        Ok(())
    }

    /// Runs code nobody sees in this cell process and in every later one.
    pub fn prepare(&mut self, code: String) -> Result<()> {
        self.preparation = code;
        self.acquaint()
    }

    /// Tells a new cell process what it has to know; it is tried out by this, not by the reader's next
    /// cell.
    fn acquaint(&mut self) -> Result<()> {
        let code = format!("use tchalk::prelude::*;\n{LISTEN}\n{}", self.preparation);
        self.context.execute(&code).map(drop).map_err(told)
    }

    /// Begins a new cell process, which knows no variables.
    pub fn restart(&mut self) -> Result<()> {
        // Evcxr's own `:restart` hands the old variables to the new process, which dies of it. A process
        // that is found dead is replaced, and the variables are forgotten.
        if let Ok(mut process) = self.process().lock() {
            process.kill()?;
        }
        match self.context.execute("drop(());") {
            Ok(_) | Err(Error::SubprocessTerminated(_)) => {}
            Err(error) => return Err(told(error)),
        }
        self.publisher.process_ended();
        self.acquaint()
    }

    /// Forgets all variables, functions and imports, but not the library.
    pub fn clear(&mut self) -> Result<()> {
        self.context.execute(":clear").map_err(told)?;
        self.publisher.process_ended();
        self.load_library()?;
        self.acquaint()
    }

    /// The variables with their types, in order of name.
    pub fn variables(&self) -> Vec<(String, String)> {
        let own = |(name, kind): (&str, &str)| (name.to_owned(), short_type(kind));
        let mut variables: Vec<_> = self.context.variables_and_types().map(own).collect();
        variables.sort();
        variables
    }

    /// The process in which cells run, now and after a restart.
    pub fn process(&self) -> Arc<Mutex<Child>> {
        self.context.process_handle()
    }

    /// Runs one cell.
    pub fn run(&mut self, code: &str, ask: AskInput) -> Outcome {
        let mut callbacks =
            EvalCallbacks { input_reader: &|request| ask(request.prompt, request.is_password) };
        let lent = Lent::new(code);
        let before = self.types();
        let result = self.context.execute_with_callbacks(&lent.code, &mut callbacks);
        if let Err(Error::SubprocessTerminated(_)) = &result {
            self.publisher.process_ended();
        }
        let failed = self.publisher.finish();
        match (result, failed) {
            (Err(error), _) => Outcome::Failed(self.refused(error, code, &lent)),
            (Ok(_), Some(failed)) => {
                let mut trouble = self.failed(&failed, code, &lent);
                self.restore(&failed.kept, &before);
                let after = self.types();
                let mut lost = anew::made_in(code);
                lost.retain(|name| before.contains_key(name) && !after.contains_key(name));
                trouble.traceback.extend(anew::about_lost(&lost));
                Outcome::Failed(trouble)
            }
            (Ok(outputs), None) => Outcome::Done(value_of(outputs.content_by_mime_type)),
        }
    }

    /// A panic, or an error that reached a `?`, with the line of the cell that it came from.
    fn failed(&self, Failed { failure, report, .. }: &Failed, code: &str, lent: &Lent) -> Trouble {
        let name = match failure {
            Failure::Panic => "Panic",
            Failure::Error => "Error",
        };
        let message = report.message();
        let message = advice::about_torch(&message).unwrap_or(message);
        let place = report.place().and_then(|(file, line)| match file.as_str() {
            // Evcxr compiles the cell into a file of its own, in which the reader's lines stand as
            // they were written.
            "src/lib.rs" => {
                let source = self.context.last_source().ok()?;
                let number = place::same_line(&source, line, &lent.code)?;
                let text = code.lines().nth(number - 1)?.trim();
                Some(format!("  in line {number} of this cell: {text}"))
            }
            file if place::is_foreign(file) => None,
            file => Some(format!("  in {file}, line {line}")),
        });
        Trouble::at(name, &message, place.into_iter().collect())
    }

    /// The variables and their types, as Evcxr writes them.
    fn types(&self) -> HashMap<String, String> {
        let own = |(name, kind): (&str, &str)| (name.to_owned(), kind.to_owned());
        self.context.variables_and_types().map(own).collect()
    }

    /// Makes variables known to Evcxr again that are still in the store. Whether they may be changed is
    /// not known, so they may.
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
            // If it fails, the reader is told that they are gone.
            let _ = self.context.execute(&cell);
            self.publisher.finish();
        }
    }

    fn refused(&mut self, error: Error, code: &str, lent: &Lent) -> Trouble {
        match error {
            Error::CompilationErrors(errors) => compile_trouble(&errors, code, lent),
            Error::SubprocessTerminated(how) => {
                let _ = self.acquaint();
                let how = how.lines().last().unwrap_or_default().to_owned();
                let why = why_it_ended(&how);
                let value = format!(
                    "the cell's process ended ({how}).{why} A new one is ready; variables are lost, \
                     so run the cells above again."
                );
                Trouble::new("ProcessEnded", &value)
            }
            Error::TypeRedefinedVariablesLost(names) => Trouble::new(
                "VariableLost",
                &format!(
                    "{}: a type was defined anew, so variables of it are lost",
                    names.join(", ")
                ),
            ),
            Error::Message(message) => match advice::about_refusal(&message) {
                Some(advice) => {
                    let headline = message.lines().next().unwrap_or_default();
                    Trouble::new("CompileError", &format!("{headline}\n{advice}"))
                }
                None => Trouble::new("Error", message.trim()),
            },
        }
    }

    /// Candidates for the word before `position`, a byte offset.
    pub fn completions(&mut self, code: &str, position: usize) -> Result<Candidates> {
        let found = self.context.completions(code, position)?;
        let names = found.completions.into_iter().map(|c| (c.code, c.kind)).collect();
        Ok(Candidates { start: found.start_offset, end: found.end_offset, names })
    }

    /// The documentation of the name at `position`: as plain text and as HTML.
    pub fn inspect(&mut self, code: &str, position: usize) -> Option<(String, String)> {
        let found = self.context.hover_at(code, position).ok()?;
        (found.0 != "No documentation found").then_some(found)
    }
}

/// Where the system looks for shared libraries, with the folder of Rust's own before the others. The
/// library is a shared one and needs it; the path that rustc wrote into it is relative, and leads
/// nowhere from a session's folder.
fn with_standard_library() -> Option<OsString> {
    let output = Command::new("rustc").args(["--print", "target-libdir"]).output().ok()?;
    let folder = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    let others = std::env::var_os(LIBRARY_PATH).unwrap_or_default();
    let others = std::env::split_paths(&others).filter(|folder| !folder.as_os_str().is_empty());
    std::env::join_paths(std::iter::once(folder).chain(others)).ok()
}

fn told(error: Error) -> anyhow::Error {
    match error {
        Error::CompilationErrors(errors) => {
            anyhow!(errors.iter().map(words).collect::<Vec<_>>().join("\n"))
        }
        other => anyhow!(other.to_string()),
    }
}

/// What the compiler says, or, where one of Evcxr's commands was refused, Evcxr.
fn words(error: &CompilationError) -> String {
    let rendered = error.rendered();
    if rendered.is_empty() { error.message() } else { rendered }
}

/// A text as TOML has it, which is JSON's way.
fn toml(text: &str) -> String {
    json!(text).to_string()
}

/// Starts Evcxr with settings of the kernel's own. It looks for a file of them in the working folder, and
/// would else find the reader's; so it starts in the session's folder.
fn evcxr(mut command: Command) -> Result<(EvalContext, EvalContextOutputs)> {
    let session = std::env::var_os("EVCXR_TMPDIR").context("EVCXR_TMPDIR is not set")?;
    std::fs::write(Path::new(&session).join("evcxr.toml"), "")?;
    let before = std::env::current_dir();
    if let Ok(folder) = &before {
        command.current_dir(folder);
    }
    std::env::set_current_dir(&session)?;
    let started = EvalContext::with_subprocess_command(command).map_err(told);
    if let Ok(folder) = before {
        std::env::set_current_dir(folder)?;
    }
    started
}

fn compile_trouble(errors: &[CompilationError], code: &str, lent: &Lent) -> Trouble {
    let Some(first) = errors.first() else {
        return Trouble::new("CompileError", "the cell does not compile");
    };
    let headline = compile_error::headline(first);
    let advice =
        advice::about(first.code(), &first.message()).or_else(|| advice::about_refusal(&headline));
    let reports = errors.iter().map(|error| compile_error::report(error, code, lent));
    let lines: Vec<String> = advice.map(str::to_owned).into_iter().chain(reports).collect();
    Trouble {
        name: "CompileError".into(),
        value: match advice {
            Some(advice) => format!("{headline}\n{advice}"),
            None => headline,
        },
        traceback: lines.iter().flat_map(|text| text.lines().map(str::to_owned)).collect(),
    }
}

/// A type without the paths before its names: `Vec<f32>` for `alloc::vec::Vec<f32>`.
fn short_type(kind: &str) -> String {
    let mut short = String::new();
    for part in
        kind.replace(' ', "").split_inclusive(|c: char| !(c.is_alphanumeric() || "_:".contains(c)))
    {
        short.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    short.replace(',', ", ")
}

/// What the end of the cell process usually means.
fn why_it_ended(how: &str) -> &'static str {
    if how.contains("SIGKILL") {
        " If nobody stopped it, the computer's memory was probably full: use fewer images or a \
         smaller batch_size."
    } else if how.contains("SIGSEGV") {
        " That is often a function that calls itself without end."
    } else {
        ""
    }
}

/// The value a cell ended in, as Jupyter has it: MIME type to content. `()` is no value.
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
    fn types_are_told_without_their_paths() {
        let long = "std::collections::HashMap<alloc::string::String,Vec<tchalk::model::Model>>";
        assert_eq!(short_type(long), "HashMap<String, Vec<Model>>");
        assert_eq!(short_type("[f64; 3]"), "[f64;3]");
    }

    #[test]
    fn a_path_is_written_as_toml_has_it() {
        assert_eq!(toml("/a b/Pru\u{308}f \"x\""), "\"/a b/Pru\u{308}f \\\"x\\\"\"");
    }

    #[test]
    fn a_unit_is_no_value_and_json_is_structured() {
        let of = |mime: &str, text: &str| value_of([(mime.to_owned(), text.to_owned())].into());
        assert_eq!(of("text/plain", "()"), json!({}));
        assert_eq!(of("text/plain", "3"), json!({"text/plain": "3"}));
        assert_eq!(of("application/json", "[1]"), json!({"application/json": [1]}));
    }
}
