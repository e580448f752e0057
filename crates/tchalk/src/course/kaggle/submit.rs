//! Handing in.

use super::client::{Client, PROGRAM, Unusable};
use super::client_error::{client_error, has_code, last_lines};
use super::competition::{COMPETITION, RESULTS_PAGE, TEST_IMAGES};
use super::credentials::steps;
use super::digits::is_made_name;
use super::environment::Environment;
use super::submission::Submission;
use crate::course::checklist::Severity;
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::runtime::Budget;
use crate::table::Table;
use crate::text::thousands;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

const OP: &str = "Submission::submit";
/// The folder for a submission that was not saved before.
const FOLDER: &str = "results/kaggle-submissions";
/// The number of test images in the substitute made of the built-in strokes.
const STROKES: usize = 2_800;

/// What came of handing in: Kaggle's answer and where the result will be, or why nothing was sent and
/// what to do.
#[derive(Clone, PartialEq)]
pub struct Submitted {
    outcome: Outcome,
    path: PathBuf,
    /// The client's answer, or why nothing was sent.
    message: String,
    /// What to do next, a step a line.
    next: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Sent,
    NotKagglesImages,
    RowsLeftOut,
    TrainingShortened,
    ClientUnusable(Unusable),
}

/// Why a submission stays here: the outcome, and what to say about it.
struct NotSent {
    outcome: Outcome,
    message: String,
    next: String,
}

impl Submission {
    /// Hands the answers in with Kaggle's client, under a message by which you will know them again.
    /// A submission that was not saved is saved in `results/kaggle-submissions` first.
    ///
    /// Where nothing can be sent, because there are no credentials, no client or no network, or the
    /// digits are not Kaggle's, that is no error: the value says what to do, and the notebook goes on.
    ///
    /// # Errors
    ///
    /// If something is wrong with the answers ([`Submission::check`] names everything), if a check has
    /// found the images mixed, if Kaggle refuses the submission or cannot be reached, or after an
    /// interrupt.
    ///
    /// ```no_run
    /// # use tchalk::prelude::*;
    /// Submission::from_labels(vec![0; 28_000])?.submit("all zeros")?;
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn submit(&self, message: &str) -> Result<Submitted> {
        self.submit_with(message, &Environment::from_env(), Path::new(FOLDER))
    }

    fn submit_with(
        &self,
        message: &str,
        environment: &Environment,
        folder: &Path,
    ) -> Result<Submitted> {
        if let Some(not_sent) = self.not_for_kaggle(Budget::current()?) {
            return Ok(not_sent.with_file(self.file(folder)?));
        }
        if let Some(problem) = self.first_problem().or(self.mixed()) {
            let hint = "submission.check(&digits)? lists everything. Nothing was sent.";
            return Err(Error::invalid(OP, "a submission without problems", problem, hint));
        }
        if let Some(not_sent) = self.hardly_trained() {
            return Ok(not_sent.with_file(self.file(folder)?));
        }
        if message.trim().is_empty() {
            let hint = "A few words by which you will know it again.";
            return Err(Error::invalid(OP, "a message", "none", hint));
        }
        let path = self.file(folder)?;
        match Client::usable(environment) {
            Ok(client) => send(&client, path, message),
            Err(why) => {
                let next = what_to_do(why, &path, message);
                let outcome = Outcome::ClientUnusable(why);
                Ok(NotSent { outcome, message: why.to_string(), next }.with_file(path))
            }
        }
    }

    /// Whether the answers are for other images than Kaggle's, or for a part of them.
    fn not_for_kaggle(&self, budget: Budget) -> Option<NotSent> {
        let (rows, all) = (thousands(self.len()), thousands(TEST_IMAGES));
        let name = self.predictions.as_ref().map(|predictions| predictions.set_name());
        let made = name.filter(|name| is_made_name(name));
        // A file does not know its images; by their number they are strokes.
        if made.is_some() || self.len() == STROKES {
            let images = made.unwrap_or_else(|| "a substitute for Kaggle's digits".into());
            let message = format!(
                "these are {rows} answers for {images}, and Kaggle wants {all} for its own images"
            );
            return Some(NotSent { outcome: Outcome::NotKagglesImages, message, next: steps() });
        }
        let budget = self.left_out_by(TEST_IMAGES, budget)?;
        let message = format!(
            "the budget {budget} left {rows} of {all} answers, and Kaggle wants all of them"
        );
        let next =
            "Set TCHALK_BUDGET=full before the notebook is started, and run it again.".into();
        Some(NotSent { outcome: Outcome::RowsLeftOut, message, next })
    }

    fn first_problem(&self) -> Option<String> {
        let mut lines = self.lines(TEST_IMAGES).into_iter();
        let problem = lines.find(|line| line.severity == Severity::Problem)?;
        Some(format!("{}: {}", problem.topic, problem.text))
    }

    /// Whether a budget left too little of the training.
    fn hardly_trained(&self) -> Option<NotSent> {
        let mut lines = self.lines(TEST_IMAGES).into_iter();
        let message = lines.find(|line| line.severity == Severity::Info)?.text;
        let next = "Set TCHALK_BUDGET=full before the notebook is started, and train again.".into();
        Some(NotSent { outcome: Outcome::TrainingShortened, message, next })
    }
}

impl NotSent {
    fn with_file(self, path: PathBuf) -> Submitted {
        let NotSent { outcome, message, next } = self;
        Submitted { outcome, path, message, next }
    }
}

fn send(client: &Client, path: PathBuf, message: &str) -> Result<Submitted> {
    let arguments = ["competitions", "submit", "-c", COMPETITION, "-f"].map(OsStr::new);
    let more = [path.as_os_str(), OsStr::new("-m"), OsStr::new(message)];
    let output = client.run(OP, &[&arguments[..], &more].concat(), || 0)?;
    // Older clients end with status 0 when the file did not arrive.
    let text = output.text().to_lowercase();
    let has_refused = [400, 401, 403, 404, 429].into_iter().any(|code| has_code(&text, code));
    if !output.is_success() || has_refused || text.contains("could not submit") {
        return Err(client_error(&path.display().to_string(), &output));
    }
    let next = format!("The score comes within a minute: {RESULTS_PAGE}");
    let message = last_lines(&output.stdout);
    Ok(Submitted { outcome: Outcome::Sent, path, message, next })
}

/// How to hand in what cannot be sent from here.
fn what_to_do(why: Unusable, path: &Path, message: &str) -> String {
    let path = path.display();
    let by_hand =
        format!("By hand: {RESULTS_PAGE}, Submit Prediction, and choose the file {path}.");
    match why {
        Unusable::Offline | Unusable::BudgetCi => by_hand,
        Unusable::NoCredentials => format!("{}\n{by_hand}", steps()),
        Unusable::NotInstalled => format!(
            "Install Kaggle's client (pip install kaggle) or let {PROGRAM} name it, and run the cell \
             again; or in a terminal: kaggle competitions submit -c {COMPETITION} -f {path} -m \
             {message:?}\n{by_hand}"
        ),
    }
}

impl Submitted {
    /// Whether it was handed in.
    pub fn is_sent(&self) -> bool {
        self.outcome == Outcome::Sent
    }

    /// The file with the answers.
    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }

    fn headline(&self) -> String {
        let path = self.path.display();
        match self.is_sent() {
            true => format!("{path} was handed in"),
            false => format!("Nothing was sent: {}. The file is {path}.", self.message),
        }
    }

    fn lines(&self) -> Vec<String> {
        let message = if self.is_sent() { self.message.as_str() } else { "" };
        let message = message.lines().map(|line| line.trim().to_owned());
        message.chain(self.next.lines().map(str::to_owned)).collect()
    }
}

impl std::fmt::Debug for Submitted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.headline())?;
        self.lines().iter().try_for_each(|line| write!(f, "\n{line}"))
    }
}

impl Show for Submitted {
    fn content(&self) -> Content {
        let rows = self.lines().into_iter().map(|line| [line]);
        let table = Table::new([self.headline().as_str()]).rows(rows);
        table.content_or(format!("{self:?}"))
    }
}

#[cfg(all(test, unix))]
mod tests;
