//! The list of commands: name, arguments, help and function of each.

use crate::checks::{self, architecture, cloud, exercise};
use crate::common::paths::Paths;
use crate::release::{bundle, dist, setup_from_bundle};
use crate::run::{bench, environment, examples, lab, notebooks, references, site};
use crate::setup::{self, Register, doctor};
use anyhow::{Context, Result, bail};
use lexopt::{Arg, Parser, ValueExt};

struct Command {
    name: &'static str,
    /// What follows the name, for the help.
    arguments: &'static str,
    help: &'static str,
    run: fn(&Paths, Parser) -> Result<()>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "tutorial",
        arguments: "",
        help: "set up what is missing, run the tutorial from top to bottom, and print where\n\
               its page is (the first time takes 10 minutes more, for compiling)",
        run: |paths, arguments| without(arguments).and_then(|()| notebooks::tutorial(paths)),
    },
    Command {
        name: "lab",
        arguments: "",
        help: "set up what is missing, and open JupyterLab at the tutorial\n\
               \x20 --no-browser   do not open a browser\n\
               \x20 --port N       serve on this port",
        run: |paths, arguments| lab::open(paths, &lab::Options::parse(arguments)?),
    },
    Command {
        name: "setup",
        arguments: "",
        help: "set up: Python packages, libtorch, the kernel (a second time takes a second)\n\
               \x20 --from BUNDLE  without a network, from the folder that `bundle` has made",
        run: set_up,
    },
    Command {
        name: "doctor",
        arguments: "",
        help: "look for everything that can be wrong, and print what to do about it",
        run: |paths, arguments| without(arguments).and_then(|()| doctor::run(paths)),
    },
    Command {
        name: "run",
        arguments: "NOTEBOOK…",
        help: "execute notebooks; writes the executed notebook and an HTML page under\n\
               target/notebooks, and fails if a cell fails",
        run: |paths, arguments| notebooks::run(paths, &values(arguments)?),
    },
    Command {
        name: "test",
        arguments: "",
        help: "formatting, lints, unit tests, doctests, kernel tests, all notebooks",
        run: |paths, arguments| without(arguments).and_then(|()| checks::run(paths)),
    },
    Command {
        name: "env",
        arguments: "",
        help: "print the environment as shell exports: eval \"$(cargo xtask env)\"",
        run: |paths, arguments| without(arguments).and_then(|()| environment::print(paths)),
    },
    Command {
        name: "bench",
        arguments: "WHAT",
        help: "time kernel, data, train or explain beside others on this machine",
        run: |paths, arguments| bench::run(paths, &values(arguments)?),
    },
    Command {
        name: "gallery",
        arguments: "",
        help: "draw every figure from built-in data on one page",
        run: |paths, arguments| without(arguments).and_then(|()| examples::gallery(paths)),
    },
    Command {
        name: "site",
        arguments: "",
        help: "all executed notebooks, the gallery and the documentation as pages under\n\
               target/site (with budget class, unless TCHALK_BUDGET is set)",
        run: |paths, arguments| without(arguments).and_then(|()| site::build(paths)),
    },
    Command {
        name: "dist",
        arguments: "",
        help: "make a release under target/dist: the checkout with the parts that take long to\n\
               compile, for machines with this system and this rustc",
        run: |paths, arguments| without(arguments).and_then(|()| dist::make(paths).map(drop)),
    },
    Command {
        name: "bundle",
        arguments: "OUT",
        help: "make a folder for setting up machines without a network: release, crates,\n\
               Python packages, data\n\
               \x20 --cuda         also with the libtorch for NVIDIA GPUs (3 GB more)\n\
               \x20 --python NAME  packages for this Python instead of this machine's; repeatable",
        run: |paths, arguments| bundle::make(paths, &bundle::Options::parse(arguments)?),
    },
    Command {
        name: "exercise",
        arguments: "",
        help: "write notebooks/exercise.ipynb from its solution, which is the one to edit",
        run: |paths, arguments| without(arguments).and_then(|()| exercise::write(paths)),
    },
    Command {
        name: "cloud",
        arguments: "",
        help: "write the notebooks for Colab and Kaggle, cloud/*.ipynb, from those in notebooks",
        run: |paths, arguments| without(arguments).and_then(|()| cloud::write(paths)),
    },
    Command {
        name: "train-base",
        arguments: "[NOTE]",
        help: "train the built-in base on the CIFAR-10 in TCHALK_DATA_DIR; NOTE describes the\n\
               images if they are not CIFAR-10's own",
        run: |paths, arguments| examples::train_base(paths, &values(arguments)?),
    },
    Command {
        name: "evidence",
        arguments: "WHAT",
        help: "a longer run: cifar10, mnist, ants-bees or built-in-base",
        run: |paths, arguments| examples::evidence(paths, &values(arguments)?),
    },
    Command {
        name: "architecture",
        arguments: "",
        help: "check the code against ARCHITECTURE.md, and print how large it is",
        run: |paths, arguments| without(arguments).and_then(|()| architecture::run(paths)),
    },
    Command {
        name: "references",
        arguments: "",
        help: "compute the tests' reference values (installs PyTorch, Keras, scikit-learn)",
        run: |paths, arguments| without(arguments).and_then(|()| references::run(paths)),
    },
];

const VARIABLES: &str = "
Environment:
  TCHALK_DATA_DIR   a folder of downloaded data sets (mnist/, cifar10/, …)
  TCHALK_OFFLINE    1 keeps the library off the network
  TCHALK_BUDGET     class (about two minutes for each training; the default without a GPU),
                    full (everything as written; the default with a GPU), ci (seconds)
  TCHALK_HOME       the cache for heavy parts (default: tchalk in your cache folder)
  TCHALK_PREWARM    0 starts no kernel in advance for the next notebook (it takes 0.5 GB)
  TCHALK_LIBTORCH   cpu or cuda, instead of looking for an NVIDIA GPU; environment for the libtorch
                    of the active Python environment (conda's is used without it, if it fits)
";

/// Runs the command that the arguments name.
pub fn run(arguments: &[String], paths: Result<Paths>) -> Result<()> {
    let is_help = |argument: &String| ["--help", "-h"].contains(&argument.as_str());
    let (name, rest) = match arguments.split_first() {
        Some((name, rest)) if name != "help" && !arguments.iter().any(is_help) => (name, rest),
        _ => {
            print!("{}", help());
            return Ok(());
        }
    };
    match COMMANDS.iter().find(|command| command.name == name) {
        Some(command) => (command.run)(&paths?, Parser::from_args(rest))
            .with_context(|| format!("cargo xtask {name}")),
        None => bail!("there is no command {name:?}{}", suggestion(name)),
    }
}

fn help() -> String {
    let mut text = String::from("cargo xtask: set up, run and test tchalk\n\n");
    for Command { name, arguments, help, .. } in COMMANDS {
        let usage = format!("{name} {arguments}");
        text += &format!("  {usage:<18}{}\n", help.replace('\n', &format!("\n{:20}", "")));
    }
    text + VARIABLES
}

fn set_up(paths: &Paths, mut arguments: Parser) -> Result<()> {
    let mut bundle = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("from") => bundle = Some(arguments.value()?),
            other => return Err(other.unexpected().into()),
        }
    }
    match bundle {
        Some(folder) => setup_from_bundle::run(paths, folder.as_ref()),
        None => setup::run(paths, Register::WithUser).map(drop),
    }
}

/// An error if there are any arguments.
fn without(mut arguments: Parser) -> Result<()> {
    match arguments.next()? {
        Some(argument) => Err(argument.unexpected().into()),
        None => Ok(()),
    }
}

/// The arguments, none of which may be an option.
fn values(mut arguments: Parser) -> Result<Vec<String>> {
    let mut values = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Value(value) => values.push(value.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(values)
}

/// The nearest command, for a typing mistake.
fn suggestion(word: &str) -> String {
    let distances = COMMANDS.iter().map(|command| (edit_distance(word, command.name), command));
    match distances.min_by_key(|(distance, _)| *distance) {
        Some((distance, command)) if distance <= 2 => format!(": did you mean {:?}?", command.name),
        _ => "; cargo xtask --help lists them".into(),
    }
}

/// How many letters have to be changed, inserted or deleted to turn one word into the other.
fn edit_distance(a: &str, b: &str) -> usize {
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
    fn a_typing_mistake_gets_a_suggestion() {
        assert_eq!(suggestion("tutoral"), ": did you mean \"tutorial\"?");
        assert_eq!(suggestion("dcotor"), ": did you mean \"doctor\"?");
        assert!(suggestion("frobnicate").contains("--help"));
    }

    #[test]
    fn what_a_command_does_not_know_is_an_error() {
        let parser = |words: &[&str]| Parser::from_args(words);
        assert!(without(parser(&[])).is_ok());
        assert!(without(parser(&["now"])).is_err() && without(parser(&["--now"])).is_err());
        assert_eq!(values(parser(&["a", "b"])).unwrap(), ["a", "b"]);
        assert!(values(parser(&["a", "--now"])).is_err());
        let run = |words: &[&str]| {
            run(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>(), Paths::find())
        };
        assert!(run(&["setup", "--from"]).is_err() && run(&["setup", "bundle"]).is_err());
        assert!(run(&["tutoral"]).is_err());
    }

    #[test]
    fn the_help_is_no_wider_than_a_terminal() {
        assert!(help().lines().all(|line| line.chars().count() <= 100));
    }
}
