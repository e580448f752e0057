//! The room on the disk that set-up needs for what is missing.

use super::kernel;
use super::provided::Provided;
use super::python_environment::{self, EnvironmentState};
use super::template;
use super::torch_build::TorchBuild;
use crate::common::files::free_gb;
use crate::common::paths::Paths;
use anyhow::Result;
use std::path::Path;

/// What a part takes while it is made, in GB.
const KERNEL: f64 = 3.0;
/// The kernel once more, where its dependencies are built already.
const KERNEL_ALONE: f64 = 0.5;
const TEMPLATE: f64 = 0.5;

fn of_environment(build: TorchBuild) -> f64 {
    match build {
        TorchBuild::Cpu => 2.5,
        TorchBuild::Cuda => 12.5,
    }
}

/// What set-up would have to make now, in GB.
fn needed(paths: &Paths, provided: &Provided) -> Result<f64> {
    let environment = python_environment::environment(paths)?;
    let mut needed = 0.0;
    if environment.state() != EnvironmentState::Ready {
        needed += of_environment(environment.build);
    }
    if !kernel::binary(paths)?.is_file() && !provided.has_kernel(&kernel::sources_key(paths)?) {
        let built = kernel::target(paths).is_dir();
        needed += if built { KERNEL_ALONE } else { KERNEL };
    }
    if !template::target(paths).is_dir() {
        needed += TEMPLATE;
    }
    Ok(needed)
}

/// What is wrong with the room that there is: `0.4 GB free at …, and about 6 GB are needed`. `None` if it
/// is enough for what is missing, and `at_least` as much.
pub fn shortage(paths: &Paths, provided: &Provided, at_least: f64) -> Result<Option<String>> {
    let needed = needed(paths, provided)?.max(at_least);
    Ok(free_gb(&paths.home).and_then(|free| says(free, needed, &paths.home)))
}

/// What to do about it.
pub const REMEDY: &str = "make room, or set TCHALK_HOME to a folder on a larger disk";

fn says(free: f64, needed: f64, home: &Path) -> Option<String> {
    let home = home.display();
    (free < needed)
        .then(|| format!("{free:.1} GB free at {home}, and about {needed:.0} GB are needed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_readme_says_of_the_disk_is_what_is_asked_for() {
        let all = |build| of_environment(build) + KERNEL + TEMPLATE;
        assert_eq!((all(TorchBuild::Cpu), all(TorchBuild::Cuda)), (6.0, 16.0));
        let readme = include_str!("../../../../README.md");
        assert!(readme.contains("6 GB of disk (16 GB with an NVIDIA GPU)"));
    }

    #[test]
    fn only_what_is_missing_needs_room() {
        let home = Path::new("/h");
        assert_eq!(says(0.1, 0.0, home), None, "all is there");
        assert_eq!(says(2.6, 2.5, home), None, "only the environment is gone");
        let short = says(0.4, 6.0, home).unwrap();
        assert_eq!(short, "0.4 GB free at /h, and about 6 GB are needed");
    }
}
