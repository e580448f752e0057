//! Many networks side by side: how good, how sure, how long they took.

use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::plot::{Figure, IntervalPanel};
use crate::table::Table;
use crate::text::{fine_duration, percent, thousands};
use crate::train::{Evaluation, History};

/// One network, or why there is none.
#[derive(Clone, PartialEq)]
struct Row {
    name: String,
    score: std::result::Result<Score, String>,
}

#[derive(Clone, PartialEq)]
struct Score {
    evaluation: Evaluation,
    /// How many epochs, and how many seconds; nothing where nothing was trained.
    trained: Option<(usize, f64)>,
}

/// The accuracy of several networks with its interval, and how long each was trained.
///
/// A name stands for one network: adding it again replaces what was there, so that a cell can be run
/// twice.
///
/// ```
/// use tchalk::prelude::*;
/// # let train = datasets::shapes()?.train.take(100).to_tensors(Device::Cpu);
/// # let layers = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10));
/// # let model = layers.add(Softmax).build(Device::Cpu)?;
/// # model.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy)?;
/// let history = model.fit(&train, Fit::new())?;
/// let mut scores = Scoreboard::new();
/// scores.add("pixels alone", &model.evaluate(&train)?, &history);
/// scores.add_untrained("the same again", &model.evaluate(&train)?);
/// scores.add_missing("a giant", "its weights were not available");
/// println!("{:?}", scores.table());
/// scores.figure()?;
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Clone, PartialEq, Default)]
pub struct Scoreboard {
    rows: Vec<Row>,
}

impl Scoreboard {
    /// No networks yet.
    pub fn new() -> Scoreboard {
        Scoreboard::default()
    }

    /// A network, by what it came to and how it was trained.
    pub fn add(&mut self, name: &str, evaluation: &Evaluation, history: &History) {
        let trained = Some((history.len(), history.seconds()));
        self.put(name, Ok(Score { evaluation: evaluation.clone(), trained }));
    }

    /// What was made of trained networks without training: an average, a vote.
    pub fn add_untrained(&mut self, name: &str, evaluation: &Evaluation) {
        self.put(name, Ok(Score { evaluation: evaluation.clone(), trained: None }));
    }

    /// A network that there is not, and why.
    pub fn add_missing(&mut self, name: &str, reason: &str) {
        self.put(name, Err(reason.to_owned()));
    }

    fn put(&mut self, name: &str, score: std::result::Result<Score, String>) {
        let row = Row { name: name.to_owned(), score };
        match self.rows.iter_mut().find(|row| row.name == name) {
            Some(old) => *old = row,
            None => self.rows.push(row),
        }
    }

    /// The names, in the order in which they came.
    pub fn names(&self) -> Vec<String> {
        self.rows.iter().map(|row| row.name.clone()).collect()
    }

    /// What a network came to; nothing where there is none of that name.
    pub fn get(&self, name: &str) -> Option<Evaluation> {
        let row = self.rows.iter().find(|row| row.name == name)?;
        row.score.as_ref().ok().map(|score| score.evaluation.clone())
    }

    /// How long a network was trained, in seconds; nothing where it was not.
    pub(super) fn seconds(&self, name: &str) -> Option<f64> {
        let row = self.rows.iter().find(|row| row.name == name)?;
        row.score.as_ref().ok()?.trained.map(|(_, seconds)| seconds)
    }

    /// All of them as a table, the accuracy with its 95 % interval.
    pub fn table(&self) -> Table {
        let rows = self.rows.iter().map(|row| match &row.score {
            Ok(score) => [
                row.name.clone(),
                percent(score.evaluation.accuracy, 2),
                interval(&score.evaluation),
                thousands(score.evaluation.examples),
                score.trained.map_or("–".into(), |(epochs, _)| epochs.to_string()),
                score.trained.map_or("–".into(), |(_, seconds)| fine_duration(seconds)),
            ],
            Err(reason) => {
                [row.name.clone(), "–".into(), reason.clone(), "–".into(), "–".into(), "–".into()]
            }
        });
        let headings =
            ["network", "accuracy", "95 % interval", "measured on", "epochs", "training"];
        let table = (1..6).fold(Table::new(headings).rows(rows), Table::align_right);
        let scores = self.rows.iter().filter_map(|row| row.score.as_ref().ok());
        match scores.filter_map(|score| score.evaluation.shortened_by).next() {
            None => table,
            Some(budget) => table.footer(format!(
                "budget {}: fewer epochs or fewer images than are written in the cells",
                budget.name()
            )),
        }
    }

    /// The accuracies as dots with their intervals: networks whose lines overlap widely may well be
    /// equally good.
    ///
    /// # Errors
    ///
    /// If there is no network to draw.
    pub fn figure(&self) -> Result<Figure> {
        let known: Vec<(&str, &Evaluation)> = self
            .rows
            .iter()
            .filter_map(|row| Some((row.name.as_str(), &row.score.as_ref().ok()?.evaluation)))
            .collect();
        if known.is_empty() {
            let hint = "add(\"its name\", &evaluation, &history) adds one.";
            return Err(Error::invalid("Scoreboard::figure", "at least one network", "none", hint));
        }
        let panel = known.iter().fold(
            IntervalPanel::new("accuracy, with 95 % intervals").x_label("per cent right"),
            |panel, (name, evaluation)| {
                let (low, high) = evaluation.accuracy_interval();
                panel.row(*name, 100.0 * evaluation.accuracy, (100.0 * low, 100.0 * high))
            },
        );
        Figure::grid(vec![panel.into()], 1)
    }

    /// How much better a network is than others, whether chance alone could have made the difference,
    /// and how its training time compares with theirs.
    ///
    /// # Errors
    ///
    /// If one of the networks is not on the board.
    pub fn compare(&self, name: &str, others: &[&str]) -> Result<Table> {
        let first = self.score(name)?;
        let mut rows = Vec::with_capacity(others.len());
        for other in others {
            let second = self.score(other)?;
            let difference = first.evaluation.difference(&second.evaluation);
            let verdict = match (difference.is_clear(), difference.accuracy > 0.0) {
                (true, true) => "better than chance explains",
                (true, false) => "worse than chance explains",
                (false, _) => "chance alone could do that",
            };
            let points = format!("{:+.2}", 100.0 * difference.accuracy);
            let margin = format!("± {:.2}", 100.0 * difference.margin);
            let time = match (first.trained, second.trained) {
                (Some((_, ours)), Some((_, theirs))) if theirs > 0.0 => {
                    format!("{:.2} of its time", ours / theirs)
                }
                _ => "–".to_owned(),
            };
            rows.push([(*other).to_owned(), points, margin, verdict.to_owned(), time]);
        }
        let heading = format!("{name}, compared with");
        let table = Table::new([&heading, "points", "chance", "verdict", "trained in"]).rows(rows);
        Ok(table.align_right(1).align_right(2))
    }

    fn score(&self, name: &str) -> Result<Score> {
        let row = self.rows.iter().find(|row| row.name == name);
        let op = format!("Scoreboard::compare({name:?})");
        match row.map(|row| &row.score) {
            Some(Ok(score)) => Ok(score.clone()),
            Some(Err(reason)) => Err(Error::invalid(op, "a network", reason.clone(), "")),
            None => {
                let known = self.names().join(", ");
                Err(Error::invalid(op, format!("one of {known}"), "no such network", ""))
            }
        }
    }
}

fn interval(evaluation: &Evaluation) -> String {
    let (low, high) = evaluation.accuracy_interval();
    format!("{:.1} to {:.1} %", 100.0 * low, 100.0 * high)
}

impl Show for Scoreboard {
    fn content(&self) -> Content {
        self.table().content()
    }
}

impl std::fmt::Debug for Scoreboard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.table())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::certain_predictions;
    use super::*;

    fn board() -> Scoreboard {
        let truth: Vec<usize> = (0..40).map(|i| i % 2).collect();
        let wrong: Vec<usize> =
            truth.iter().enumerate().map(|(i, t)| t ^ usize::from(i < 30)).collect();
        let mut board = Scoreboard::new();
        board.add(
            "good",
            &certain_predictions(&truth, &truth, 2).evaluate().unwrap(),
            &History::default(),
        );
        board.add_untrained("bad", &certain_predictions(&truth, &wrong, 2).evaluate().unwrap());
        board.add_missing("far", "its weights were not available");
        board
    }

    #[test]
    fn a_name_stands_for_one_network() {
        let mut board = board();
        let good = board.get("good").unwrap();
        board.add_untrained("bad", &good);
        assert_eq!(board.names(), ["good", "bad", "far"]);
        assert_eq!(board.get("bad").unwrap().accuracy, 1.0);
        assert!(board.get("far").is_none() && board.get("none").is_none());
    }

    #[test]
    fn a_row_says_what_there_is() {
        let board = board();
        let text = format!("{board:?}");
        assert!(text.contains("good") && text.contains("100.00 %"), "{text}");
        assert!(text.contains("its weights were not available"), "{text}");
        assert!(board.figure().unwrap().overlaps().is_empty());
        assert!(Scoreboard::new().figure().is_err());
    }

    #[test]
    fn comparisons_say_whether_chance_could_do_that() {
        let text = format!("{:?}", board().compare("good", &["bad", "good"]).unwrap());
        assert!(text.contains("+75.00") && text.contains("better than chance explains"), "{text}");
        assert!(text.contains("chance alone could do that"), "{text}");
        let error = board().compare("good", &["far"]).unwrap_err().to_string();
        assert!(error.contains("its weights were not available"), "{error}");
        assert!(board().compare("gold", &[]).unwrap_err().to_string().contains("one of good, bad"));
    }
}
