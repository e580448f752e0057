//! Handing in.

use super::check::capped;
use super::client::{Client, PROGRAM};
use super::credentials::{Credentials, steps};
use super::digits::is_made_name;
use super::failure::{code, failure, last_lines};
use super::surroundings::Surroundings;
use super::{COMPETITION, RESULTS_PAGE, Submission, UNKNOWN};
use crate::course::check::checklist::Mark;
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::runtime::Budget;
use crate::table::Table;
use crate::text::thousands;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

const OP: &str = "Submission::submit";
/// Where a submission is kept that was not saved before.
const FOLDER: &str = "results/kaggle-submissions";
/// How many of the built-in strokes there are to be guessed.
const STROKES: usize = 2_800;

/// What came of handing in: Kaggle's answer and where the result will be, or why nothing was sent and
/// what to do.
#[derive(Clone, PartialEq)]
pub struct Submitted {
    sent: bool,
    path: PathBuf,
    /// The client's answer, or why it was not asked.
    said: String,
    /// What to do next, a step a line.
    next: String,
}

impl Submission {
    /// Hands the answers in with Kaggle's client, under a message by which you will know them again.
    /// What was not saved is saved in `results/kaggle-submissions` first.
    ///
    /// Where nothing can be sent, because there are no credentials, no client or no network, or the
    /// digits are not Kaggle's, that is no error: the value says what to do, and the notebook goes on.
    ///
    /// # Errors
    ///
    /// If the file has faults ([`Submission::check`] names all of them), if a check has found the
    /// images mixed up, if Kaggle refuses it or
    /// cannot be reached, or after the stop button.
    ///
    /// ```no_run
    /// # use tchalk::prelude::*;
    /// Submission::from_labels(vec![0; 28_000])?.submit("all zeros")?;
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn submit(&self, message: &str) -> Result<Submitted> {
        self.submit_with(message, &Surroundings::from_env(), Path::new(FOLDER))
    }

    fn submit_with(
        &self,
        message: &str,
        surroundings: &Surroundings,
        folder: &Path,
    ) -> Result<Submitted> {
        let not_sent = |path: PathBuf, said: String, next: String| {
            Ok(Submitted { sent: false, path, said, next })
        };
        let (n, all) = (thousands(self.len()), thousands(UNKNOWN));
        let made = self.predictions.as_ref().map(|predictions| predictions.set_name());
        let made = made.filter(|name| is_made_name(name));
        // A file does not know its images, but so many are strokes.
        if made.is_some() || self.len() == STROKES {
            let images = made.unwrap_or_else(|| "digits that stand in for Kaggle's".into());
            let said = format!(
                "these are {n} answers for {images}, and Kaggle wants {all} for its own images"
            );
            return not_sent(self.file(folder)?, said, steps());
        }
        if let Some(budget) = capped(self, UNKNOWN, Budget::current()?) {
            let said = format!(
                "the budget {budget} left {n} of {all} answers, and Kaggle wants all of them"
            );
            let next = "Set TCHALK_BUDGET=full before the notebook is started, and run it again.";
            return not_sent(self.file(folder)?, said, next.into());
        }
        if let Some(fault) = self.fault(UNKNOWN).or(self.mixed()) {
            let hint = "submission.check(&digits)? lists everything. Nothing was sent.";
            return Err(Error::invalid(OP, "a file without faults", fault, hint));
        }
        let mut lines = self.lines(UNKNOWN).into_iter();
        if let Some(note) = lines.find(|line| line.mark == Mark::Note) {
            let next = "Set TCHALK_BUDGET=full before the notebook is started, and train again.";
            return not_sent(self.file(folder)?, note.text, next.into());
        }
        if message.trim().is_empty() {
            let hint = "A few words by which you will know it again.";
            return Err(Error::invalid(OP, "a message", "none", hint));
        }
        let path = self.file(folder)?;
        let client = match Client::usable(surroundings) {
            Ok(client) => client,
            Err(why) => {
                let next = what_to_do(surroundings, &path, message);
                return not_sent(path, why, next);
            }
        };
        let arguments = ["competitions", "submit", "-c", COMPETITION, "-f"].map(OsStr::new);
        let more = [path.as_os_str(), OsStr::new("-m"), OsStr::new(message)];
        let output = client.run(OP, &[&arguments[..], &more].concat(), || 0)?;
        // Older clients end as if all were well when the file did not arrive.
        let text = output.text().to_lowercase();
        let refused = [400, 401, 403, 404, 429].into_iter().flat_map(code);
        let refused = refused.chain(["could not submit"]).any(|words| text.contains(words));
        if !output.is_success() || refused {
            return Err(failure(&path.display().to_string(), &output));
        }
        let next = format!("The score comes within a minute: {RESULTS_PAGE}");
        Ok(Submitted { sent: true, said: last_lines(&output.answer), path, next })
    }
}

/// The way to Kaggle for one who cannot go it from here.
fn what_to_do(surroundings: &Surroundings, path: &Path, message: &str) -> String {
    let by_hand = format!(
        "By hand: {RESULTS_PAGE}, Submit Prediction, and choose the file {}.",
        path.display()
    );
    if surroundings.forbidden().is_some() {
        return by_hand;
    }
    match Credentials::look(surroundings).found() {
        false => format!("{}\n{by_hand}", steps()),
        true => format!(
            "Install Kaggle's client (pip install kaggle) or let {PROGRAM} name it, and run the cell \
             again; or in a terminal: kaggle competitions submit -c {COMPETITION} -f {} -m {message:?}\n\
             {by_hand}",
            path.display()
        ),
    }
}

impl Submitted {
    /// Whether it was handed in.
    pub fn is_sent(&self) -> bool {
        self.sent
    }

    /// The file with the answers.
    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// What happened, in a line.
    fn headline(&self) -> String {
        match self.sent {
            true => format!("{} was handed in", self.path.display()),
            false => {
                format!("Nothing was sent: {}. The file is {}.", self.said, self.path.display())
            }
        }
    }

    fn lines(&self) -> Vec<String> {
        let said = self.sent.then(|| self.said.lines().map(|line| line.trim().to_owned()));
        let next = self.next.lines().map(str::to_owned);
        said.into_iter().flatten().chain(next).collect()
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
