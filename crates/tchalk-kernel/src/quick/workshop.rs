//! The thread of the kernel that compiles cells, or says that cargo shall.

use super::FOLDER;
use super::lean::{self, Cell};
use super::recipe::Recipe;
use super::stamp::Stamp;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard};

/// How cargo was called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    pub arguments: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub folder: PathBuf,
}

/// Tells cargo where the build's result is to be written down; a check has none.
pub const RESULT: &str = "EVCXR_EXECUTION_SO_PATH";

impl Question {
    fn is_check(&self) -> bool {
        self.arguments.iter().any(|argument| argument == "check")
    }

    /// Whether this would check what `build` builds.
    fn checks(&self, build: &Question) -> bool {
        let asked = build.arguments.iter().map(|it| if it == "build" { "check" } else { it });
        let told = build.environment.iter().filter(|(name, _)| *name != RESULT);
        self.folder == build.folder
            && self.arguments.iter().map(String::as_str).eq(asked)
            && self.environment.iter().eq(told)
    }
}

/// What its stand-in shall do.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// Run cargo, and tell how it went.
    Cargo,
    /// Say this, as cargo would have.
    Done { code: i32, stdout: String, stderr: String },
}

/// After so many cells in a row that only compiled in cargo's way, nothing else is tried.
const STRIKES: u32 = 3;

/// What is known since cargo ran last.
struct Known {
    question: Question,
    recipe: Recipe,
    stamp: Stamp,
    helper: PathBuf,
    linker: Vec<String>,
    strikes: u32,
}

impl Known {
    /// Has a compiler load what the next cell will need, if none has yet.
    fn wait_for_the_next(&self, folder: &Path, attributes: &str) {
        let mut state = waiting();
        if !state.closed && state.compiler.is_none() && self.strikes < STRIKES {
            state.compiler = Compiler::start(folder, self, attributes).ok();
        }
    }
}

/// The compiler that waits for the next cell.
static WAITING: Mutex<State> = Mutex::new(State { compiler: None, closed: false });

struct State {
    compiler: Option<Compiler>,
    closed: bool,
}

fn waiting() -> MutexGuard<'static, State> {
    WAITING.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Ends all compilers, for good: the session's folder is about to go.
pub fn close() {
    stop_build();
    let mut state = waiting();
    state.closed = true;
    state.compiler = None;
}

/// The build that is at work, if one is.
static AT_WORK: Mutex<Option<Build>> = Mutex::new(None);

struct Build {
    /// The connection to cargo's stand-in, once cargo runs.
    cargo: Option<UnixStream>,
    stopped: bool,
}

fn at_work() -> MutexGuard<'static, Option<Build>> {
    AT_WORK.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Ends the build that is at work; `false` if none is.
pub fn stop_build() -> bool {
    let mut build = at_work();
    let Some(build) = &mut *build else { return false };
    build.stopped = true;
    if let Some(cargo) = &build.cargo {
        let _ = cargo.shutdown(Shutdown::Both);
    }
    true
}

/// A rustc that has loaded what cells may use and reads its standard input.
struct Compiler {
    process: Option<Child>,
    attributes: String,
}

impl Compiler {
    fn start(folder: &Path, known: &Known, attributes: &str) -> Result<Compiler> {
        lean::write_root(folder, &known.recipe, attributes)?;
        let mut command = known.recipe.quick(folder, &known.helper, &known.linker);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().context("cannot start rustc")?;
        Ok(Compiler { process: Some(process), attributes: attributes.to_owned() })
    }

    /// Hands the cell over.
    fn feed(&mut self, cell: &Cell) {
        let input = self.process.as_mut().and_then(|process| process.stdin.take());
        if let Some(mut input) = input {
            // What ends before it has read the cell has failed, and says so when it is waited for.
            let _ = input.write_all(cell.text.as_bytes());
        }
    }

    /// Whether the cell compiles.
    fn wait(mut self) -> Result<bool> {
        Ok(self.process.take().context("rustc is gone")?.wait()?.success())
    }
}

impl Drop for Compiler {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Answers the stand-in for cargo in this session, for as long as the kernel lives.
pub fn serve(listener: &UnixListener, session: &Path) {
    let session = session.canonicalize().unwrap_or_else(|_| session.to_owned());
    let mut workshop = Workshop { folder: session.join(FOLDER), session, known: None };
    for stream in listener.incoming().flatten() {
        *at_work() = Some(Build { cargo: None, stopped: false });
        // Without an answer the stand-in runs cargo.
        let _ = workshop.answer(&stream);
        *at_work() = None;
    }
}

struct Workshop {
    session: PathBuf,
    /// In which the waiting compiler works.
    folder: PathBuf,
    known: Option<Known>,
}

impl Workshop {
    fn answer(&mut self, stream: &UnixStream) -> Result<()> {
        let mut lines = BufReader::new(stream).lines();
        let question: Question = serde_json::from_str(&lines.next().context("no question")??)?;
        if question.is_check() {
            let answer = self.check(&question);
            self.note(if answer.is_some() { "check" } else { "cargo check" });
            if tell(stream, answer.unwrap_or(Answer::Cargo))? == Answer::Cargo {
                lines.next().context("cargo did not come back")??;
            }
            return Ok(());
        }
        let answer = self.build(&question);
        let built = answer.is_some();
        if !built {
            self.known = None;
            waiting().compiler = None;
            let _ = fs::remove_file(Recipe::file(&self.folder));
        }
        let answer = tell(stream, answer.unwrap_or(Answer::Cargo))?;
        if answer == Answer::Cargo {
            self.note("cargo");
            let success = lines.next().context("cargo did not come back")?? == "true";
            *at_work() = None;
            if success {
                self.known = self.learn(question);
            }
        }
        if let (Some(known), Ok(source)) = (&self.known, fs::read_to_string(self.cell())) {
            known.wait_for_the_next(&self.folder, &lean::attributes(&source));
        }
        Ok(())
    }

    fn cell(&self) -> PathBuf {
        self.session.join("src/lib.rs")
    }

    /// One line for each build: how it was made. For tests, and for those who look for lost time.
    fn note(&self, how: &str) {
        let file = fs::File::options().create(true).append(true).open(self.folder.join("log"));
        let _ = file.and_then(|mut file| writeln!(file, "{how}"));
    }

    /// What cargo has just done, and may be done again without it; `None` if it may not.
    fn learn(&self, question: Question) -> Option<Known> {
        if question.folder.canonicalize().ok()? != self.session {
            return None;
        }
        let recipe = Recipe::read(&Recipe::file(&self.folder))?;
        let stamp = Stamp::take(&self.session, &recipe)?;
        let helper = lean::helper(&self.folder, &recipe).ok()?;
        let linker = recipe.linker();
        Some(Known { question, recipe, stamp, helper, linker, strikes: 0 })
    }

    /// Compiles the cell, if all else is as it was; `None` leaves it to cargo.
    fn build(&mut self, question: &Question) -> Option<Answer> {
        let source = fs::read_to_string(self.cell()).ok()?;
        let known = self.known.as_mut()?;
        if known.question != *question || !known.stamp.holds(&self.session) {
            return None;
        }
        let tried = known.strikes < STRIKES && !is_about_errors(&source);
        if tried {
            let cell = Cell::new(&source);
            let waiting = waiting().compiler.take();
            let mut compiler = match waiting.filter(|it| it.attributes == cell.attributes) {
                Some(compiler) => compiler,
                None => Compiler::start(&self.folder, known, &cell.attributes).ok()?,
            };
            compiler.feed(&cell);
            // It loads what the next cell needs while this one is compiled, and the reader reads.
            known.wait_for_the_next(&self.folder, &cell.attributes);
            if compiler.wait().ok()? {
                known.strikes = 0;
                let answer = made(&known.recipe)?;
                self.note("quick");
                return Some(answer);
            }
        }
        let output = known.recipe.plain(&self.session).output().ok()?;
        let answer = if output.status.success() {
            known.strikes += u32::from(tried);
            made(&known.recipe)?
        } else {
            refused(String::from_utf8(output.stderr).ok()?)?
        };
        self.note("plain");
        Some(answer)
    }

    /// Says what is wrong with the cell, if all else is as it was when it was built last; `None` leaves
    /// it to cargo, which would first check all that the library depends on.
    fn check(&self, question: &Question) -> Option<Answer> {
        let known = self.known.as_ref()?;
        if !question.checks(&known.question) || !known.stamp.holds(&self.session) {
            return None;
        }
        let output = known.recipe.check(&self.session, &self.folder.join("check")).output().ok()?;
        let stderr = String::from_utf8(output.stderr).ok()?;
        match output.status.success() {
            true => Some(Answer::Done { code: 0, stdout: String::new(), stderr }),
            false => refused(stderr),
        }
    }
}

/// Gives the stand-in its answer, and returns it: a build that was stopped meanwhile has failed.
fn tell(mut stream: &UnixStream, answer: Answer) -> Result<Answer> {
    let mut work = at_work();
    let stopped = work.as_ref().is_some_and(|build| build.stopped);
    let answer = match stopped {
        true => Answer::Done { code: 101, stdout: String::new(), stderr: "stopped".into() },
        false => answer,
    };
    match &mut *work {
        Some(build) if answer == Answer::Cargo => build.cargo = stream.try_clone().ok(),
        // The build is over, and what comes now is no part of it.
        _ => *work = None,
    }
    drop(work);
    writeln!(stream, "{}", serde_json::to_string(&answer)?)?;
    Ok(answer)
}

/// Whether Evcxr has seen a cell fail and only wants better words: it leaves out what catches panics,
/// which is else missing only where there is nothing to run.
fn is_about_errors(source: &str) -> bool {
    let nothing_to_run = "-> *mut std::os::raw::c_void {x}";
    !["std::panic::catch_unwind(", nothing_to_run].iter().any(|text| source.contains(text))
}

/// Puts the cell where cargo puts it, and says so as cargo does.
fn made(recipe: &Recipe) -> Option<Answer> {
    let made = recipe.made()?;
    let place = made.parent()?.parent()?.join(made.file_name()?);
    fs::rename(&made, &place).ok()?;
    let artifact = json!({
        "reason": "compiler-artifact", "target": {"name": "ctx"}, "filenames": [place], "fresh": false
    });
    Some(Answer::Done { code: 0, stdout: format!("{artifact}\n"), stderr: String::new() })
}

/// What rustc says of a cell that does not compile. `None` if its words are about something else.
fn refused(stderr: String) -> Option<Answer> {
    let about_the_cell = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let spans = message["spans"].as_array()?.clone();
        (message["level"] == "error" && spans.iter().any(|span| span["file_name"] == "src/lib.rs"))
            .then_some(())
    };
    stderr.lines().find_map(about_the_cell)?;
    Some(Answer::Done { code: 101, stdout: String::new(), stderr })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_of_the_cell_are_told_as_such() {
        let error = |level: &str, file: &str| {
            json!({"level": level, "message": "m", "spans": [{"file_name": file}]}).to_string()
        };
        assert!(refused(error("error", "src/lib.rs")).is_some());
        assert_eq!(refused(error("warning", "src/lib.rs")), None);
        assert_eq!(refused(error("error", "/other.rs")), None);
        assert_eq!(refused("error: internal compiler error".into()), None);
    }

    #[test]
    fn a_check_belongs_to_the_build_that_is_like_it() {
        let question = |command: &str, environment: &[(&str, &str)]| Question {
            arguments: vec!["--offline".into(), command.into()],
            environment: environment.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
            folder: "/s".into(),
        };
        let build = question("build", &[("A", "1"), (RESULT, "/s/so")]);
        assert!(question("check", &[("A", "1")]).checks(&build));
        assert!(!question("check", &[("A", "2")]).checks(&build));
        assert!(!question("check", &[]).checks(&build));
        assert!(!question("build", &[("A", "1")]).checks(&build));
        assert!(question("check", &[]).is_check() && !build.is_check());
    }

    #[test]
    fn without_knowledge_cargo_is_asked_and_its_success_is_learned_from() {
        let session = tempfile::tempdir().unwrap();
        fs::create_dir(session.path().join(FOLDER)).unwrap();
        let (kernel, mut stand_in) = UnixStream::pair().unwrap();
        let question = Question {
            arguments: vec!["build".into()],
            environment: BTreeMap::new(),
            folder: session.path().to_owned(),
        };
        writeln!(stand_in, "{}", serde_json::to_string(&question).unwrap()).unwrap();
        writeln!(stand_in, "true").unwrap();
        let mut workshop = Workshop {
            session: session.path().canonicalize().unwrap(),
            folder: session.path().join(FOLDER),
            known: None,
        };
        workshop.answer(&kernel).unwrap();
        let mut answer = String::new();
        BufReader::new(&stand_in).read_line(&mut answer).unwrap();
        assert_eq!(serde_json::from_str::<Answer>(&answer).unwrap(), Answer::Cargo);
        assert!(workshop.known.is_none(), "no recipe was written");
        assert_eq!(fs::read_to_string(workshop.folder.join("log")).unwrap(), "cargo\n");
    }
}
