//! A warm kernel in reserve, so that a notebook starts in a second.
//!
//! What takes long in a start is rust-analyzer, inside Evcxr, reading the standard library. So after
//! each start a process of this program (`--reserve`) warms up in the background, in a session of its
//! own, and waits at a socket in the state folder. The next kernel that Jupyter starts hands it the
//! connection file, the working folder and the environment, and from then on only stands for it: when
//! either of the two ends, so does the other. A reserve that nobody wants for an hour ends; so does
//! one whose library is no longer the newest. `TCHALK_RESERVE=0` turns reserves off.

use crate::engine_thread::EngineThread;
use crate::quick;
use crate::server::{Owner, serve_notebook};
use crate::session::{Home, Session, use_folder};
use crate::user_dir;
use crate::wire::Connection;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SWITCH: &str = "TCHALK_RESERVE";
/// A reserve that nobody has wanted for so long ends.
const PATIENCE: Duration = Duration::from_secs(3600);
/// How often a reserve looks whether it is still of use.
const LOOK: Duration = Duration::from_millis(500);
/// A reserve takes about half a gigabyte; with less than this it would be in the way.
const FREE_MEMORY_KB: u64 = 2_000_000;
/// Variables that a running process cannot take over: they were read when it started.
const FIXED: [&str; 13] = [
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

/// What the kernel that Jupyter started tells the reserve.
#[derive(Serialize, Deserialize)]
struct Order {
    connection_file: PathBuf,
    folder: PathBuf,
    environment: BTreeMap<String, String>,
}

fn enabled() -> bool {
    is_on(std::env::var(SWITCH).ok().as_deref())
}

fn is_on(switch: Option<&str>) -> bool {
    switch != Some("0")
}

/// Whether a reserve is wanted, and would be in nobody's way.
fn is_welcome(switch: Option<&str>, free_memory_kb: Option<u64>) -> bool {
    is_on(switch) && free_memory_kb.is_none_or(|free| free >= FREE_MEMORY_KB)
}

fn is_welcome_here() -> bool {
    is_welcome(std::env::var(SWITCH).ok().as_deref(), free_memory_kb())
}

fn folder(home: &Home) -> Result<PathBuf> {
    user_dir::alias(&home.writable_state()?.join("reserve"))
}

fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| {
            let value = quick::outside(&name, value)?;
            Some((name.into_string().ok()?, value.into_string().ok()?))
        })
        .collect()
}

/// What a reserve must have in common with the kernel that takes it: the template, the program, and
/// the variables that were read at the start.
fn badge(home: &Home) -> String {
    let fixed = environment();
    let fixed =
        fixed.iter().filter(|(name, _)| FIXED.iter().any(|prefix| name.starts_with(prefix)));
    let fixed: Vec<String> = fixed.map(|(name, value)| format!("{name}={value}")).collect();
    let template = fs::read_to_string(home.state.join("template.stamp")).unwrap_or_default();
    let program = std::env::current_exe().unwrap_or_default();
    format!("{template}\n{}\n{}", program.display(), fixed.join("\n"))
}

/// Starts a reserve in the background, if none is there and there is memory for one.
pub fn spawn(home: &Home) {
    let lock = folder(home).and_then(|folder| Ok(File::open(folder.join("lock"))?));
    if lock.is_ok_and(|lock| lock.try_lock().is_err()) || !is_welcome_here() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut reserve = Command::new(program);
    quick::leave(&mut reserve).arg("--reserve").env_remove("EVCXR_TMPDIR");
    reserve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Ok(mut child) = reserve.spawn() {
        std::thread::spawn(move || child.wait());
    }
}

/// Memory that programs could have, where the system tells it in a file.
fn free_memory_kb() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Lets a reserve serve the notebook, and stands for it until it ends. `false` if there is none that
/// fits.
pub fn hand_over(home: &Home, connection_file: &Path) -> Result<bool> {
    if !enabled() {
        return Ok(false);
    }
    let reserve = folder(home).and_then(|it| Ok(UnixStream::connect(it.join("socket"))?));
    let Ok(mut reserve) = reserve else { return Ok(false) };
    let order = Order {
        connection_file: std::path::absolute(connection_file)?,
        folder: std::env::current_dir()?,
        environment: environment(),
    };
    let badge = badge(home);
    let order = format!("{}\n{}\n", serde_json::to_string(&badge)?, serde_json::to_string(&order)?);
    let mut answer = [0];
    let accepted = reserve.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
        && reserve.write_all(order.as_bytes()).is_ok()
        && reserve.read_exact(&mut answer).is_ok()
        && answer == *b"y";
    if !accepted {
        return Ok(false);
    }
    reserve.set_read_timeout(None)?;
    let parent = std::os::unix::process::parent_id();
    let ours = reserve.try_clone()?;
    std::thread::spawn(move || {
        while std::os::unix::process::parent_id() == parent {
            std::thread::sleep(LOOK);
        }
        let _ = ours.shutdown(std::net::Shutdown::Both);
    });
    let mut farewell = Vec::new();
    let _ = reserve.read_to_end(&mut farewell);
    if farewell != b"bye" && std::os::unix::process::parent_id() == parent {
        anyhow::bail!("the kernel's process ended unexpectedly");
    }
    Ok(true)
}

/// Waits, warm, for a notebook to serve; what `--reserve` does. Whoever starts it need not know whether a
/// reserve is wanted.
pub fn wait_in_reserve() -> Result<()> {
    if !is_welcome_here() {
        return Ok(());
    }
    // It outlives what has started it, and Ctrl-C in a terminal is not meant for it.
    // SAFETY: setsid has no preconditions; it fails harmlessly for the leader of a group.
    unsafe { libc::setsid() };
    let home = Home::from_env()?;
    user_dir::ensure_private(&home.writable_state()?.join("reserve"))?;
    let place = folder(&home)?;
    let lock = File::create(place.join("lock"))?;
    if !take(&lock) {
        return Ok(());
    }
    let badge = badge(&home);
    let before = environment();
    let session = Session::open(&home)?;
    use_folder(&session.folder);
    let engine = EngineThread::start(&home)?;
    engine.wait_until_warm()?;
    let Some((order, stream)) = next_order(&home, &place.join("socket"), &badge)? else {
        return Ok(());
    };
    drop(lock);
    let connection = Connection::read(&order.connection_file)?;
    // Evcxr resolves paths, too: those of dependencies. A folder that is gone is the reader's to see.
    let _ = std::env::set_current_dir(&order.folder);
    let preparation = preparation(&before, &order);
    let owner = Owner::Peer(stream.try_clone()?);
    serve_notebook(&connection, &home, engine, owner, preparation)?;
    drop(session);
    let mut stream = stream;
    let _ = stream.write_all(b"bye");
    Ok(())
}

/// Whether this lock is free. Those who only look hold it for a moment, too.
fn take(lock: &File) -> bool {
    (0..5).any(|_| {
        let taken = lock.try_lock().is_ok();
        if !taken {
            std::thread::sleep(LOOK / 5);
        }
        taken
    })
}

/// The first order that fits, or nothing if the reserve is no longer of use.
fn next_order(home: &Home, socket: &Path, badge: &str) -> Result<Option<(Order, UnixStream)>> {
    let listener = listen(socket).with_context(|| format!("cannot make {}", socket.display()))?;
    listener.set_nonblocking(true)?;
    let begun = Instant::now();
    let order = loop {
        match listener.accept() {
            Ok((stream, _)) => {
                if let Some(order) = read_order(&stream, badge) {
                    break Some((order, stream));
                }
                // What asked for something else goes its own way, and this reserve is outdated.
                break None;
            }
            Err(_) if begun.elapsed() > PATIENCE || self::badge(home) != badge => break None,
            Err(_) => std::thread::sleep(LOOK / 10),
        }
    };
    let _ = fs::remove_file(socket);
    if let Some((_, stream)) = &order {
        (&mut &*stream).write_all(b"y")?;
    }
    Ok(order)
}

/// A socket that can be connected to from the moment it is seen under its name.
fn listen(socket: &Path) -> std::io::Result<UnixListener> {
    let unnamed = socket.with_extension("new");
    let _ = fs::remove_file(&unnamed);
    let listener = UnixListener::bind(&unnamed)?;
    fs::rename(&unnamed, socket)?;
    Ok(listener)
}

fn read_order(stream: &UnixStream, badge: &str) -> Option<Order> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut lines = BufReader::new(stream).lines();
    let theirs: String = serde_json::from_str(&lines.next()?.ok()?).ok()?;
    let order = serde_json::from_str(&lines.next()?.ok()?).ok()?;
    stream.set_read_timeout(None).ok()?;
    (theirs == badge).then_some(order)
}

/// Code that gives the cell process the folder and the environment of the kernel it stands for.
fn preparation(before: &BTreeMap<String, String>, order: &Order) -> String {
    let kept = |name: &str| name.starts_with("EVCXR") || name == "TCHALK_KERNEL";
    let changed = order
        .environment
        .iter()
        .filter(|(name, value)| !kept(name) && before.get(*name) != Some(value));
    let set = changed.map(|(name, value)| format!("std::env::set_var({name:?}, {value:?});"));
    let gone = before.keys().filter(|name| !kept(name) && !order.environment.contains_key(*name));
    let remove = gone.map(|name| format!("std::env::remove_var({name:?});"));
    let statements: Vec<String> = set.chain(remove).collect();
    format!(
        "unsafe {{ {} }} let _ = std::env::set_current_dir({:?});",
        statements.join(" "),
        order.folder.display().to_string()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_takes_the_place_of_one_that_nobody_serves() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        drop(listen(&socket).unwrap());
        assert!(UnixStream::connect(&socket).is_err(), "its listener is gone");
        let _listener = listen(&socket).unwrap();
        assert!(UnixStream::connect(&socket).is_ok());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_reserve_is_welcome_unless_it_is_turned_off_or_memory_is_short() {
        assert!(is_welcome(None, Some(FREE_MEMORY_KB)) && is_welcome(Some("1"), None));
        assert!(!is_welcome(Some("0"), None) && !is_welcome(Some("0"), Some(FREE_MEMORY_KB)));
        assert!(!is_welcome(None, Some(FREE_MEMORY_KB - 1)));
    }

    #[test]
    fn who_looks_at_the_lock_stops_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let open = || File::create(folder.path().join("lock")).unwrap();
        let (looking, reserve) = (open(), open());
        looking.lock().unwrap();
        let looks = std::thread::spawn(move || {
            std::thread::sleep(LOOK / 10);
            drop(looking);
        });
        assert!(take(&reserve));
        looks.join().unwrap();
        assert!(!take(&open()), "it is taken");
    }

    #[test]
    fn the_environment_is_handed_on() {
        let map = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        let before =
            map(&[("HOME", "/h"), ("TCHALK_BUDGET", "full"), ("OLD", "1"), ("EVCXR_TMPDIR", "/t")]);
        let environment = map(&[("HOME", "/h"), ("TCHALK_BUDGET", "ci"), ("NEW", "a \"b\"")]);
        let order =
            Order { connection_file: "/c.json".into(), folder: "/work".into(), environment };
        assert_eq!(
            preparation(&before, &order),
            "unsafe { std::env::set_var(\"NEW\", \"a \\\"b\\\"\"); \
             std::env::set_var(\"TCHALK_BUDGET\", \"ci\"); std::env::remove_var(\"OLD\"); } \
             let _ = std::env::set_current_dir(\"/work\");"
        );
    }
}
