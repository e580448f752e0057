//! What an ensemble is worth: its accuracy beside that of its members.

use super::{Ensemble, members};
use crate::data::TensorSet;
use crate::display::{Content, Show};
use crate::error::Result;
use crate::table::Table;
use crate::text::{percent, thousands};
use crate::train::McNemar;

/// The accuracy of an ensemble beside that of its members, and the gain over the best of them.
#[derive(Clone, PartialEq)]
pub struct Gain {
    members: Vec<(String, f64)>,
    ensemble: f64,
    best: usize,
    /// The ensemble beside its best member.
    paired: McNemar,
    note: String,
}

impl Gain {
    /// The accuracy of all members together.
    pub fn accuracy(&self) -> f64 {
        self.ensemble
    }

    /// The accuracies of the members, with their names.
    pub fn members(&self) -> Vec<(String, f64)> {
        self.members.clone()
    }

    /// By how much the ensemble is better than its best member; below zero if it is worse.
    pub fn gain(&self) -> f64 {
        self.paired.difference()
    }

    /// Half the width of the gain's 95 % interval. Both answered the same questions, so only the
    /// examples count on which one of them is right (Bonett and Price 2012).
    pub fn margin(&self) -> f64 {
        self.paired.margin()
    }

    /// Whether the gain is more than chance would give: its interval leaves out zero.
    pub fn is_clear(&self) -> bool {
        self.gain().abs() > self.margin()
    }

    /// The accuracies as a table, the gain below it.
    pub fn table(&self) -> Table {
        let members = self.members.iter().map(|(name, value)| [name.clone(), percent(*value, 2)]);
        let all = [["all together".to_owned(), percent(self.ensemble, 2)]];
        let verdict = match (self.is_clear(), self.gain() > 0.0) {
            (true, true) => "better than chance explains",
            (true, false) => "worse than chance explains",
            (false, _) => "chance alone could do that",
        };
        let table = Table::new(["", "accuracy"])
            .rows(members.chain(all))
            .align_right(1)
            .footer(format!(
                "gain over the best member, {}: {:+.2} % (± {:.2} %): {verdict}",
                self.members[self.best].0,
                100.0 * self.gain(),
                100.0 * self.margin(),
            ))
            .footer(format!(
                "on {} examples, {} of them right only together, {} right only for that member, which \
                 was chosen on these same examples",
                thousands(self.paired.examples),
                thousands(self.paired.only_first),
                thousands(self.paired.only_second),
            ));
        if self.note.is_empty() { table } else { table.footer(self.note.clone()) }
    }
}

impl std::fmt::Debug for Gain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.table())
    }
}

impl Show for Gain {
    fn content(&self) -> Content {
        self.table().content()
    }
}

impl Ensemble {
    /// Compares the ensemble with its members on `set`.
    ///
    /// # Errors
    ///
    /// If the set has no labels or does not fit the networks, or the reader pressed stop.
    pub fn gain(&self, set: &TensorSet) -> Result<Gain> {
        const OP: &str = "Ensemble::gain";
        let (opinions, labels) =
            self.labeled_outputs(OP, set, self.aggregation == super::Aggregation::AverageLogits)?;
        let together = members::is_correct(&self.combine(&opinions), &labels);
        let each: Vec<Vec<bool>> =
            opinions.outputs.iter().map(|one| members::is_correct(one, &labels)).collect();
        let count = |right: &[bool]| right.iter().filter(|&&right| right).count();
        // The first of the best.
        let best = (0..each.len()).rev().max_by_key(|&i| count(&each[i])).expect("there is one");
        let n = labels.len() as f64;
        let accuracies = each.iter().map(|right| count(right) as f64 / n);
        Ok(Gain {
            members: self.members().into_iter().zip(accuracies).collect(),
            ensemble: count(&together) as f64 / n,
            best,
            paired: McNemar::from_correct(&together, &each[best]),
            note: opinions
                .note
                .into_iter()
                .chain(self.leakage_notes(&opinions.set))
                .map(|note| note.to_string())
                .collect::<Vec<_>>()
                .join("; "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_a_paired_comparison() {
        let gain = Gain {
            members: vec![("a".into(), 0.80), ("b".into(), 0.78)],
            ensemble: 0.83,
            best: 0,
            paired: McNemar { examples: 1000, both_correct: 780, only_first: 50, only_second: 20 },
            note: String::new(),
        };
        assert!((gain.gain() - 0.03).abs() < 1e-12);
        // 1.96 times the root of 72 / 1002 - (30 / 1002)², divided by the root of 1002.
        assert!(gain.is_clear() && format!("{gain:?}").contains("+3.00 % (± 1.65 %)"), "{gain:?}");
    }
}
