//! The memory that compiling needs.

use super::finding::Finding::{self, Bad, Good, Note};
use super::missing::MissingParts;
use std::path::Path;

/// For compiling the glue's two C++ files in parallel, in GB (measured: 1.6 and 1.5).
const GLUE: f64 = 3.0;
/// For compiling the kernel (measured: 1.9 with two CPUs).
const KERNEL: f64 = 2.0;
/// For a notebook that trains a small network.
const TO_RUN: f64 = 1.0;

/// Whether there is enough for the missing parts.
pub fn finding(missing: &MissingParts) -> Finding {
    let system = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text));
    let limit = left_of_limit(Path::new("/sys/fs/cgroup"));
    judge(system.into_iter().chain(limit).reduce(f64::min), missing)
}

fn judge(free: Option<f64>, missing: &MissingParts) -> Finding {
    let remedy = "close other programs, or give the container or the virtual machine more memory";
    let to_compile = match missing {
        MissingParts { glue: true, .. } => GLUE,
        MissingParts { kernel: true, .. } => KERNEL,
        _ => 0.0,
    };
    match free {
        None => Note("unknown".into()),
        Some(free) if free < to_compile => Bad(
            format!("{free:.1} GB free, and compiling takes about {to_compile:.0} GB"),
            remedy.into(),
        ),
        Some(free) if free < TO_RUN => {
            Note(format!("{free:.1} GB free: enough for small networks only; {remedy}"))
        }
        Some(free) => Good(format!("{free:.1} GB free")),
    }
}

/// The available memory and the free swap space, in GB.
fn available(meminfo: &str) -> Option<f64> {
    let kilobytes = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()
    };
    Some((kilobytes("MemAvailable:")? + kilobytes("SwapFree:").unwrap_or(0.0)) * 1024.0 / 1e9)
}

/// The memory that a container's limit leaves, in GB, if there is a limit.
fn left_of_limit(groups: &Path) -> Option<f64> {
    let bytes =
        |name: &str| std::fs::read_to_string(groups.join(name)).ok()?.trim().parse::<f64>().ok();
    let left = |limit: &str, used: &str| Some((bytes(limit)? - bytes(used)?) / 1e9);
    left("memory.max", "memory.current")
        .or_else(|| left("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_memory_is_a_fault_only_if_something_has_to_be_compiled() {
        let missing = |glue, kernel| MissingParts { environment: false, glue, kernel };
        assert!(matches!(judge(Some(2.5), &missing(true, true)), Bad(..)));
        assert!(matches!(judge(Some(2.5), &missing(false, true)), Good(_)));
        assert!(matches!(judge(Some(1.5), &missing(false, true)), Bad(..)));
        assert!(matches!(judge(Some(1.5), &missing(false, false)), Good(_)));
        assert!(matches!(judge(Some(0.5), &missing(false, false)), Note(_)));
        assert!(matches!(judge(None, &missing(true, true)), Note(_)));
    }

    #[test]
    fn the_system_and_a_container_s_limit_are_read() {
        let text = "MemTotal:  4000000 kB\nMemAvailable:  1000000 kB\nSwapFree:  500000 kB\n";
        assert_eq!(available(text), Some(1.536));
        let groups = tempfile::tempdir().unwrap();
        assert_eq!(left_of_limit(groups.path()), None);
        std::fs::write(groups.path().join("memory.current"), "500000000\n").unwrap();
        std::fs::write(groups.path().join("memory.max"), "max\n").unwrap();
        assert_eq!(left_of_limit(groups.path()), None, "no limit");
        std::fs::write(groups.path().join("memory.max"), "2000000000\n").unwrap();
        assert_eq!(left_of_limit(groups.path()), Some(1.5));
    }
}
