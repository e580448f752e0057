//! What the client's refusals mean, and what to do.

use super::client::{PROGRAM, Unusable};
use super::competition::{RESULTS_PAGE, RULES_PAGE, SETTINGS_PAGE};
use super::credentials::steps;
use super::subprocess::{Exit, Output};
use crate::error::Error;
use crate::text::duration;

/// The number of the client's last lines that are shown.
const LINES: usize = 6;

/// Why Kaggle or its client refuses.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cause {
    Unreachable,
    Credentials,
    DailyLimit,
    Rules,
    TooManyRequests,
    KaggleFailed,
    NotFound,
    NotSubmitted,
}

impl Cause {
    /// What happened.
    fn problem(self) -> &'static str {
        match self {
            Cause::Unreachable => "Kaggle cannot be reached",
            Cause::Credentials => "Kaggle does not accept the credentials (401)",
            Cause::DailyLimit => "today's submissions are used up",
            Cause::Rules => "Kaggle refuses (403): the competition's rules are not accepted yet",
            Cause::TooManyRequests => "Kaggle is asked too often (429)",
            Cause::KaggleFailed => "something is wrong at Kaggle",
            Cause::NotFound => "Kaggle does not find the competition digit-recognizer (404)",
            Cause::NotSubmitted => "the file did not arrive at Kaggle",
        }
    }

    /// What to do.
    fn hint(self) -> String {
        match self {
            Cause::Unreachable => {
                "Connect to the network, or set HTTPS_PROXY where the way out is a \
                                   proxy. Everything else in the notebook works without."
                    .into()
            }
            Cause::Credentials => format!(
                "The key is wrong or has been replaced: make a new token at {SETTINGS_PAGE} and put it \
                 where the old one was. (A token needs a client of version 1.8 or newer, and that needs \
                 Python 3.11: pip install --upgrade kaggle.)"
            ),
            Cause::DailyLimit => {
                format!("Yours until now: {RESULTS_PAGE}. The day begins at midnight UTC.")
            }
            Cause::Rules => format!(
                "Open {RULES_PAGE} while you are logged in, and press \"I Understand and Accept\" (or \
                 Join Competition). New accounts must also confirm their telephone number in their \
                 settings."
            ),
            Cause::TooManyRequests => "Wait a few minutes.".into(),
            Cause::KaggleFailed => "Try again later; the file is kept.".into(),
            Cause::NotFound => {
                "An old client may ask at an old address: pip install --upgrade kaggle".into()
            }
            Cause::NotSubmitted => "Try again; the file is kept.".into(),
        }
    }
}

/// A refusal: the words in the client's output by which it is known, in small letters.
struct Refusal {
    cause: Cause,
    /// The code with which Kaggle's server answers.
    code: Option<u16>,
    words: &'static [&'static str],
}

/// The refusals in the order in which they are looked for.
const REFUSALS: &[Refusal] = &[
    Refusal {
        cause: Cause::Unreachable,
        code: None,
        words: &[
            "failed to resolve",
            "name or service not known",
            "name resolution",
            "newconnectionerror",
            "connection refused",
            "network is unreachable",
            "max retries exceeded",
            "connectionerror",
            "connecttimeout",
        ],
    },
    Refusal {
        cause: Cause::Credentials,
        code: Some(401),
        words: &[
            "unauthorized",
            "authentication required",
            "invalid credentials",
            // A client before 1.8, which knows no tokens, says this where there is nothing else.
            "could not find kaggle.json",
        ],
    },
    Refusal {
        cause: Cause::DailyLimit,
        code: None,
        words: &["submission limit", "daily limit", "maximum number of submissions"],
    },
    Refusal {
        cause: Cause::Rules,
        code: Some(403),
        words: &[
            "forbidden",
            "don't have access",
            "accept its rules",
            "accept this competition's rules",
            "accept the competition",
            "permission 'competitions.participate' was denied",
        ],
    },
    Refusal {
        cause: Cause::TooManyRequests,
        code: Some(429),
        words: &["too many requests", "rate limit"],
    },
    Refusal { cause: Cause::KaggleFailed, code: None, words: &["problem on kaggle's side"] },
    Refusal { cause: Cause::NotFound, code: Some(404), words: &["not found"] },
    Refusal { cause: Cause::NotSubmitted, code: None, words: &["could not submit"] },
];

/// Whether the text, in small letters, holds a server's code as old and new clients write it.
pub(super) fn has_code(text: &str, code: u16) -> bool {
    text.contains(&format!("{code} client error")) || text.contains(&format!("{code} - "))
}

/// The error for a client that did not do what it was asked: what happened, and what to do.
pub(super) fn client_error(what: &str, output: &Output) -> Error {
    let (problem, hint) = problem_and_hint(output);
    match last_lines(&output.text()) {
        lines if lines.is_empty() => Error::download(what, problem, hint),
        lines => {
            Error::download(what, problem, format!("{hint}\nThe client's own words:\n{lines}"))
        }
    }
}

/// Why the client cannot be used, as an error.
pub(super) fn unusable(what: &str, why: Unusable) -> Error {
    let hint = match why {
        Unusable::Offline | Unusable::BudgetCi => {
            "Without the network, put train.csv, test.csv and sample_submission.csv into \
             digit-recognizer/ of the folder that TCHALK_DATA_DIR names."
                .into()
        }
        Unusable::NoCredentials => steps(),
        Unusable::NotInstalled => format!(
            "In a terminal: pip install kaggle. Where it is installed already, let {PROGRAM} name \
             the program, or put its folder on the PATH."
        ),
    };
    Error::download(what, why.to_string(), hint)
}

fn problem_and_hint(output: &Output) -> (String, String) {
    if let Exit::TimedOut(timeout) = output.exit {
        let silent = duration(timeout.as_secs_f64());
        let problem = format!("Kaggle's client was silent for {silent} and was ended");
        return (problem, "Is the network slow or cut off? Try again later.".into());
    }
    if let Some(cause) = cause(&output.text()) {
        return (cause.problem().into(), cause.hint());
    }
    let problem = match output.exit {
        Exit::Status(status) if !status.success() => format!("Kaggle's client failed ({status})"),
        _ => "Kaggle's client did not do it".into(),
    };
    (problem, "Its own words are below.".into())
}

/// The cause that a client's output is about.
fn cause(output: &str) -> Option<Cause> {
    let text = output.to_lowercase();
    let is_known = |refusal: &&Refusal| {
        let code = refusal.code.is_some_and(|code| has_code(&text, code));
        code || refusal.words.iter().any(|words| text.contains(words))
    };
    REFUSALS.iter().find(is_known).map(|refusal| refusal.cause)
}

/// The end of what it printed.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let lines = &lines[lines.len().saturating_sub(LINES)..];
    let lines =
        lines.iter().map(|line| format!("  {}", line.chars().take(200).collect::<String>()));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_found_in_what_old_and_new_clients_print() {
        for (output, cause) in [
            ("Authentication required to call the Kaggle API.", Cause::Credentials),
            ("401 Client Error: Unauthorized", Cause::Credentials),
            ("OSError: Could not find kaggle.json. Make sure", Cause::Credentials),
            ("403 Client Error: Forbidden for url: https://api.kaggle.com/v1/x", Cause::Rules),
            ("403 - You must accept the competition rules", Cause::Rules),
            ("Permission denied\n\nYou don't have access to this resource.", Cause::Rules),
            ("x\nThis is a problem on Kaggle's side, not with you", Cause::KaggleFailed),
            ("ConnectionError: HTTPSConnectionPool: Max retries exceeded", Cause::Unreachable),
            ("429 Client Error: Too Many Requests", Cause::TooManyRequests),
            ("400 Client Error: Bad Request. You have reached your daily limit", Cause::DailyLimit),
            ("404 Client Error: Not Found", Cause::NotFound),
            ("Could not submit to competition", Cause::NotSubmitted),
        ] {
            assert_eq!(super::cause(output), Some(cause), "{output}");
        }
        assert_eq!(super::cause("Segmentation fault"), None);
    }
}
