//! A kernel that is started in advance, so that a notebook starts in a second.
//!
//! Most of a start is rust-analyzer, inside Evcxr, reading the standard library. So after the first cell of
//! each notebook a process of this program (`--prewarm`) starts an engine in the background, in a session
//! of its own, and waits at a socket in the state folder. The next kernel that Jupyter starts sends it the
//! connection file, the working folder and the environment ([`adopt`]), and from then on only represents
//! it: when either of the two ends, so does the other. A prewarmed kernel only serves a kernel with the
//! same fingerprint: template, program, and the variables that are read at a start. It ends if nobody
//! wants it for an hour, or when its fingerprint is outdated. `TCHALK_PREWARM=0` turns prewarmed kernels
//! off.

use super::session_folder::{Session, use_folder};
use super::user_dir;
use crate::engine::compile_server::environment::{original, restored};
use crate::engine::engine_thread::EngineThread;
use crate::home::Home;
use crate::protocol::wire::Connection;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SWITCH: &str = "TCHALK_PREWARM";
/// A prewarmed kernel ends after this time.
const MAX_WAIT: Duration = Duration::from_secs(3600);
/// How often processes check on each other.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// With less free memory than this, no kernel is prewarmed: it takes about half a gigabyte.
const MIN_FREE_MEMORY_KB: u64 = 2_000_000;
/// Prefixes of variables that a running process cannot change: they are read at its start.
const START_VARIABLES: [&str; 13] = [
    "LD_",
    "DYLD_",
    "OMP_",
    "MKL_",
    "KMP_",
    "CUDA_",
    "NVIDIA_",
    "CARGO",
    "RUST",
    "TCHALK_STATE",
    "TCHALK_LIBRARY",
    "TCHALK_QUICK_CELLS",
    "PATH",
];

/// The last message of a prewarmed kernel.
const END: &[u8] = b"bye";

/// What the kernel that Jupyter started sends to the prewarmed kernel.
#[derive(Serialize, Deserialize)]
struct ServeRequest {
    connection_file: PathBuf,
    folder: PathBuf,
    environment: BTreeMap<String, String>,
}

fn is_enabled() -> bool {
    std::env::var(SWITCH).as_deref() != Ok("0")
}

/// Whether there is memory for a prewarmed kernel.
fn suffices(free_memory_kb: Option<u64>) -> bool {
    free_memory_kb.is_none_or(|free| free >= MIN_FREE_MEMORY_KB)
}

fn is_wanted() -> bool {
    is_enabled() && suffices(free_memory_kb())
}

fn folder(home: &Home) -> Result<PathBuf> {
    user_dir::alias(&user_dir::writable_state(&home.state)?.join("prewarmed"))
}

fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| {
            let value = original(&name, value)?;
            Some((name.into_string().ok()?, value.into_string().ok()?))
        })
        .collect()
}

/// What a prewarmed kernel must have in common with the kernel that adopts it: the template, the program,
/// and the variables that are read at a start.
fn fingerprint(home: &Home) -> String {
    let environment = environment();
    let variables = environment
        .iter()
        .filter(|(name, _)| START_VARIABLES.iter().any(|prefix| name.starts_with(prefix)));
    let variables: Vec<String> = variables.map(|(name, value)| format!("{name}={value}")).collect();
    let template = fs::read_to_string(home.state.join("template.stamp")).unwrap_or_default();
    let program = std::env::current_exe().unwrap_or_default();
    format!("{template}\n{}\n{}", program.display(), variables.join("\n"))
}

/// Prewarms a kernel in the background, if there is none and there is memory for one.
pub fn spawn(home: &Home) {
    let lock = folder(home).and_then(|folder| Ok(File::open(folder.join("lock"))?));
    if lock.is_ok_and(|lock| lock.try_lock().is_err()) || !is_wanted() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut kernel = Command::new(program);
    restored(&mut kernel).arg("--prewarm").env_remove("EVCXR_TMPDIR");
    kernel.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Ok(mut child) = kernel.spawn() {
        std::thread::spawn(move || child.wait());
    }
}

/// The memory that is available to programs, where the system reports it in a file.
fn free_memory_kb() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Lets a prewarmed kernel serve the notebook, and represents it until it ends. `false` if there is none
/// with the same fingerprint.
pub fn adopt(home: &Home, connection_file: &Path) -> Result<bool> {
    if !is_enabled() {
        return Ok(false);
    }
    let kernel = folder(home).and_then(|it| Ok(UnixStream::connect(it.join("socket"))?));
    let Ok(mut kernel) = kernel else { return Ok(false) };
    let request = ServeRequest {
        connection_file: std::path::absolute(connection_file)?,
        folder: std::env::current_dir()?,
        environment: environment(),
    };
    let fingerprint = serde_json::to_string(&fingerprint(home))?;
    let request = format!("{fingerprint}\n{}\n", serde_json::to_string(&request)?);
    let mut answer = [0];
    let accepted = kernel.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
        && kernel.write_all(request.as_bytes()).is_ok()
        && kernel.read_exact(&mut answer).is_ok()
        && answer == *b"y";
    if !accepted {
        return Ok(false);
    }
    kernel.set_read_timeout(None)?;
    let parent = std::os::unix::process::parent_id();
    let connection = kernel.try_clone()?;
    std::thread::spawn(move || {
        while std::os::unix::process::parent_id() == parent {
            std::thread::sleep(CHECK_INTERVAL);
        }
        let _ = connection.shutdown(std::net::Shutdown::Both);
    });
    let mut last = Vec::new();
    let _ = kernel.read_to_end(&mut last);
    if last != END && std::os::unix::process::parent_id() == parent {
        anyhow::bail!("the kernel's process ended unexpectedly");
    }
    Ok(true)
}

/// A prewarmed kernel with the notebook it serves.
pub struct Adoption {
    pub home: Home,
    pub connection: Connection,
    pub engine: EngineThread,
    /// Code that adapts the cell process to the notebook.
    pub preparation: String,
    /// The connection to the kernel that Jupyter started.
    pub stream: UnixStream,
    pub session: Session,
}

/// Starts an engine and waits for a notebook; `None` if the prewarmed kernel is not wanted, or no longer.
pub fn wait_for_notebook() -> Result<Option<Adoption>> {
    if !is_wanted() {
        return Ok(None);
    }
    // It outlives the process that started it, and Ctrl-C in that terminal is not meant for it.
    // SAFETY: setsid has no preconditions; it fails harmlessly for the leader of a group.
    unsafe { libc::setsid() };
    let home = Home::from_env()?;
    user_dir::ensure_private(&user_dir::writable_state(&home.state)?.join("prewarmed"))?;
    let folder = folder(&home)?;
    let lock = File::create(folder.join("lock"))?;
    if !try_lock(&lock) {
        return Ok(None);
    }
    let fingerprint = fingerprint(&home);
    let before = environment();
    let session = Session::open(&home)?;
    use_folder(&session.folder);
    let engine = EngineThread::start(&home)?;
    engine.wait_until_ready()?;
    let Some((request, stream)) = next_request(&home, &folder.join("socket"), &fingerprint)? else {
        return Ok(None);
    };
    drop(lock);
    let connection = Connection::read(&request.connection_file)?;
    // Evcxr resolves the paths of dependencies, too. A missing folder is an error of the reader's cell.
    let _ = std::env::set_current_dir(&request.folder);
    let preparation = preparation(&before, &request);
    Ok(Some(Adoption { home, connection, engine, preparation, stream, session }))
}

/// Tells the kernel that Jupyter started that all is done.
pub fn report_end(mut stream: UnixStream) {
    let _ = stream.write_all(END);
}

/// Locks the file, if no prewarmed kernel holds it. Processes that check the lock hold it for a moment.
fn try_lock(lock: &File) -> bool {
    (0..5).any(|_| {
        let locked = lock.try_lock().is_ok();
        if !locked {
            std::thread::sleep(CHECK_INTERVAL / 5);
        }
        locked
    })
}

/// The first request, or `None` if its fingerprint differs or the prewarmed kernel is outdated.
fn next_request(
    home: &Home,
    socket: &Path,
    fingerprint: &str,
) -> Result<Option<(ServeRequest, UnixStream)>> {
    let listener =
        listen(socket).with_context(|| format!("cannot create the socket {}", socket.display()))?;
    listener.set_nonblocking(true)?;
    let start = Instant::now();
    let accepted = loop {
        match listener.accept() {
            Ok((stream, _)) => {
                // A kernel with another fingerprint starts on its own, and this one is outdated.
                break read_request(&stream, fingerprint).map(|request| (request, stream));
            }
            Err(_) if start.elapsed() > MAX_WAIT || self::fingerprint(home) != fingerprint => {
                break None;
            }
            Err(_) => std::thread::sleep(CHECK_INTERVAL / 10),
        }
    };
    let _ = fs::remove_file(socket);
    if let Some((_, stream)) = &accepted {
        (&mut &*stream).write_all(b"y")?;
    }
    Ok(accepted)
}

/// A socket that accepts connections from the moment it has its name.
fn listen(socket: &Path) -> std::io::Result<UnixListener> {
    let unnamed = socket.with_extension("new");
    let _ = fs::remove_file(&unnamed);
    let listener = UnixListener::bind(&unnamed)?;
    fs::rename(&unnamed, socket)?;
    Ok(listener)
}

fn read_request(stream: &UnixStream, fingerprint: &str) -> Option<ServeRequest> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut lines = BufReader::new(stream).lines();
    let theirs: String = serde_json::from_str(&lines.next()?.ok()?).ok()?;
    let request = serde_json::from_str(&lines.next()?.ok()?).ok()?;
    stream.set_read_timeout(None).ok()?;
    (theirs == fingerprint).then_some(request)
}

/// Code that gives the cell process the folder and the environment of the kernel that adopts it.
fn preparation(before: &BTreeMap<String, String>, request: &ServeRequest) -> String {
    let is_own = |name: &str| name.starts_with("EVCXR") || name == "TCHALK_KERNEL";
    let changed = request
        .environment
        .iter()
        .filter(|(name, value)| !is_own(name) && before.get(*name) != Some(value));
    let set = changed.map(|(name, value)| format!("std::env::set_var({name:?}, {value:?});"));
    let removed =
        before.keys().filter(|name| !is_own(name) && !request.environment.contains_key(*name));
    let remove = removed.map(|name| format!("std::env::remove_var({name:?});"));
    let statements: Vec<String> = set.chain(remove).collect();
    format!(
        "unsafe {{ {} }} let _ = std::env::set_current_dir({:?});",
        statements.join(" "),
        request.folder.display().to_string()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_replaces_one_whose_listener_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        drop(listen(&socket).unwrap());
        assert!(UnixStream::connect(&socket).is_err(), "its listener has ended");
        let _listener = listen(&socket).unwrap();
        assert!(UnixStream::connect(&socket).is_ok());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn no_kernel_is_prewarmed_if_memory_is_short() {
        assert!(suffices(Some(MIN_FREE_MEMORY_KB)) && suffices(None));
        assert!(!suffices(Some(MIN_FREE_MEMORY_KB - 1)));
    }

    #[test]
    fn a_check_of_the_lock_does_not_block_it() {
        let folder = tempfile::tempdir().unwrap();
        let open = || File::create(folder.path().join("lock")).unwrap();
        let (checked, prewarmed) = (open(), open());
        checked.lock().unwrap();
        let check = std::thread::spawn(move || {
            std::thread::sleep(CHECK_INTERVAL / 10);
            drop(checked);
        });
        assert!(try_lock(&prewarmed));
        check.join().unwrap();
        assert!(!try_lock(&open()), "it is locked");
    }

    #[test]
    fn the_environment_is_passed_on() {
        let map = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        let before =
            map(&[("HOME", "/h"), ("TCHALK_BUDGET", "full"), ("OLD", "1"), ("EVCXR_TMPDIR", "/t")]);
        let environment = map(&[("HOME", "/h"), ("TCHALK_BUDGET", "ci"), ("NEW", "a \"b\"")]);
        let request =
            ServeRequest { connection_file: "/c.json".into(), folder: "/work".into(), environment };
        assert_eq!(
            preparation(&before, &request),
            "unsafe { std::env::set_var(\"NEW\", \"a \\\"b\\\"\"); \
             std::env::set_var(\"TCHALK_BUDGET\", \"ci\"); std::env::remove_var(\"OLD\"); } \
             let _ = std::env::set_current_dir(\"/work\");"
        );
    }
}
