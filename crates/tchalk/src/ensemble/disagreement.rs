//! Where the members of an ensemble differ.

use super::{Ensemble, members};
use crate::data::TensorSet;
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::plot::{Caption, Figure, Mark, image_grid};
use crate::table::Table;
use crate::text::{percent, thousands};
use ndarray::Array2;

/// Who differs from whom, and on which examples.
#[derive(Clone)]
pub struct Disagreement {
    names: Vec<String>,
    /// What each member says about each example.
    answers: Vec<Vec<usize>>,
    together: Vec<usize>,
    set: TensorSet,
    note: String,
}

impl Disagreement {
    /// How often each two members differ: `[members, members]`, fractions from 0 to 1.
    pub fn fractions(&self) -> Array2<f64> {
        let n = self.together.len() as f64;
        Array2::from_shape_fn((self.names.len(), self.names.len()), |(a, b)| {
            let both = self.answers[a].iter().zip(&self.answers[b]);
            both.filter(|(a, b)| a != b).count() as f64 / n
        })
    }

    /// The places of the examples on which not all members agree, those first about which most
    /// answers are given, then in the order of the set.
    pub fn examples(&self) -> Vec<usize> {
        let mut places: Vec<usize> =
            (0..self.together.len()).filter(|&i| self.different(i) > 1).collect();
        places.sort_by_key(|&i| std::cmp::Reverse(self.different(i)));
        places
    }

    /// What each member says about one example, as indices of classes.
    ///
    /// # Errors
    ///
    /// If there is no such example.
    pub fn answers(&self, example: usize) -> Result<Vec<usize>> {
        if example >= self.together.len() {
            let expected = format!("an example below {}", self.together.len());
            return Err(Error::invalid("Disagreement::answers", expected, example.to_string(), ""));
        }
        Ok(self.answers.iter().map(|answers| answers[example]).collect())
    }

    /// How many different answers there are.
    fn different(&self, example: usize) -> usize {
        let mut answers: Vec<usize> = self.answers.iter().map(|answers| answers[example]).collect();
        answers.sort_unstable();
        answers.dedup();
        answers.len()
    }

    /// How often each two members differ, as a table, and how often all agree.
    pub fn table(&self) -> Table {
        let fractions = self.fractions();
        let rows = self.names.iter().enumerate().map(|(a, name)| {
            let cells = (0..self.names.len()).map(|b| match a == b {
                true => "–".to_owned(),
                false => percent(fractions[[a, b]], 1),
            });
            [name.clone()].into_iter().chain(cells).collect()
        });
        let headings = ["differs from".to_owned()].into_iter().chain(self.names.iter().cloned());
        let table = Table::of_columns(headings.collect(), rows.collect());
        let table = (1..=self.names.len()).fold(table, Table::align_right);
        let n = self.together.len();
        let agreed = n - self.examples().len();
        let all = format!(
            "all agree on {} of {} examples ({})",
            thousands(agreed),
            thousands(n),
            percent(agreed as f64 / n as f64, 1)
        );
        let table = table.footer(all);
        let table = match self.set.label_vec() {
            Some(labels) => {
                let right = |i: usize| self.answers.iter().any(|answers| answers[i] == labels[i]);
                let agreed_wrong =
                    (0..n).filter(|&i| self.different(i) == 1 && self.answers[0][i] != labels[i]);
                let (one, wrong) = ((0..n).filter(|&i| right(i)).count(), agreed_wrong.count());
                table.footer(format!(
                    "at least one is right on {}; all are wrong in the same way on {}",
                    percent(one as f64 / n as f64, 1),
                    percent(wrong as f64 / n as f64, 1)
                ))
            }
            None => table,
        };
        if self.note.is_empty() { table } else { table.footer(self.note.clone()) }
    }

    /// Images on which they differ, those first about which most answers are given: what all say
    /// together, with ✔ or ✘ and the truth behind what is wrong where that is known; below it what
    /// each member says, in the order of the members.
    ///
    /// # Errors
    ///
    /// If there is nothing to draw: all agree, no rows, no columns, or inputs that are not images.
    pub fn image_grid(&self, rows: usize, columns: usize) -> Result<Figure> {
        let mut places = self.examples();
        if places.is_empty() {
            let expected = "members that differ somewhere";
            return Err(Error::invalid("Disagreement::image_grid", expected, "all agree", ""));
        }
        let all = places.len();
        places.truncate(rows * columns);
        let (labels, classes) = (self.set.label_vec(), self.set.class_names());
        let captions: Vec<Caption> = places
            .iter()
            .map(|&i| {
                let said = self.answers.iter().map(|answers| classes[answers[i]].as_str());
                let said = said.collect::<Vec<_>>().join(" / ");
                let together = &classes[self.together[i]];
                match labels.as_ref().map(|labels| labels[i]) {
                    Some(truth) if truth != self.together[i] => {
                        let text = format!("{together} ({})\n{said}", classes[truth]);
                        Caption::new(text).mark(Mark::Wrong)
                    }
                    Some(_) => Caption::new(format!("{together}\n{said}")).mark(Mark::Right),
                    None => Caption::new(format!("{together}\n{said}")),
                }
            })
            .collect();
        let title = format!(
            "{}: {} of {} on which {} differ",
            self.set.name(),
            thousands(all),
            thousands(self.together.len()),
            self.names.join(", ")
        );
        Ok(image_grid(&self.set.images(&places)?, &captions, columns)?.title(title))
    }
}

impl std::fmt::Debug for Disagreement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.table())
    }
}

impl Show for Disagreement {
    fn content(&self) -> Content {
        self.table().content()
    }
}

impl Ensemble {
    /// Who differs from whom on `set`, and where. Labels are not needed.
    ///
    /// # Errors
    ///
    /// If the set does not fit the networks, or the reader pressed stop.
    pub fn disagreement(&self, set: &TensorSet) -> Result<Disagreement> {
        const OP: &str = "Ensemble::disagreement";
        let opinions =
            self.member_outputs(OP, set, self.aggregation == super::Aggregation::AverageLogits)?;
        Ok(Disagreement {
            names: self.members(),
            answers: opinions.outputs.iter().map(members::predicted_classes).collect(),
            together: members::predicted_classes(&self.combine(&opinions)),
            set: opinions.set,
            note: opinions.note.map_or(String::new(), |note| note.to_string()),
        })
    }
}
