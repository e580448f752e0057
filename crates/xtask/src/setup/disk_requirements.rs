//! The disk space that set-up needs for the missing parts.

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
/// The kernel, if its dependencies are built already.
const KERNEL_ALONE: f64 = 0.5;
const TEMPLATE: f64 = 0.5;

fn environment_size(build: TorchBuild) -> f64 {
    match build {
        TorchBuild::Cpu => 2.5,
        TorchBuild::Cuda => 12.5,
    }
}

/// The space for all missing parts, in GB.
fn needed(paths: &Paths, provided: &Provided) -> Result<f64> {
    let environment = python_environment::environment(paths)?;
    let mut needed = 0.0;
    if environment.state() != EnvironmentState::Ready {
        needed += environment_size(environment.build);
    }
    if !kernel::binary(paths)?.is_file()
        && !provided.has_kernel(&kernel::sources_fingerprint(paths)?)
    {
        let built = kernel::target(paths).is_dir();
        needed += if built { KERNEL_ALONE } else { KERNEL };
    }
    if !template::target(paths).is_dir() {
        needed += TEMPLATE;
    }
    Ok(needed)
}

/// The message if there is less space than the missing parts need, or less than `at_least`: `0.4 GB free at …,
/// and about 6 GB are needed`.
pub fn shortage(paths: &Paths, provided: &Provided, at_least: f64) -> Result<Option<String>> {
    let needed = needed(paths, provided)?.max(at_least);
    Ok(free_gb(&paths.home).and_then(|free| shortage_message(free, needed, &paths.home)))
}

/// What to do about it.
pub const REMEDY: &str = "make room, or set TCHALK_HOME to a folder on a larger disk";

fn shortage_message(free: f64, needed: f64, home: &Path) -> Option<String> {
    let home = home.display();
    (free < needed)
        .then(|| format!("{free:.1} GB free at {home}, and about {needed:.0} GB are needed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_names_the_required_gigabytes() {
        let all = |build| environment_size(build) + KERNEL + TEMPLATE;
        assert_eq!((all(TorchBuild::Cpu), all(TorchBuild::Cuda)), (6.0, 16.0));
        let readme = include_str!("../../../../README.md");
        assert!(readme.contains("6 GB of disk (16 GB with an NVIDIA GPU)"));
    }

    #[test]
    fn only_missing_parts_are_counted() {
        let home = Path::new("/h");
        assert_eq!(shortage_message(0.1, 0.0, home), None, "nothing is missing");
        assert_eq!(shortage_message(2.6, 2.5, home), None, "only the environment is missing");
        let short = shortage_message(0.4, 6.0, home).unwrap();
        assert_eq!(short, "0.4 GB free at /h, and about 6 GB are needed");
    }
}
