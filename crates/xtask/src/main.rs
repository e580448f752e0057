//! `cargo xtask`: everything around tchalk, from an empty machine to a lesson.
//!
//! Each step of set-up is a module that knows whether its work is done. Heavy parts are in a cache outside the
//! checkout (see [`Paths`]), with a fingerprint of their versions in the name, so that a second checkout uses
//! them, too. This crate stays small: it is compiled in seconds, before anything else exists.
//!
//! `common` is used by all rooms; `setup`, `release`, `run` and `checks` each use those before.

mod checks;
mod commands;
mod common;
mod release;
mod run;
mod setup;

use common::paths::{self, Paths};
use common::step::FailedStep;
use common::{process, variables};
use setup::bundled_data;

fn main() {
    variables::remove_harmful();
    let paths = Paths::find();
    variables::remove_build_folders();
    variables::remove_package_variables();
    if let Ok(paths) = &paths {
        use_bundled_data(paths);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Err(error) = commands::run(&arguments, paths) {
        eprintln!("\nerror: {}", error_text(&error));
        std::process::exit(1);
    }
}

/// What failed, each cause in a line of its own, and what to do.
fn error_text(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(|cause| cause.to_string()).collect();
    let mut text = causes.join("\n  because: ");
    if error.is::<FailedStep>() {
        text += "\nFinished steps are kept: the same command continues from there.";
    }
    if let Some(remedy) = process::remedy(&text).filter(|remedy| !text.contains(remedy)) {
        text += &format!("\n{remedy}");
    }
    text
}

/// The data that a bundle has brought replace `TCHALK_DATA_DIR`, unless that is set, even to nothing.
fn use_bundled_data(paths: &Paths) {
    if std::env::var_os(paths::DATA_FOLDER).is_none()
        && let Some(data) = bundled_data::find(&paths.home)
    {
        // SAFETY: there is only one thread yet.
        unsafe { std::env::set_var(paths::DATA_FOLDER, data) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_s_text_has_every_cause_and_what_to_do() {
        let failed = common::step::step::<()>("work", || {
            Err(anyhow::anyhow!("No space left on device").context("cannot write"))
        });
        let text = error_text(&failed.unwrap_err());
        for part in ["work", "cannot write", "No space left", "The disk is full", "continues"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!error_text(&anyhow::anyhow!("no command")).contains("continues"));
    }
}
