//! Several networks in one table: accuracy, confidence interval, training time.

use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::plot::{Figure, IntervalPanel};
use crate::table::Table;
use crate::text::{fine_duration, thousands};
use crate::train::{Evaluation, History};

/// A network's result, or the reason why there is none.
type Score = std::result::Result<Measured, String>;

#[derive(Clone, PartialEq)]
struct Measured {
    evaluation: Evaluation,
    /// Epochs and seconds of the training, if there was one.
    training: Option<(usize, f64)>,
}

/// The accuracies of several networks with their confidence intervals, and how long each was trained.
///
/// Adding a network of a name that is already there replaces it, so a cell can be run again.
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
    rows: Vec<(String, Score)>,
}

impl Scoreboard {
    /// A scoreboard without networks.
    pub fn new() -> Scoreboard {
        Scoreboard::default()
    }

    /// Adds a network's evaluation, and the training that led to it.
    pub fn add(&mut self, name: &str, evaluation: &Evaluation, history: &History) {
        let training = Some((history.len(), history.seconds()));
        self.set(name, Ok(Measured { evaluation: evaluation.clone(), training }));
    }

    /// Adds the evaluation of something that needed no training, such as an average of networks.
    pub fn add_untrained(&mut self, name: &str, evaluation: &Evaluation) {
        self.set(name, Ok(Measured { evaluation: evaluation.clone(), training: None }));
    }

    /// Adds a network that is not available, and the reason.
    pub fn add_missing(&mut self, name: &str, reason: &str) {
        self.set(name, Err(reason.to_owned()));
    }

    fn set(&mut self, name: &str, score: Score) {
        match self.rows.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = score,
            None => self.rows.push((name.to_owned(), score)),
        }
    }

    fn score(&self, name: &str) -> Option<&Score> {
        self.rows.iter().find(|(known, _)| known == name).map(|(_, score)| score)
    }

    /// The names, in the order in which they were added.
    pub fn names(&self) -> Vec<String> {
        self.rows.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The evaluation of a network, if there is one.
    pub fn get(&self, name: &str) -> Option<Evaluation> {
        Some(self.score(name)?.as_ref().ok()?.evaluation.clone())
    }

    /// How long a network was trained, in seconds; `None` without training.
    pub(crate) fn seconds(&self, name: &str) -> Option<f64> {
        self.score(name)?.as_ref().ok()?.training.map(|(_, seconds)| seconds)
    }

    /// All networks as a table, the accuracy with its 95 % confidence interval.
    pub fn table(&self) -> Table {
        let dash = || "–".to_owned();
        let rows = self.rows.iter().map(|(name, score)| match score {
            Ok(Measured { evaluation, training }) => {
                let (low, high) = evaluation.accuracy_interval();
                [
                    name.clone(),
                    format!("{:.2} %", 100.0 * evaluation.accuracy),
                    format!("{:.1} to {:.1} %", 100.0 * low, 100.0 * high),
                    thousands(evaluation.examples),
                    training.map_or_else(dash, |(epochs, _)| epochs.to_string()),
                    training.map_or_else(dash, |(_, seconds)| fine_duration(seconds)),
                ]
            }
            Err(reason) => [name.clone(), dash(), reason.clone(), dash(), dash(), dash()],
        });
        let headings =
            ["network", "accuracy", "95 % interval", "measured on", "epochs", "training"];
        let table = (1..6).fold(Table::new(headings).rows(rows), Table::align_right);
        match self.measured().find_map(|(_, measured)| measured.evaluation.shortened_by) {
            None => table,
            Some(budget) => table.footer(format!(
                "budget {}: fewer epochs or fewer images than the cells ask for",
                budget.name()
            )),
        }
    }

    fn measured(&self) -> impl Iterator<Item = (&str, &Measured)> {
        self.rows.iter().filter_map(|(name, score)| Some((name.as_str(), score.as_ref().ok()?)))
    }

    /// The accuracies as dots with their 95 % confidence intervals.
    ///
    /// # Errors
    ///
    /// If there is no network to draw.
    pub fn figure(&self) -> Result<Figure> {
        if self.measured().next().is_none() {
            let hint = "add(\"its name\", &evaluation, &history) adds one.";
            return Err(Error::invalid("Scoreboard::figure", "at least one network", "none", hint));
        }
        let panel = self.measured().fold(
            IntervalPanel::new("accuracy, with 95 % intervals").x_label("per cent right"),
            |panel, (name, Measured { evaluation, .. })| {
                let (low, high) = evaluation.accuracy_interval();
                panel.row(name, 100.0 * evaluation.accuracy, (100.0 * low, 100.0 * high))
            },
        );
        Figure::grid(vec![panel.into()], 1)
    }

    /// How much better a network is than others, whether the difference is significant, and how its
    /// training time compares with theirs.
    ///
    /// # Errors
    ///
    /// If one of the networks is not on the scoreboard, or not available.
    pub fn compare(&self, name: &str, others: &[&str]) -> Result<Table> {
        let first = self.require(name)?;
        let row = |&other: &&str| {
            let second = self.require(other)?;
            let difference = first.evaluation.difference(&second.evaluation);
            let time = match (first.training, second.training) {
                (Some((_, ours)), Some((_, theirs))) if theirs > 0.0 => {
                    format!("{:.2} of its time", ours / theirs)
                }
                _ => "–".to_owned(),
            };
            Ok([
                other.to_owned(),
                format!("{:+.2}", 100.0 * difference.accuracy),
                format!("± {:.2}", 100.0 * difference.margin),
                difference.verdict().to_string(),
                time,
            ])
        };
        let rows = others.iter().map(row).collect::<Result<Vec<_>>>()?;
        let heading = format!("{name}, compared with");
        let table = Table::new([&heading, "points", "margin", "verdict", "trained in"]).rows(rows);
        Ok(table.align_right(1).align_right(2))
    }

    fn require(&self, name: &str) -> Result<&Measured> {
        let op = format!("Scoreboard::compare({name:?})");
        match self.score(name) {
            Some(Ok(measured)) => Ok(measured),
            Some(Err(reason)) => Err(Error::invalid(op, "a network", reason.clone(), "")),
            None => {
                let expected = format!("one of {}", self.names().join(", "));
                Err(Error::invalid(op, expected, "no such network", ""))
            }
        }
    }
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
    use super::*;
    use crate::compare::Verdict;
    use crate::evaluate::testing::certain_predictions;

    fn scoreboard() -> Scoreboard {
        let labels: Vec<usize> = (0..40).map(|i| i % 2).collect();
        let wrong: Vec<usize> =
            labels.iter().enumerate().map(|(i, label)| label ^ usize::from(i < 30)).collect();
        let evaluation =
            |predicted: &[usize]| certain_predictions(&labels, predicted, 2).evaluate().unwrap();
        let mut scores = Scoreboard::new();
        scores.add("good", &evaluation(&labels), &History::default());
        scores.add_untrained("bad", &evaluation(&wrong));
        scores.add_missing("missing", "its weights were not available");
        scores
    }

    #[test]
    fn a_name_stands_for_one_network() {
        let mut scores = scoreboard();
        let good = scores.get("good").unwrap();
        scores.add_untrained("bad", &good);
        assert_eq!(scores.names(), ["good", "bad", "missing"]);
        assert_eq!(scores.get("bad").unwrap().accuracy, 1.0);
        assert!(scores.get("missing").is_none() && scores.get("none").is_none());
    }

    #[test]
    fn a_row_shows_the_result_or_the_reason() {
        let scores = scoreboard();
        let text = format!("{scores:?}");
        assert!(text.contains("good") && text.contains("100.00 %"), "{text}");
        assert!(text.contains("its weights were not available"), "{text}");
        assert!(scores.figure().unwrap().overlaps().is_empty());
        assert!(Scoreboard::new().figure().is_err());
    }

    #[test]
    fn a_comparison_has_points_and_a_verdict_for_each_network() {
        let text = format!("{:?}", scoreboard().compare("good", &["bad", "good"]).unwrap());
        for verdict in [Verdict::Better, Verdict::NotSignificant] {
            assert!(text.contains(&verdict.to_string()), "{text}");
        }
        assert!(text.contains("+75.00"), "{text}");
        let error = scoreboard().compare("good", &["missing"]).unwrap_err().to_string();
        assert!(error.contains("its weights were not available"), "{error}");
        let error = scoreboard().compare("gold", &[]).unwrap_err().to_string();
        assert!(error.contains("one of good, bad"), "{error}");
    }
}
