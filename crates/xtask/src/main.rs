//! `cargo xtask`: everything around tchalk, from an empty machine to a lesson.
//!
//! Each step of set-up is a module that knows whether its work is done. Heavy parts live in a cache
//! outside the checkout (see [`paths`]), keyed by versions, so that a second checkout does not pay
//! again. This crate stays small: it has to compile in seconds, before anything else is there.

mod active;
mod architecture;
mod bench;
mod build_script;
mod bundle;
mod checks;
mod cloud;
mod command;
mod contents;
mod dist;
mod doctor;
mod example;
mod exercise;
mod gather;
mod glue;
mod interpreter;
mod kernel;
mod lab;
mod licenses;
mod metadata;
mod nvidia;
mod offline;
mod past;
mod paths;
mod preflight;
mod python;
mod references;
mod rust_src;
mod setup;
mod site;
mod space;
mod step;
mod sums;
mod supplies;
mod template;
mod test_counts;
mod torch_build;
mod variables;

use anyhow::{Result, bail};
use paths::Paths;

const HELP: &str = "\
cargo xtask: set up, run and test tchalk

  tutorial          set up what is missing, run the tutorial from top to bottom, and say where
                    the finished page is (the first time 10 minutes more, for compiling)
  lab               set up what is missing, and open JupyterLab at the tutorial
                      --no-browser   do not open a browser
                      --port N       serve on this port
  setup             set up: Python parts, libtorch, the kernel (a second time takes a second)
                      --from BUNDLE  without any network, from what `bundle` has made
  doctor            look for everything that can be wrong, and say what to do about it
  run NOTEBOOK…     execute notebooks; writes the executed notebook and an HTML page under
                    target/notebooks, and fails if a cell fails
  test              formatting, lints, unit tests, doctests, kernel tests, all notebooks
  env               print the environment as shell exports: eval \"$(cargo xtask env)\"
  bench WHAT        time kernel, data, train or explain beside their rivals on this machine
  gallery           draw every figure from built-in data on one page
  site              all executed notebooks, the gallery and the documentation as pages, under
                    target/site (budget class, unless TCHALK_BUDGET says another)
  dist              make a release under target/dist: the checkout with all that takes long to
                    compile beside it, for machines with this system and this rustc
  bundle OUT        make a folder with which machines are set up that have no network: release,
                    crates, Python packages, data
                      --cuda           with the libtorch for NVIDIA GPUs, too (3 GB more)
                      --python NAME    packages for this Python, not this machine's; repeatable
  exercise          make notebooks/exercise.ipynb from its solution, which is the one to edit
  cloud             make the notebooks for Colab and Kaggle, cloud/*.ipynb, of the two in notebooks
  train-base [NOTE] train the built-in base anew on the CIFAR-10 in TCHALK_DATA_DIR; NOTE says what
                    its images are, if not CIFAR-10's own
  evidence WHAT     a longer run: cifar10, mnist, ants-bees or built-in-base
  architecture      whether the code is as ARCHITECTURE.md says, and how large it is
  references        compute the tests' reference values anew (installs PyTorch, Keras, scikit-learn)

Environment:
  TCHALK_DATA_DIR   a folder of downloaded data sets (mnist/, cifar10/, …)
  TCHALK_OFFLINE    1 keeps the library off the network
  TCHALK_BUDGET     class (each training about two minutes; the default without a GPU), full
                    (everything as written; the default with one), ci (seconds)
  TCHALK_HOME       where heavy parts are kept (default: tchalk in your cache folder)
  TCHALK_RESERVE    0 keeps no warm kernel (0.5 GB) in reserve for the next notebook
  TCHALK_LIBTORCH   cpu or cuda, instead of looking for an NVIDIA GPU; environment for the one of
                    the active Python environment (conda's is found by itself, if it fits)
";

const COMMANDS: [&str; 18] = [
    "tutorial",
    "lab",
    "setup",
    "doctor",
    "run",
    "test",
    "env",
    "bench",
    "gallery",
    "site",
    "dist",
    "bundle",
    "exercise",
    "cloud",
    "train-base",
    "evidence",
    "architecture",
    "references",
];

fn main() {
    variables::remove_harmful();
    let paths = Paths::find();
    forget_build_folders();
    forget_this_package();
    if let Ok(paths) = &paths {
        use_remembered_data(paths);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Err(error) = dispatch(&arguments, paths) {
        eprintln!("\nerror: {}", told(&error));
        std::process::exit(1);
    }
}

/// An error: what was being done, then each cause in a line of its own, and what to do.
fn told(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(|cause| cause.to_string()).collect();
    let mut text = causes.join("\n  because: ");
    if error.is::<step::Failed>() {
        text += "\nWhat was done before it is kept: the same command goes on from there.";
    }
    if let Some(remedy) = command::remedy(&text).filter(|remedy| !text.contains(remedy)) {
        text += &format!("\n{remedy}");
    }
    text
}

/// `cargo run` puts its build folders on the search path of shared libraries. A notebook's cells
/// would find this workspace's `libtchalk` there instead of their own.
fn forget_build_folders() {
    const VARIABLE: &str = "LD_LIBRARY_PATH";
    let (Some(list), Ok(program)) = (std::env::var_os(VARIABLE), std::env::current_exe()) else {
        return;
    };
    let program = program.canonicalize().unwrap_or(program);
    let target = program.parent().and_then(std::path::Path::parent).unwrap_or(&program);
    let built = |folder: &std::path::PathBuf| {
        folder.canonicalize().unwrap_or_else(|_| folder.clone()).starts_with(target)
    };
    let kept = std::env::split_paths(&list).filter(|folder| !built(folder));
    let kept = std::env::join_paths(kept).expect("each came from such a list");
    // SAFETY: no other thread exists yet that could read the environment.
    unsafe {
        match kept.is_empty() {
            true => std::env::remove_var(VARIABLE),
            false => std::env::set_var(VARIABLE, kept),
        }
    }
}

/// `cargo run` tells a program which package it is. Build scripts that look at these variables would be
/// run again by every cargo that is started another way: by a kernel, for example.
fn forget_this_package() {
    let of_package = |name: &str| {
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(of_package) {
            // SAFETY: as above, there is one thread.
            unsafe { std::env::remove_var(name) };
        }
    }
}

/// What a bundle has brought takes the place of `TCHALK_DATA_DIR`, unless that is set, be it to nothing.
fn use_remembered_data(paths: &Paths) {
    if std::env::var_os(paths::DATA_FOLDER).is_none()
        && let Some(data) = supplies::remembered_data(&paths.home)
    {
        // SAFETY: as above, there is one thread.
        unsafe { std::env::set_var(paths::DATA_FOLDER, data) };
    }
}

fn dispatch(arguments: &[String], paths: Result<Paths>) -> Result<()> {
    let (command, rest) = match arguments.split_first() {
        None => ("--help", &[][..]),
        Some((command, rest)) => (command.as_str(), rest),
    };
    if ["--help", "-h", "help"].contains(&command) || rest.iter().any(|a| a == "--help") {
        print!("{HELP}");
        return Ok(());
    }
    let paths = paths?;
    match command {
        "lab" => lab::open(&paths, &lab::Options::parse(rest)?),
        "run" if rest.is_empty() => {
            bail!("cargo xtask run needs a notebook: notebooks/tutorial.ipynb")
        }
        "run" => lab::run(&paths, rest),
        "bench" => bench::run(&paths, rest),
        "bundle" => bundle::make(&paths, &bundle::Options::parse(rest)?),
        "train-base" => example::train_base(&paths, rest),
        "evidence" => example::evidence(&paths, rest),
        "setup" if rest.first().is_some_and(|option| option == "--from") => match rest {
            [_, folder] => offline::set_up(&paths, folder),
            _ => bail!("cargo xtask setup --from needs the folder that `bundle` has made"),
        },
        _ if !COMMANDS.contains(&command) => {
            bail!("there is no command {command:?}{}", did_you_mean(command))
        }
        _ if !rest.is_empty() => bail!("cargo xtask {command} takes no arguments, got {rest:?}"),
        "tutorial" => lab::tutorial(&paths),
        "setup" => setup::run(&paths, setup::Register::WithUser).map(drop),
        "doctor" => doctor::run(&paths),
        "test" => checks::run(&paths),
        "env" => lab::print_env(&paths),
        "dist" => dist::make(&paths).map(drop),
        "gallery" => example::gallery(&paths),
        "site" => site::build(&paths),
        "exercise" => exercise::write(&paths),
        "cloud" => cloud::write(&paths),
        "architecture" => architecture::run(&paths),
        _ => references::run(&paths),
    }
}

/// The nearest command, for a typing mistake.
fn did_you_mean(word: &str) -> String {
    let nearest = COMMANDS.iter().min_by_key(|command| distance(word, command));
    match nearest {
        Some(command) if distance(word, command) <= 2 => format!(": did you mean {command:?}?"),
        _ => "; cargo xtask --help lists them".into(),
    }
}

/// How many letters have to be changed, added or left out to get from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_mistake_is_answered_with_the_nearest_command() {
        assert_eq!(did_you_mean("tutoral"), ": did you mean \"tutorial\"?");
        assert_eq!(did_you_mean("dcotor"), ": did you mean \"doctor\"?");
        assert!(did_you_mean("frobnicate").contains("--help"));
    }

    #[test]
    fn an_error_is_told_with_every_cause_and_what_to_do() {
        let failed = step::step::<()>("work", || {
            Err(anyhow::anyhow!("No space left on device").context("cannot write"))
        });
        let text = told(&failed.unwrap_err());
        for part in ["work", "cannot write", "No space left", "The disk is full", "goes on"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!told(&anyhow::anyhow!("no command")).contains("goes on"));
    }

    #[test]
    fn every_command_is_in_the_help() {
        for command in COMMANDS {
            assert!(HELP.contains(&format!("\n  {command} ")), "{command}");
        }
    }
}
