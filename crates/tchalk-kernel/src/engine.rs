//! Evcxr, prepared for a class: the library loaded, quick builds, one thread that runs the cells.

use crate::compile_error;
use crate::publish::{Failure, Publisher, Stream, panic_message};
use crate::session::Home;
use anyhow::{Context, Result, anyhow};
use evcxr::{CommandContext, CompilationError, Error, EvalCallbacks, EvalContext};
use serde_json::{Value, json};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

/// By this variable the library knows that a page with live output is listening.
const LIVE_OUTPUT: &str = "TCHALK_KERNEL";

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
    fn new(name: &str, value: &str) -> Trouble {
        let traceback = vec![format!("\u{1b}[31m\u{1b}[1m{name}\u{1b}[0m: {value}")];
        Trouble { name: name.into(), value: value.into(), traceback }
    }

    pub fn content(&self) -> Value {
        json!({"ename": self.name, "evalue": self.value, "traceback": self.traceback})
    }
}

/// Asks the reader for a line: prompt and whether it is secret, to the answer.
pub type AskInput<'a> = &'a dyn Fn(String, bool) -> String;

/// Evcxr with the library loaded.
pub struct Engine {
    context: CommandContext,
    publisher: Publisher,
}

impl Engine {
    /// Starts Evcxr in the session folder and loads the library.
    pub fn start(home: &Home, publisher: Publisher) -> Result<Engine> {
        let mut command = Command::new(std::env::current_exe()?);
        command.env(LIVE_OUTPUT, "1");
        let (context, outputs) = EvalContext::with_subprocess_command(command).map_err(told)?;
        publisher.follow(Stream::Out, outputs.stdout);
        publisher.follow(Stream::Err, outputs.stderr);
        let mut engine = Engine { context: CommandContext::with_eval_context(context), publisher };
        engine.load_library(home)?;
        Ok(engine)
    }

    fn load_library(&mut self, home: &Home) -> Result<()> {
        // Evcxr's first build knew no dependencies, and cargo has dropped all from the lock file.
        let folder = std::env::var_os("EVCXR_TMPDIR").context("EVCXR_TMPDIR is not set")?;
        let lock = home.lock_file();
        if lock.is_file() {
            std::fs::copy(&lock, std::path::Path::new(&folder).join("Cargo.lock"))
                .with_context(|| format!("cannot copy {}", lock.display()))?;
        }
        let library = home.library.to_str().context("the library's path is not UTF-8")?;
        for line in [
            ":offline 1",
            // A cell is built in a third of a second this way; the library in it is optimised.
            ":opt 0",
            ":efmt {}",
            &format!(":dep tchalk = {{ path = {library:?} }}"),
            "use tchalk::prelude::*;",
        ] {
            self.context.execute(line).map_err(told).with_context(|| format!("in `{line}`"))?;
        }
        Ok(())
    }

    /// Runs a cell nobody sees, so that the type of a first variable has been inferred once.
    pub fn first_cell(&mut self) -> Result<()> {
        for cell in ["let first_variable = vec![Some(1)];", "drop(first_variable);"] {
            self.context.execute(cell).map_err(told)?;
        }
        Ok(())
    }

    /// The process in which cells run, now and after a restart.
    pub fn process(&self) -> Arc<Mutex<Child>> {
        self.context.process_handle()
    }

    /// Runs one cell.
    pub fn run(&mut self, code: &str, ask: AskInput) -> Outcome {
        let mut callbacks =
            EvalCallbacks { input_reader: &|request| ask(request.prompt, request.is_password) };
        let result = self.context.execute_with_callbacks(code, &mut callbacks);
        let (failure, lines) = self.publisher.finish();
        match (result, failure) {
            (Err(error), _) => Outcome::Failed(self.refused(error, code)),
            (Ok(_), Some(Failure::Panic)) => {
                Outcome::Failed(Trouble::new("Panic", &panic_message(&lines)))
            }
            (Ok(_), Some(Failure::Error)) => {
                Outcome::Failed(Trouble::new("Error", lines.join("\n").trim()))
            }
            (Ok(outputs), None) => Outcome::Done(value_of(outputs.content_by_mime_type)),
        }
    }

    fn refused(&mut self, error: Error, code: &str) -> Trouble {
        match error {
            Error::CompilationErrors(errors) => compile_trouble(&errors, code),
            Error::SubprocessTerminated(how) => {
                self.publisher.process_restarted();
                // The new process is tried out now, not by the reader's next cell.
                let _ = self.context.execute("use tchalk::prelude::*;");
                let how = how.lines().last().unwrap_or_default().to_owned();
                let value = format!(
                    "the cell's process ended ({how}). A new one is ready; variables are lost, \
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
            Error::Message(message) => Trouble::new("Error", message.trim()),
        }
    }

    /// Candidates for the word before `position` (a byte offset): start, end, and text with kind.
    pub fn completions(
        &mut self,
        code: &str,
        position: usize,
    ) -> Result<(usize, usize, Vec<(String, &'static str)>)> {
        let found = self.context.completions(code, position)?;
        let candidates = found.completions.into_iter().map(|c| (c.code, c.kind)).collect();
        Ok((found.start_offset, found.end_offset, candidates))
    }

    /// The documentation of the name at `position`: as plain text and as HTML.
    pub fn inspect(&mut self, code: &str, position: usize) -> Option<(String, String)> {
        let found = self.context.hover_at(code, position).ok()?;
        (found.0 != "No documentation found").then_some(found)
    }
}

fn told(error: Error) -> anyhow::Error {
    match error {
        Error::CompilationErrors(errors) => {
            anyhow!(errors.iter().map(CompilationError::rendered).collect::<String>())
        }
        other => anyhow!(other.to_string()),
    }
}

fn compile_trouble(errors: &[CompilationError], code: &str) -> Trouble {
    let Some(first) = errors.first() else {
        return Trouble::new("CompileError", "the cell does not compile");
    };
    let reports: Vec<String> =
        errors.iter().map(|error| compile_error::report(error, code)).collect();
    Trouble {
        name: "CompileError".into(),
        value: compile_error::headline(first),
        traceback: reports.iter().flat_map(|report| report.lines().map(str::to_owned)).collect(),
    }
}

/// The value a cell ended in, as Jupyter has it: MIME type to content. `()` is no value.
fn value_of(content: std::collections::HashMap<String, String>) -> Value {
    if content.len() == 1 && content.get("text/plain").is_some_and(|text| text.trim() == "()") {
        return json!({});
    }
    let as_json = |mime: &str, text: String| match mime.contains("json") {
        true => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        false => Value::String(text),
    };
    content.into_iter().map(|(mime, text)| (mime.clone(), as_json(&mime, text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_no_value_and_json_is_structured() {
        let of = |mime: &str, text: &str| value_of([(mime.to_owned(), text.to_owned())].into());
        assert_eq!(of("text/plain", "()"), json!({}));
        assert_eq!(of("text/plain", "3"), json!({"text/plain": "3"}));
        assert_eq!(of("application/json", "[1]"), json!({"application/json": [1]}));
    }
}
