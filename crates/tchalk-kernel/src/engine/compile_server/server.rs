//! The thread of the kernel that compiles cells, or tells the shim to run cargo.

use super::build_request::BuildRequest;
use super::build_request::BuildResponse::{self, Done, RunCargo};
use super::environment::FOLDER;
use super::fingerprint::Fingerprint;
use super::rewrite::{self, Cell};
use super::rustc_command::RustcCommand;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard};

/// After this many cells in a row that only compiled in cargo's way, nothing else is tried.
const MAX_FAILURES: u32 = 3;

/// The last build by cargo, which can be repeated without it.
struct CachedBuild {
    request: BuildRequest,
    command: RustcCommand,
    fingerprint: Fingerprint,
    runtime_crate: PathBuf,
    linker: Vec<String>,
    /// How many cells in a row failed to compile in the quick way only.
    failures: u32,
}

impl CachedBuild {
    /// Starts a compiler for the next cell, if none is waiting.
    fn start_waiting_compiler(&self, folder: &Path, attributes: &str) {
        let mut slot = waiting();
        if !slot.closed && slot.compiler.is_none() && self.failures < MAX_FAILURES {
            slot.compiler = Compiler::start(folder, self, attributes).ok();
        }
    }

    /// Compiles a cell with the waiting compiler; `false` if it does not compile.
    fn build_quick(&self, folder: &Path, cell: &Cell) -> Option<bool> {
        let waiting = waiting().compiler.take();
        let mut compiler = match waiting.filter(|it| it.attributes == cell.attributes) {
            Some(compiler) => compiler,
            None => Compiler::start(folder, self, &cell.attributes).ok()?,
        };
        compiler.send(cell);
        // The next compiler loads the library while this cell is compiled.
        self.start_waiting_compiler(folder, &cell.attributes);
        compiler.wait().ok()
    }
}

/// The compiler that waits for the next cell.
static WAITING: Mutex<WaitingCompiler> =
    Mutex::new(WaitingCompiler { compiler: None, closed: false });

struct WaitingCompiler {
    compiler: Option<Compiler>,
    closed: bool,
}

fn waiting() -> MutexGuard<'static, WaitingCompiler> {
    WAITING.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Ends all compilers for good, before the session's folder is removed.
pub fn close() {
    end_build();
    let mut slot = waiting();
    slot.closed = true;
    slot.compiler = None;
}

/// The build that is running, if any.
static CURRENT_BUILD: Mutex<Option<Build>> = Mutex::new(None);

struct Build {
    /// The connection to the shim, once cargo runs.
    cargo: Option<UnixStream>,
    ended: bool,
}

fn current_build() -> MutexGuard<'static, Option<Build>> {
    CURRENT_BUILD.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Ends the build that is running; `false` if none is.
pub fn end_build() -> bool {
    let mut build = current_build();
    let Some(build) = &mut *build else { return false };
    build.ended = true;
    if let Some(cargo) = &build.cargo {
        let _ = cargo.shutdown(Shutdown::Both);
    }
    true
}

/// A rustc that has loaded the crates of cells and reads its standard input.
struct Compiler {
    process: Option<Child>,
    attributes: String,
}

impl Compiler {
    fn start(folder: &Path, cached: &CachedBuild, attributes: &str) -> Result<Compiler> {
        rewrite::write_root(folder, &cached.command, attributes)?;
        let mut command = cached.command.quick(folder, &cached.runtime_crate, &cached.linker);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().context("cannot start rustc")?;
        Ok(Compiler { process: Some(process), attributes: attributes.to_owned() })
    }

    /// Sends the cell to the compiler.
    fn send(&mut self, cell: &Cell) {
        let input = self.process.as_mut().and_then(|process| process.stdin.take());
        if let Some(mut input) = input {
            // A compiler that ends before it has read the cell has failed; `wait` reports that.
            let _ = input.write_all(cell.text.as_bytes());
        }
    }

    /// Whether the cell compiles.
    fn wait(mut self) -> Result<bool> {
        Ok(self.process.take().context("rustc has ended")?.wait()?.success())
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

/// Answers the shim in this session until the kernel ends.
pub fn serve(listener: &UnixListener, session: &Path) {
    let session = session.canonicalize().unwrap_or_else(|_| session.to_owned());
    let mut server = CompileServer { folder: session.join(FOLDER), session, cached: None };
    for stream in listener.incoming().flatten() {
        *current_build() = Some(Build { cargo: None, ended: false });
        // Without a response the shim runs cargo.
        let _ = server.answer(&stream);
        *current_build() = None;
    }
}

struct CompileServer {
    session: PathBuf,
    /// The folder of the waiting compiler.
    folder: PathBuf,
    cached: Option<CachedBuild>,
}

impl CompileServer {
    fn answer(&mut self, stream: &UnixStream) -> Result<()> {
        let mut lines = BufReader::new(stream).lines();
        let request: BuildRequest = serde_json::from_str(&lines.next().context("no request")??)?;
        if request.is_check() {
            let response = self.check(&request);
            self.log(if response.is_some() { "check" } else { "cargo check" });
            if respond(stream, response.unwrap_or(RunCargo))? == RunCargo {
                lines.next().context("cargo did not report its result")??;
            }
            return Ok(());
        }
        let response = self.build(&request);
        if response.is_none() {
            self.cached = None;
            waiting().compiler = None;
            let _ = fs::remove_file(RustcCommand::file(&self.folder));
        }
        if respond(stream, response.unwrap_or(RunCargo))? == RunCargo {
            self.log("cargo");
            let success = lines.next().context("cargo did not report its result")?? == "true";
            *current_build() = None;
            if success {
                self.cached = self.cache(request);
            }
        }
        if let (Some(cached), Ok(source)) = (&self.cached, fs::read_to_string(self.cell())) {
            cached.start_waiting_compiler(&self.folder, &rewrite::attributes(&source));
        }
        Ok(())
    }

    fn cell(&self) -> PathBuf {
        self.session.join("src/lib.rs")
    }

    /// Logs how a build was made, for tests and for measurements.
    fn log(&self, how: &str) {
        let file = fs::File::options().create(true).append(true).open(self.folder.join("log"));
        let _ = file.and_then(|mut file| writeln!(file, "{how}"));
    }

    /// The build that cargo has just made; `None` if it cannot be repeated without cargo.
    fn cache(&self, request: BuildRequest) -> Option<CachedBuild> {
        if request.folder.canonicalize().ok()? != self.session {
            return None;
        }
        let command = RustcCommand::read(&RustcCommand::file(&self.folder))?;
        let fingerprint = Fingerprint::take(&self.session, &command)?;
        let runtime_crate = rewrite::runtime_crate(&self.folder, &command).ok()?;
        let linker = command.linker();
        Some(CachedBuild { request, command, fingerprint, runtime_crate, linker, failures: 0 })
    }

    /// Compiles the cell if nothing else has changed; `None` leaves it to cargo.
    fn build(&mut self, request: &BuildRequest) -> Option<BuildResponse> {
        let source = fs::read_to_string(self.cell()).ok()?;
        let cached = self.cached.as_mut()?;
        if cached.request != *request || !cached.fingerprint.is_current(&self.session) {
            return None;
        }
        let try_quick = cached.failures < MAX_FAILURES && !reports_errors_only(&source);
        if try_quick && cached.build_quick(&self.folder, &Cell::new(&source))? {
            cached.failures = 0;
            let response = success(&cached.command)?;
            self.log("quick");
            return Some(response);
        }
        let output = cached.command.plain(&self.session).output().ok()?;
        let response = if output.status.success() {
            cached.failures += u32::from(try_quick);
            success(&cached.command)?
        } else {
            failure(String::from_utf8(output.stderr).ok()?)?
        };
        self.log("plain");
        Some(response)
    }

    /// Checks the cell if nothing else has changed since the last build; `None` leaves it to cargo, which
    /// would first check all dependencies of the library.
    fn check(&self, request: &BuildRequest) -> Option<BuildResponse> {
        let cached = self.cached.as_ref()?;
        if !request.checks(&cached.request) || !cached.fingerprint.is_current(&self.session) {
            return None;
        }
        let out_dir = self.folder.join("check");
        let output = cached.command.check(&self.session, &out_dir).output().ok()?;
        let stderr = String::from_utf8(output.stderr).ok()?;
        match output.status.success() {
            true => Some(Done { code: 0, stdout: String::new(), stderr }),
            false => failure(stderr),
        }
    }
}

/// Sends the response to the shim and returns it: a build that was ended meanwhile has failed.
fn respond(mut stream: &UnixStream, response: BuildResponse) -> Result<BuildResponse> {
    let mut current = current_build();
    let ended = current.as_ref().is_some_and(|build| build.ended);
    let response = match ended {
        true => Done { code: 101, stdout: String::new(), stderr: "interrupted".into() },
        false => response,
    };
    match &mut *current {
        Some(build) if response == RunCargo => build.cargo = stream.try_clone().ok(),
        // The build is done; an interrupt from now on is not for it.
        _ => *current = None,
    }
    drop(current);
    writeln!(stream, "{}", serde_json::to_string(&response)?)?;
    Ok(response)
}

/// Whether Evcxr builds a failed cell again for better error messages. Such a cell does not catch panics,
/// as otherwise only a cell with nothing to run.
fn reports_errors_only(source: &str) -> bool {
    let nothing_to_run = "-> *mut std::os::raw::c_void {x}";
    !["std::panic::catch_unwind(", nothing_to_run].iter().any(|text| source.contains(text))
}

/// Moves the compiled cell to where cargo puts it, and reports it as cargo does.
fn success(command: &RustcCommand) -> Option<BuildResponse> {
    let output = command.output()?;
    let library = output.parent()?.parent()?.join(output.file_name()?);
    fs::rename(&output, &library).ok()?;
    let artifact = json!({
        "reason": "compiler-artifact", "target": {"name": "ctx"}, "filenames": [library], "fresh": false
    });
    Some(Done { code: 0, stdout: format!("{artifact}\n"), stderr: String::new() })
}

/// The errors of rustc in a cell; `None` if they are not in the cell.
fn failure(stderr: String) -> Option<BuildResponse> {
    let is_in_cell = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let spans = message["spans"].as_array()?.clone();
        (message["level"] == "error" && spans.iter().any(|span| span["file_name"] == "src/lib.rs"))
            .then_some(())
    };
    stderr.lines().find_map(is_in_cell)?;
    Some(Done { code: 101, stdout: String::new(), stderr })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_in_the_cell_are_reported() {
        let error = |level: &str, file: &str| {
            json!({"level": level, "message": "m", "spans": [{"file_name": file}]}).to_string()
        };
        assert!(failure(error("error", "src/lib.rs")).is_some());
        assert_eq!(failure(error("warning", "src/lib.rs")), None);
        assert_eq!(failure(error("error", "/other.rs")), None);
        assert_eq!(failure("error: internal compiler error".into()), None);
    }

    #[test]
    fn without_a_cached_build_cargo_runs() {
        let session = tempfile::tempdir().unwrap();
        fs::create_dir(session.path().join(FOLDER)).unwrap();
        let (kernel, mut shim) = UnixStream::pair().unwrap();
        let request = BuildRequest {
            arguments: vec!["build".into()],
            environment: Default::default(),
            folder: session.path().to_owned(),
        };
        writeln!(shim, "{}", serde_json::to_string(&request).unwrap()).unwrap();
        writeln!(shim, "true").unwrap();
        let mut server = CompileServer {
            session: session.path().canonicalize().unwrap(),
            folder: session.path().join(FOLDER),
            cached: None,
        };
        server.answer(&kernel).unwrap();
        let mut line = String::new();
        BufReader::new(&shim).read_line(&mut line).unwrap();
        assert_eq!(serde_json::from_str::<BuildResponse>(&line).unwrap(), RunCargo);
        assert!(server.cached.is_none(), "no command was recorded");
        assert_eq!(fs::read_to_string(server.folder.join("log")).unwrap(), "cargo\n");
    }
}
