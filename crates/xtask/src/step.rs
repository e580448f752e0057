//! One step of set-up: said when it begins, timed, and made whole or not at all.

use crate::paths::Paths;
use anyhow::{Context, Result};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

/// What a step took.
#[derive(Debug, Clone, Default, PartialEq)]
struct Took {
    seconds: f64,
    /// What came over the network meanwhile, in MB, where the system tells.
    downloaded: Option<f64>,
    /// By how much the free space at the cache has shrunk, in GB, where the system tells.
    disk: Option<f64>,
}

/// The steps that were done, in order.
static DONE: Mutex<Vec<(String, Took)>> = Mutex::new(Vec::new());

/// The step that failed, in an error's chain of causes.
#[derive(Debug)]
pub struct Failed(String);

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}: this step failed", self.0)
    }
}

/// Does `work` and says what it took.
pub fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("• {what} …");
    let before = Measured::now();
    let result = work().with_context(|| Failed(what.to_owned()))?;
    let took = before.since();
    eprintln!("  done in {}", said(&took));
    DONE.lock().expect("nobody panics while holding it").push((what.to_owned(), took));
    Ok(result)
}

/// Where clock, network and disk stand.
struct Measured {
    at: Instant,
    received: Option<f64>,
    free: Option<f64>,
}

impl Measured {
    fn now() -> Measured {
        let network = std::fs::read_to_string("/proc/net/dev").ok();
        Measured {
            at: Instant::now(),
            received: network.map(|text| received(&text)),
            free: Paths::find().ok().and_then(|paths| free_gb(&paths.home)),
        }
    }

    fn since(&self) -> Took {
        let now = Measured::now();
        let more = |a: Option<f64>, b: Option<f64>| Some((a? - b?).max(0.0));
        Took {
            seconds: self.at.elapsed().as_secs_f64(),
            downloaded: more(now.received, self.received),
            disk: more(self.free, now.free),
        }
    }
}

/// What all interfaces but the machine's own have received, in MB.
fn received(interfaces: &str) -> f64 {
    let others = interfaces.lines().filter_map(|line| line.split_once(':'));
    let bytes = others
        .filter(|(name, _)| name.trim() != "lo")
        .filter_map(|(_, numbers)| numbers.split_whitespace().next()?.parse::<f64>().ok());
    bytes.sum::<f64>() / 1e6
}

/// `40 s, 12 MB downloaded, 0.1 GB on disk`
fn said(took: &Took) -> String {
    let mut said = duration(took.seconds);
    if let Some(downloaded) = took.downloaded.filter(|it| *it >= 0.5) {
        said += &format!(", {downloaded:.0} MB downloaded");
    }
    if let Some(disk) = took.disk.filter(|it| *it >= 0.05) {
        said += &format!(", {disk:.1} GB on disk");
    }
    said
}

/// All steps that were done, and their sum, as a table; `None` if there was none. The next table begins
/// anew.
pub fn table() -> Option<String> {
    let done = std::mem::take(&mut *DONE.lock().expect("nobody panics while holding it"));
    (!done.is_empty()).then(|| table_of(&done))
}

fn table_of(done: &[(String, Took)]) -> String {
    let sum = |of: fn(&Took) -> Option<f64>| done.iter().map(|(_, took)| of(took)).sum();
    let all = Took {
        seconds: done.iter().map(|(_, took)| took.seconds).sum(),
        downloaded: sum(|took| took.downloaded),
        disk: sum(|took| took.disk),
    };
    let row = |what: &str, took: &Took| {
        let amount = |value: Option<f64>, digits, unit| {
            value.map_or("unknown".into(), |value| format!("{value:.digits$} {unit}"))
        };
        // What stands in brackets was said while it was awaited.
        let what = what.split(" (").next().unwrap_or(what);
        format!(
            "  {what:<50} {:>12} {:>12} {:>12}",
            duration(took.seconds),
            amount(took.downloaded, 0, "MB"),
            amount(took.disk, 1, "GB")
        )
    };
    let head = format!("  {:<50} {:>12} {:>12} {:>12}", "", "time", "downloaded", "on disk");
    let rows = done.iter().map(|(what, took)| row(what, took));
    let lines: Vec<String> = ["what set-up took".into(), head]
        .into_iter()
        .chain(rows)
        .chain([row("sum", &all)])
        .collect();
    lines.join("\n")
}

/// `0.4 s`, `12 s`, `3 min 20 s`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 99.5 => format!("{s:.0} s"),
        s => format!("{} min {} s", s.round() as u64 / 60, s.round() as u64 % 60),
    }
}

/// Makes a folder by way of another name, so that it is there whole or not at all.
pub fn whole_folder(folder: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let part = part_name(folder);
    let _ = std::fs::remove_dir_all(&part);
    create_folder(&part)?;
    let filled = fill(&part).and_then(|()| {
        std::fs::rename(&part, folder)
            .with_context(|| format!("cannot create {}", folder.display()))
    });
    if filled.is_err() {
        let _ = std::fs::remove_dir_all(&part);
    }
    filled
}

/// A folder for what is needed only meanwhile. What is left of it if `work` is broken off goes with the
/// other parts.
pub fn meanwhile<T>(home: &Path, name: &str, work: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let folder = part_name(&home.join(name));
    create_folder(&folder)?;
    let result = work(&folder);
    let _ = std::fs::remove_dir_all(&folder);
    result
}

/// Writes a file by way of another name; does nothing if it already says so.
pub fn whole_file(file: &Path, content: &str) -> Result<()> {
    if std::fs::read_to_string(file).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if let Some(parent) = file.parent() {
        create_folder(parent)?;
    }
    let part = part_name(file);
    std::fs::write(&part, content)
        .and_then(|()| std::fs::rename(&part, file))
        .with_context(|| format!("cannot write {}", file.display()))
}

pub fn create_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| {
        format!(
            "cannot write to {}: set TCHALK_HOME to a folder you may write to",
            folder.display()
        )
    })
}

/// Copies the files of a folder that are `wanted`, with their permissions and times.
pub fn copy_tree(from: &Path, to: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<()> {
    create_folder(to)?;
    let entries =
        std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_tree(&source, &target, wanted)?;
        } else if wanted(&source) {
            copy_file(&source, &target)?;
        }
    }
    Ok(())
}

/// Copies a file with its permissions and its time.
pub fn copy_file(source: &Path, target: &Path) -> Result<()> {
    let copy = || -> std::io::Result<()> {
        std::fs::copy(source, target)?;
        let modified = std::fs::metadata(source)?.modified()?;
        let times = std::fs::FileTimes::new().set_modified(modified);
        // What may not be written to keeps the time of the copy.
        let _ = std::fs::File::options().write(true).open(target).map(|file| file.set_times(times));
        Ok(())
    };
    copy().with_context(|| format!("cannot copy {} to {}", source.display(), target.display()))
}

/// Removes what set-ups that were broken off have left under another name. To be called while this
/// set-up holds the cache.
pub fn forget_parts(home: &Path) -> Result<()> {
    for entry in std::fs::read_dir(home)?.flatten().map(|entry| entry.path()) {
        if !is_part(&entry) {
            continue;
        }
        let _ = match entry.is_dir() {
            true => std::fs::remove_dir_all(&entry),
            false => std::fs::remove_file(&entry),
        };
    }
    Ok(())
}

/// Whether this is the name of something half-made.
pub fn is_part(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = name.rsplit_once(".part-").map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// The name under which something is made, or removed.
pub fn part_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".part-{}", std::process::id()));
    path.with_file_name(name)
}

/// Locked while a set-up is at work.
const LOCK: &str = "setup.lock";

/// Holds the cache for one set-up at a time; waits, and says so, while another is at work.
pub fn lock(home: &Path) -> Result<std::fs::File> {
    create_folder(home)?;
    let path = home.join(LOCK);
    let file = std::fs::File::create(&path).with_context(|| {
        format!("cannot write to {}: set TCHALK_HOME to a folder you may write to", home.display())
    })?;
    if file.try_lock().is_err() {
        eprintln!("another set-up is at work in {}; waiting for it …", home.display());
        std::io::stderr().flush()?;
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}

/// Whether a set-up is at work in the cache.
pub fn is_locked(home: &Path) -> bool {
    std::fs::File::open(home.join(LOCK)).is_ok_and(|file| file.try_lock().is_err())
}

/// Free space at `path` in GB, where the system tells.
#[cfg(unix)]
pub fn free_gb(path: &Path) -> Option<f64> {
    use std::os::unix::ffi::OsStrExt;
    let existing = path.ancestors().find(|ancestor| ancestor.exists())?;
    let name = std::ffi::CString::new(existing.as_os_str().as_bytes()).ok()?;
    // SAFETY: statvfs is plain data, for which zero is a valid value; the system fills it.
    let mut stats: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: a terminated path and a valid place for the answer.
    let failed = unsafe { libc::statvfs(name.as_ptr(), &mut stats) } != 0;
    (!failed).then(|| stats.f_bavail as f64 * stats.f_frsize as f64 / 1e9)
}

/// Free space is not asked for on this system.
#[cfg(not(unix))]
pub fn free_gb(_path: &Path) -> Option<f64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_whose_filling_fails_is_not_there() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("part");
        let failed = whole_folder(&folder, |part| {
            std::fs::write(part.join("half"), "x")?;
            anyhow::bail!("no network")
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
        whole_folder(&folder, |part| Ok(std::fs::write(part.join("all"), "x")?)).unwrap();
        assert!(folder.join("all").is_file());
    }

    #[test]
    fn what_is_needed_meanwhile_is_a_part_and_goes() {
        let home = tempfile::tempdir().unwrap();
        let folder = meanwhile(home.path(), "pip", |folder| {
            assert!(folder.is_dir() && is_part(folder));
            Ok(folder.to_owned())
        });
        assert!(!folder.unwrap().exists());
        assert!(meanwhile::<()>(home.path(), "pip", |_| anyhow::bail!("no network")).is_err());
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_was_broken_off_is_removed_and_all_else_kept() {
        let home = tempfile::tempdir().unwrap();
        for name in ["kernel-12.part-345", "kernel-12", "data"] {
            std::fs::create_dir_all(home.path().join(name).join("inside")).unwrap();
        }
        std::fs::write(home.path().join("note.part-6"), "").unwrap();
        std::fs::write(home.path().join("film.part-two"), "").unwrap();
        forget_parts(home.path()).unwrap();
        let mut left: Vec<_> = std::fs::read_dir(home.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["data", "film.part-two", "kernel-12"]);
    }

    #[test]
    fn a_copy_keeps_times_and_takes_what_is_wanted() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(from.path().join("a")).unwrap();
        let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        for name in ["a/x.rs", "a/y.tmp"] {
            std::fs::write(from.path().join(name), name).unwrap();
            let file = std::fs::File::options().write(true).open(from.path().join(name)).unwrap();
            file.set_modified(then).unwrap();
        }
        let wanted = |path: &Path| path.extension().is_some_and(|extension| extension == "rs");
        copy_tree(from.path(), to.path(), &wanted).unwrap();
        let copy = std::fs::metadata(to.path().join("a/x.rs")).unwrap();
        assert_eq!(copy.modified().unwrap(), then);
        assert!(!to.path().join("a/y.tmp").exists());
    }

    #[test]
    fn the_network_is_all_interfaces_but_the_machine_s_own() {
        let text = "Inter-|   Receive\n face |bytes    packets\n    lo: 9000000 5 0\n  \
                    eth0: 2000000 7 0\n wlan0:1500000 3 0\n";
        assert_eq!(received(text), 3.5);
    }

    #[test]
    fn a_table_has_every_step_and_their_sum() {
        let took = |seconds, downloaded, disk| Took { seconds, downloaded, disk };
        let done = [
            ("one (about a minute)".to_owned(), took(40.0, Some(12.0), Some(0.25))),
            ("two".to_owned(), took(20.0, Some(0.0), Some(1.0))),
        ];
        let table = table_of(&done);
        let cells: Vec<Vec<&str>> =
            table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(table.lines().next(), Some("what set-up took"));
        assert_eq!(cells[2], ["one", "40", "s", "12", "MB", "0.2", "GB"]);
        assert_eq!(cells[4], ["sum", "60", "s", "12", "MB", "1.2", "GB"]);
        let unknown = table_of(&[("x".to_owned(), took(1.0, None, Some(0.0)))]);
        assert!(unknown.lines().last().unwrap().contains("unknown"));
        assert_eq!(said(&took(3.0, Some(0.1), None)), "3.0 s");
    }

    #[test]
    fn a_step_that_fails_says_what_it_was_doing_and_is_in_no_table() {
        let error = step::<()>("the work", || anyhow::bail!("no network")).unwrap_err();
        assert_eq!(error.downcast_ref::<Failed>().unwrap().0, "the work");
        assert_eq!(error.root_cause().to_string(), "no network");
        let done = DONE.lock().unwrap();
        assert!(done.iter().all(|(what, _)| what != "the work"));
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(0.44), "0.4 s");
        assert_eq!(duration(42.4), "42 s");
        assert_eq!([200.0, 119.7].map(duration), ["3 min 20 s", "2 min 0 s"]);
    }
}
