//! What the client's refusals mean, and what to do.

use super::client::PROGRAM;
use super::credentials::Credentials;
use super::output::{Ended, Output};
use super::surroundings::Surroundings;
use super::{COMPETITION, RESULTS_PAGE, RULES_PAGE, SETTINGS_PAGE};
use crate::error::Error;
use crate::text::duration;

/// So many of the client's last lines are shown.
const LINES: usize = 6;

/// What the client's own words hold, in small letters, where nothing answers.
const UNREACHABLE: &[&str] = &[
    "failed to resolve",
    "name or service not known",
    "name resolution",
    "newconnectionerror",
    "connection refused",
    "network is unreachable",
    "max retries exceeded",
    "connectionerror",
    "connecttimeout",
];
/// The same where the key is not taken.
const UNKNOWN_READER: &[&str] = &[
    "unauthorized",
    "authentication required",
    "invalid credentials",
    // A client before 1.8, which knows no tokens, says this where there is nothing else.
    "could not find kaggle.json",
];
/// The same where the rules are not accepted.
const NO_ACCESS: &[&str] = &[
    "forbidden",
    "don't have access",
    "accept its rules",
    "accept this competition's rules",
    "accept the competition",
    "permission 'competitions.participate' was denied",
];

/// How old and new clients write a code that Kaggle's server answered with.
pub(super) fn code(number: u16) -> [&'static str; 2] {
    match number {
        400 => ["400 client error", "400 - "],
        401 => ["401 client error", "401 - "],
        403 => ["403 client error", "403 - "],
        404 => ["404 client error", "404 - "],
        _ => ["429 client error", "429 - "],
    }
}

/// The error for a client that did not do what it was asked: what happened, and the way out.
pub(super) fn failure(what: &str, output: &Output) -> Error {
    let (problem, hint) = told(output);
    Error::download(what, problem, hint)
}

/// Why the client cannot be asked, as an error.
pub(super) fn unusable(what: &str, why: &str, surroundings: &Surroundings) -> Error {
    let hint = if surroundings.forbidden().is_some() {
        "Without the network, put train.csv, test.csv and sample_submission.csv into \
         digit-recognizer/ of the folder that TCHALK_DATA_DIR names."
            .into()
    } else if !Credentials::look(surroundings).found() {
        super::credentials::steps()
    } else {
        format!(
            "In a terminal: pip install kaggle. Where it is installed already, let {PROGRAM} name \
             the program, or put its folder on the PATH."
        )
    };
    Error::download(what, why, hint)
}

/// The problem in a few words, and what to do about it.
fn told(output: &Output) -> (String, String) {
    let text = output.text().to_lowercase();
    let has = |needles: &[&str]| needles.iter().any(|needle| text.contains(needle));
    let (problem, hint) = if let Ended::Silent(patience) = output.ended {
        let problem = format!(
            "Kaggle's client was silent for {} and was ended",
            duration(patience.as_secs_f64())
        );
        (problem, "Is the network slow or cut off? Try again later.".to_owned())
    } else if has(UNREACHABLE) {
        let hint = "Connect to the network, or set HTTPS_PROXY where the way out is a proxy. \
                    Everything else in the notebook works without.";
        ("Kaggle cannot be reached".into(), hint.into())
    } else if has(UNKNOWN_READER) || has(&code(401)) {
        let hint = format!(
            "The key is wrong or has been replaced: make a new token at {SETTINGS_PAGE} and put it \
             where the old one was. (A token needs a client of version 1.8 or newer, and that needs \
             Python 3.11: pip install --upgrade kaggle.)"
        );
        ("Kaggle does not accept the credentials (401)".into(), hint)
    } else if has(&["submission limit", "daily limit", "maximum number of submissions"]) {
        let hint = format!("Yours so far: {RESULTS_PAGE}. The day begins at midnight UTC.");
        ("today's submissions are used up".into(), hint)
    } else if has(NO_ACCESS) || has(&code(403)) {
        let hint = format!(
            "Open {RULES_PAGE} while you are logged in, and press \"I Understand and Accept\" (or \
             Join Competition). New accounts must also confirm their telephone number in their \
             settings."
        );
        ("Kaggle refuses (403): the competition's rules are not accepted yet".into(), hint)
    } else if has(&["too many requests", "rate limit"]) || has(&code(429)) {
        ("Kaggle is asked too often (429)".into(), "Wait a few minutes.".into())
    } else if has(&["problem on kaggle's side"]) {
        ("something is wrong at Kaggle".into(), "Try again later; the file is kept.".into())
    } else if has(&["not found"]) || has(&code(404)) {
        let problem = format!("Kaggle does not find the competition {COMPETITION} (404)");
        (problem, "An old client may ask at an old address: pip install --upgrade kaggle".into())
    } else if has(&["could not submit"]) {
        ("the file did not arrive at Kaggle".into(), "Try again; the file is kept.".into())
    } else {
        let status = match output.ended {
            Ended::With(status) if !status.success() => {
                format!("Kaggle's client failed ({status})")
            }
            _ => "Kaggle's client did not do it".into(),
        };
        (status, "Its own words are below.".into())
    };
    match last_lines(&output.text()) {
        lines if lines.is_empty() => (problem, hint),
        lines => (problem, format!("{hint}\nThe client's own words:\n{lines}")),
    }
}

/// The end of what it printed.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let lines = &lines[lines.len().saturating_sub(LINES)..];
    let lines =
        lines.iter().map(|line| format!("  {}", line.chars().take(200).collect::<String>()));
    lines.collect::<Vec<_>>().join("\n")
}
