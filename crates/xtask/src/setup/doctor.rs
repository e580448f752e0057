//! `cargo xtask doctor`: a line for everything that can be wrong, with what to do about it.

use super::glue;
use super::kernel;
use super::nvidia;
use super::old_caches::{self, CheckoutState};
use super::preflight::{self, Finding, MissingParts, count_faults, format_line, to_fix};
use super::provided::Provided;
use super::python_environment::{self, EnvironmentState};
use super::rust_src;
use super::template;
use super::torch_build;
use super::torch_build::TORCH;
use super::vendored_crates;
use crate::common::lock::is_locked;
use crate::common::paths::Paths;
use crate::common::process::first_line;
use crate::common::variables;
use Finding::{Bad, Good, Note};
use anyhow::{Result, bail};
use std::path::PathBuf;

/// Checks everything and changes nothing.
pub fn run(paths: &Paths) -> Result<()> {
    // First the conditions for set-up, then its results.
    let provided = Provided::of(paths)?;
    let missing = MissingParts::of(paths, &provided);
    let mut lines = preflight::check(paths, &provided, &missing, variables::user_variables());
    lines.extend([
        ("standard library sources", sources(paths)),
        ("checkout", checkout(paths)),
        ("cache", cache(paths)),
        ("libtorch", libtorch(paths)),
        ("GPU", gpu(paths)),
        ("glue", glue_found(paths)),
        ("kernel", kernel_found(paths)),
        ("template", template_found(paths)),
    ]);
    for line in &lines {
        println!("{}", format_line(line));
    }
    match count_faults(&lines) {
        0 => println!("\nEverything is ready: cargo xtask lab"),
        faults => bail!("{} before notebooks can run", to_fix(faults)),
    }
    Ok(())
}

const SETUP: &str = "cargo xtask setup";

fn sources(paths: &Paths) -> Finding {
    match rust_src::find(paths) {
        Ok(Some(library)) => Good(library.display().to_string()),
        _ => Bad("not found".into(), format!("{SETUP}, or `rustup component add rust-src`")),
    }
}

fn libtorch(paths: &Paths) -> Finding {
    let setup = || SETUP.to_owned();
    let environment = match python_environment::environment(paths) {
        Ok(environment) => environment,
        Err(error) => return Bad(format!("{:#}", error.root_cause()), error.to_string()),
    };
    let own = || {
        python_environment::why_conda_is_unused().map_or(String::new(), |why| format!("; {why}"))
    };
    let folder = environment.folder.display();
    match environment.state() {
        EnvironmentState::Ready => match &environment.active {
            Some(active) => {
                Good(format!("{} of the active environment {folder}", active.version()))
            }
            None => Good(format!(
                "{TORCH} for {}, {}{}",
                environment.build.name(),
                environment.torch().map(|torch| torch.display().to_string()).unwrap_or_default(),
                own()
            )),
        },
        EnvironmentState::Missing if configured_glue(paths).is_some() => {
            Bad(format!("{folder} is gone, or this Python is another than before"), setup())
        }
        EnvironmentState::Missing => Bad(format!("not installed{}", own()), setup()),
        EnvironmentState::Interrupted if is_locked(&paths.home) => {
            Note("is being installed".into())
        }
        EnvironmentState::Interrupted => {
            Bad(format!("its set-up was broken off in {folder}"), setup())
        }
        EnvironmentState::MovedFrom(before) => {
            Bad(format!("{folder} was moved here from {}", before.display()), setup())
        }
        EnvironmentState::WithoutPython => {
            Bad(format!("the Python that {folder} was made with is gone"), setup())
        }
        EnvironmentState::OtherTorch(found) => {
            Bad(format!("{found} is in {folder}, but tch 0.24 needs {TORCH}"), setup())
        }
    }
}

fn gpu(paths: &Paths) -> Finding {
    let name =
        first_line("nvidia-smi", &["--query-gpu=name,driver_version", "--format=csv,noheader"]);
    let cuda =
        python_environment::environment(paths).is_ok_and(|environment| environment.has_cuda());
    let own = python_environment::environment(paths)
        .is_ok_and(|environment| environment.active.is_none());
    match (name.filter(|name| !name.is_empty()), cuda) {
        (Some(name), true) if own && nvidia::is_too_old(driver_of(&name)) => Bad(
            format!("{name} (name, driver): CUDA 13 needs a driver from {} on", nvidia::OLDEST),
            "unset TCHALK_LIBTORCH, update the driver, or see \"An older driver\" in docs/gpu.md"
                .into(),
        ),
        (Some(name), true) => Good(format!("{name} (name, driver)")),
        (Some(name), false) => {
            let why = torch_build::choose(&paths.home).ok().and_then(|choice| choice.why_not_cuda);
            let why = why
                .filter(|_| own)
                .unwrap_or_else(|| "libtorch was chosen without CUDA (TCHALK_LIBTORCH)".into());
            Note(format!("{name} is there, but {why}"))
        }
        (None, _) if nvidia::driver().is_some() => Bad(
            "there is an NVIDIA driver, but nvidia-smi does not answer".into(),
            "restart the machine after a driver update, or reinstall the driver".into(),
        ),
        (None, _) => Note("no NVIDIA GPU: everything runs on the CPU".into()),
    }
}

/// `550.54.15` of `Tesla T4, 550.54.15`.
fn driver_of(answer: &str) -> &str {
    answer.rsplit(", ").next().unwrap_or_default()
}

/// The glue in the checkout's cargo configuration.
fn configured_glue(paths: &Paths) -> Option<PathBuf> {
    let text = std::fs::read_to_string(paths.root.join(".cargo/libtorch.toml")).ok()?;
    let (_, rest) = text.split_once("native=")?;
    Some(PathBuf::from(rest.split_once('"')?.0))
}

fn glue_found(paths: &Paths) -> Finding {
    match configured_glue(paths) {
        Some(folder) if folder.join(glue::library_name()).is_file() => {
            Good(folder.display().to_string())
        }
        Some(folder) => Bad(format!("{} is gone", folder.display()), SETUP.into()),
        None => Bad("not built for this checkout".into(), SETUP.into()),
    }
}

fn kernel_found(paths: &Paths) -> Finding {
    let file = paths.jupyter().join("kernels/tchalk/kernel.json");
    let binary = std::fs::read_to_string(&file)
        .ok()
        .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
        .and_then(|json| json["argv"][0].as_str().map(PathBuf::from));
    let Some(binary) = binary else {
        return Bad("not built for this checkout".into(), SETUP.into());
    };
    if !binary.is_file() {
        return Bad(format!("{} is gone", binary.display()), SETUP.into());
    }
    if !kernel::starts(&binary) {
        return Bad(format!("{} does not start", binary.display()), SETUP.into());
    }
    if kernel::binary(paths).ok().as_deref() != Some(&binary) {
        return Bad("built from older sources, or for another rustc".into(), SETUP.into());
    }
    Good(format!("tchalk, for {}", paths.root.display()))
}

fn template_found(paths: &Paths) -> Finding {
    let is_current = configured_glue(paths).is_some_and(|glue| {
        let kernel = kernel::binary(paths);
        kernel.is_ok_and(|kernel| template::is_current(paths, &kernel, &glue).unwrap_or(false))
    });
    match is_current {
        true => Good("up to date".into()),
        false if template::target(paths).is_dir() => {
            Bad("built before the library, the kernel or rustc changed".into(), SETUP.into())
        }
        false => Bad("not built yet".into(), SETUP.into()),
    }
}

fn checkout(paths: &Paths) -> Finding {
    let root = paths.root.display();
    match CheckoutState::of(paths) {
        CheckoutState::SetUp => Good(root.to_string()),
        CheckoutState::New => Bad(format!("{root} has not been set up yet"), SETUP.into()),
        CheckoutState::MovedFrom(before) => {
            Bad(format!("it was moved here from {}", before.display()), SETUP.into())
        }
        CheckoutState::CacheGone => Bad(
            format!(
                "it was set up, but not with the cache at {}, or that was emptied",
                paths.home.display()
            ),
            SETUP.into(),
        ),
    }
}

/// The results of earlier set-ups.
fn cache(paths: &Paths) -> Finding {
    let names = |parts: &[PathBuf]| {
        let names = parts.iter().map(|part| part.file_name().unwrap_or_default().to_string_lossy());
        names.collect::<Vec<_>>().join(", ")
    };
    if is_locked(&paths.home) {
        return Note(format!("a set-up is at work in {}", paths.home.display()));
    }
    let partial = old_caches::partial(paths);
    if !partial.is_empty() {
        return Bad(format!("a set-up was broken off: {}", names(&partial)), SETUP.into());
    }
    let mut used: Vec<PathBuf> = configured_glue(paths).into_iter().collect();
    used.extend(python_environment::environment(paths).map(|environment| environment.folder));
    used.extend(kernel::binary(paths).ok().and_then(|file| Some(file.parent()?.to_owned())));
    used.extend(
        rust_src::find(paths).ok().flatten().and_then(|file| Some(file.parent()?.to_owned())),
    );
    used.extend(vendored_crates::crates_in_use(paths));
    let unused = old_caches::unused(paths, &used);
    match unused.is_empty() {
        true => Good(paths.home.display().to_string()),
        false => Note(format!(
            "{} also holds, of older versions or for other checkouts: {}; what nobody uses can be deleted",
            paths.home.display(),
            names(&unused)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_is_read_from_nvidia_smi() {
        assert_eq!(driver_of("Tesla T4, 550.54.15"), "550.54.15");
        assert!(!nvidia::is_too_old(driver_of("NVIDIA H100 80GB HBM3, 580.95.05")));
        assert!(!nvidia::is_too_old(driver_of("Failed to initialize NVML")));
    }

    /// The code of these files without tests, which has all messages.
    fn messages() -> String {
        let sources = [
            include_str!("doctor.rs"),
            include_str!("torch_build.rs"),
            include_str!("glue.rs"),
            include_str!("interpreter.rs"),
            include_str!("preflight/cargo.rs"),
            include_str!("preflight/folders.rs"),
            include_str!("preflight/memory.rs"),
            include_str!("preflight/others.rs"),
            include_str!("preflight/pip.rs"),
            include_str!("preflight/tools.rs"),
            include_str!("python_environment.rs"),
            include_str!("disk_requirements.rs"),
        ];
        let printed = sources.map(|text| text.split("#[cfg(test)]").next().unwrap_or_default());
        // A message may continue in the next line.
        let lines = printed.iter().flat_map(|text| text.lines());
        let text: String = lines.map(|line| line.trim().trim_end_matches('\\')).collect();
        text.replace("{DATA_FOLDER}", crate::common::paths::DATA_FOLDER)
    }

    #[test]
    fn the_readme_quotes_doctor_s_messages() {
        let readme = include_str!("../../../../README.md");
        let (_, rest) = readme.split_once("## When something goes wrong").unwrap();
        let table = rest.split_once("In a notebook:").unwrap().0;
        let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
        let messages = messages();
        let mut count = 0;
        for row in rows {
            let quoted = row.split('|').nth(1).unwrap();
            for phrase in quoted.split('*').skip(1).step_by(2).flat_map(|it| it.split('…')) {
                let phrase = phrase.trim().trim_end_matches(',');
                assert!(messages.contains(phrase), "no message contains {phrase:?}");
                count += 1;
            }
        }
        assert!(count > 15, "{count} phrases");
    }
}
