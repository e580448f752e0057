//! The execution of one cell.

use crate::engine::delimiters;
use crate::engine::dependencies::{self, Dependencies};
use crate::engine::evcxr_engine::{Engine, Outcome};
use crate::engine::execute_error::{ExecuteError, PROCESS_ENDED};
use crate::engine::input_request::InputRequest;
use crate::engine::kernel_state::KernelState;
use crate::engine::magic::{self, Magic};
use crate::engine::shell_command;
use crate::engine::standard_input;
use crate::output::stream::Stream;
use crate::protocol::message::Message;
use crate::text;
use serde_json::{Value, json};
use std::sync::mpsc;
use std::time::Instant;

/// One `execute_request`.
pub struct Execution<'a> {
    engine: &'a mut Engine,
    kernel: &'a KernelState,
    request: &'a Message,
    inputs: &'a mpsc::Receiver<Message>,
    /// Nothing but the cell's own output is shown.
    silent: bool,
    /// Jupyter's number of the cell.
    count: u64,
}

impl<'a> Execution<'a> {
    /// An execution after `count` others.
    pub fn new(
        engine: &'a mut Engine,
        kernel: &'a KernelState,
        request: &'a Message,
        inputs: &'a mpsc::Receiver<Message>,
        count: u64,
    ) -> Execution<'a> {
        let silent = request.content["silent"] == json!(true);
        Execution { engine, kernel, request, inputs, silent, count }
    }

    /// Runs the cell; returns the content of the reply, and how many cells have been counted.
    pub fn run(mut self) -> (Value, u64) {
        self.kernel.reset_interrupts();
        if self.request.code().trim().is_empty() {
            return (self.ok(json!([])), self.count);
        }
        self.announce();
        self.kernel.publisher.begin(self.request);
        let content = match self.run_cell() {
            Ok(payload) => self.ok(payload),
            Err(error) => publish_error(self.kernel, self.request, self.count, &error),
        };
        (content, self.count)
    }

    fn ok(&self, payload: Value) -> Value {
        json!({"status": "ok", "execution_count": self.count, "payload": payload,
               "user_expressions": {}})
    }

    /// Counts the cell, and shows it to all clients. Only cells in the history are counted.
    fn announce(&mut self) {
        if self.silent {
            return;
        }
        let code = self.request.code();
        if self.request.content["store_history"] != json!(false) {
            self.count += 1;
            self.kernel.history().push(code);
        }
        let input = json!({"code": code, "execution_count": self.count});
        self.kernel.publisher.publish(self.request, "execute_input", input);
    }

    /// Runs magic and code; returns the payload of the reply.
    fn run_cell(&mut self) -> Result<Value, ExecuteError> {
        match magic::parse(self.request.code()) {
            Magic::None(code) => self.run_programs_and_rust(code),
            Magic::Script(script) => {
                self.run_programs(&[script])?;
                Ok(json!([]))
            }
            Magic::Time(rust) => self.run_rust(rust, true),
            Magic::Who => {
                self.publish_result(json!({"text/plain": self.variables()}));
                Ok(json!([]))
            }
            Magic::Help(name) => Ok(self.help(name)),
            Magic::Clear(rest) => {
                let cleared = self.engine.clear();
                self.run_after(cleared, rest)
            }
            Magic::Restart(rest) => {
                let restarted = self.engine.restart();
                self.run_after(restarted, rest)
            }
            Magic::Quit => {
                rejected("a cell cannot end its kernel: shut it down in Jupyter's menu, Kernel")
            }
            Magic::Misplaced(line) => rejected(&format!("{line} must be a cell's first line")),
            Magic::Unknown(line) => rejected(&format!(
                "there is no {line}; this kernel knows %%time, %%bash, %who, :clear, ?name and !program"
            )),
        }
    }

    /// Runs the programs at the beginning of a cell, then its Rust code.
    fn run_programs_and_rust(&mut self, code: &str) -> Result<Value, ExecuteError> {
        let variables = self.engine.variables();
        let is_variable = |word: &str| variables.iter().any(|(name, _)| name == word);
        let (commands, rust) = shell_command::split(code, &is_variable);
        if commands.is_empty() {
            return self.run_rust(code, false);
        }
        self.run_programs(&commands)?;
        if rust.is_empty() { Ok(json!([])) } else { self.run_rust(&rust, false) }
    }

    fn run_programs(&self, commands: &[&str]) -> Result<(), ExecuteError> {
        for command in commands {
            shell_command::run(command, self.kernel)
                .map_err(|error| ExecuteError::new("Stopped", &format!("{error:#}")))?;
        }
        self.kernel.publisher.finish();
        Ok(())
    }

    /// Runs the code after a magic, if the magic has succeeded and there is code.
    fn run_after(&mut self, magic: anyhow::Result<()>, rest: &str) -> Result<Value, ExecuteError> {
        match magic {
            Err(error) => rejected(&format!("{error:#}")),
            Ok(()) if rest.trim().is_empty() => Ok(json!([])),
            Ok(()) => self.run_rust(rest, false),
        }
    }

    /// The variables and their types, one on each line.
    fn variables(&self) -> String {
        let variables = self.engine.variables().into_iter();
        let lines: Vec<_> = variables.map(|(name, kind)| format!("{name}: {kind}")).collect();
        if lines.is_empty() { "no variables".into() } else { lines.join("\n") }
    }

    /// The payload that shows the documentation of a name.
    fn help(&mut self, name: &str) -> Value {
        let data = match self.engine.inspect(name, name.len()) {
            Some((plain, html)) => json!({"text/plain": plain, "text/html": html}),
            None => json!({"text/plain": format!("nothing is known of `{name}`")}),
        };
        json!([{"source": "page", "data": data, "start": 0}])
    }

    fn run_rust(&mut self, rust: &str, timed: bool) -> Result<Value, ExecuteError> {
        if standard_input::is_read_by(rust) {
            return rejected(
                "a notebook has no standard input: stdin() reads nothing. \
                 Ask the reader with display::input(\"Your name? \")",
            );
        }
        if let Some(unmatched) = delimiters::unmatched(rust) {
            return Err(ExecuteError::unmatched(&unmatched, rust));
        }
        let fetching = self.needs_network(rust)?;
        let input =
            InputRequest { kernel: self.kernel, request: self.request, inputs: self.inputs };
        self.kernel.begin_running();
        let start = Instant::now();
        let ask = |prompt, password| input.ask(prompt, password);
        let outcome = match fetching {
            true => self.engine.run_with_network(rust, self.count, &ask),
            false => self.engine.run(rust, self.count, &ask),
        };
        if fetching {
            let duration = text::duration(start.elapsed().as_secs_f64());
            self.kernel.write_stderr(&format!("{duration} for `:dep`\n"));
        }
        let build_ended = self.kernel.end_running();
        if timed {
            let duration = text::duration(start.elapsed().as_secs_f64());
            let line = format!("took {duration}, compiling included\n");
            self.kernel.publisher.write(Stream::Out, &line);
        }
        match outcome {
            Outcome::Done(data) => {
                self.publish_result(data);
                Ok(json!([]))
            }
            Outcome::Failed(error) if build_ended && error.name != PROCESS_ENDED => {
                Err(ExecuteError::new(
                    "Stopped",
                    "stop was pressed while the cell was compiled: nothing of it has run, and no \
                     variable is lost",
                ))
            }
            Outcome::Failed(error) => Err(error),
        }
    }

    /// Whether the cell has `:dep` lines that may fetch crates.
    fn needs_network(&self, rust: &str) -> Result<bool, ExecuteError> {
        match dependencies::of_cell(rust) {
            Dependencies::Misplaced(line) => {
                let message = format!("`{line}` belongs above the Rust code of a cell");
                Err(ExecuteError::new("Error", &message))
            }
            Dependencies::Remote(lines) if dependencies::network_is_allowed() => {
                let lines = lines.join(", ");
                let text = format!("fetching and building {lines}: this may take minutes\n");
                self.kernel.write_stderr(&text);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn publish_result(&self, data: Value) {
        if !self.silent && data.as_object().is_some_and(|data| !data.is_empty()) {
            let result = json!({"execution_count": self.count, "data": data, "metadata": {}});
            self.kernel.publisher.publish(self.request, "execute_result", result);
        }
    }
}

fn rejected(message: &str) -> Result<Value, ExecuteError> {
    Err(ExecuteError::new("Error", message))
}

/// Publishes an error unless the request is silent; returns the content of the reply.
pub fn publish_error(
    kernel: &KernelState,
    request: &Message,
    count: u64,
    error: &ExecuteError,
) -> Value {
    let mut content = error.content();
    if request.content["silent"] != json!(true) {
        kernel.publisher.publish(request, "error", content.clone());
    }
    content["status"] = "error".into();
    content["execution_count"] = count.into();
    content
}
