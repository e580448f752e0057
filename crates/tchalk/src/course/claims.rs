//! Claims about networks, beside what was measured here.

use crate::compare::{Difference, Scoreboard};
use crate::table::Table;
use std::fmt;

/// A time counts as "a fifth" up to a quarter more.
const TIME_SLACK: f64 = 1.25;

/// A claim that a network is better than others, to compare with a [`Scoreboard`].
///
/// Where there are several others, the claim is about the best of them.
///
/// ```
/// use tchalk::prelude::*;
/// let claim = Claim::new("combined", &["transfer", "from scratch"]).points(0.5, 2.0).time(0.2);
/// println!("{:?}", Scoreboard::new().claims(&[claim]));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    name: String,
    others: Vec<String>,
    /// `None`: more than chance explains.
    points: Option<(f64, f64)>,
    time: Option<f64>,
}

impl Claim {
    /// `name` is clearly better than each of `others`: by more than chance explains.
    pub fn new(name: &str, others: &[&str]) -> Claim {
        let others = others.iter().map(|other| (*other).to_owned()).collect();
        Claim { name: name.to_owned(), others, points: None, time: None }
    }

    /// It is better by `least` to `most` percentage points.
    pub fn points(mut self, least: f64, most: f64) -> Claim {
        self.points = Some((least, most));
        self
    }

    /// It was trained in this fraction of the others' time: 0.2 for a fifth of it.
    pub fn time(mut self, part: f64) -> Claim {
        self.time = Some(part);
        self
    }
}

/// Whether a claim holds here.
#[derive(Debug, Clone, PartialEq)]
enum Verdict {
    Holds,
    /// By more than was claimed.
    HoldsAndMore,
    /// As large as claimed, but within the margin.
    WithinChance,
    /// Too small a difference to show it.
    NotShown,
    /// Smaller than claimed, but the margin reaches that far.
    MayBeHidden,
    Worse,
    Fails,
    /// There is no result for this network.
    NotMeasured(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Holds => "yes",
            Verdict::HoldsAndMore => "yes, and more",
            Verdict::WithinChance => "as claimed, but chance alone could do that",
            Verdict::NotShown => "not shown: chance alone could do that",
            Verdict::MayBeHidden => "not shown: chance may hide it",
            Verdict::Worse => "no: it is worse",
            Verdict::Fails => "no",
            Verdict::NotMeasured(name) => return write!(f, "not measured: no result for {name}"),
        })
    }
}

/// A claim, what was measured, and the verdict.
struct Row(String, String, Verdict);

impl Scoreboard {
    /// Each claim beside what was measured here, and whether it holds.
    pub fn claims(&self, claims: &[Claim]) -> Table {
        let rows = claims.iter().flat_map(|claim| self.rows_of(claim));
        let rows = rows.map(|Row(claim, here, verdict)| [claim, here, verdict.to_string()]);
        Table::new(["claim", "here", "did it hold?"]).rows(rows)
    }

    fn rows_of(&self, claim: &Claim) -> Vec<Row> {
        let than = match &claim.others[..] {
            [one] => one.clone(),
            several => format!("each of {}", several.join(" and ")),
        };
        let gain = match claim.points {
            None => format!("a clear gain over {than}"),
            Some((least, most)) => format!("{least} to {most} points better than {than}"),
        };
        let mut rows = vec![self.gain(claim, format!("{}: {gain}", claim.name))];
        if let Some(part) = claim.time {
            rows.extend(claim.others.iter().map(|other| self.time(&claim.name, other, part)));
        }
        rows
    }

    fn gain(&self, claim: &Claim, text: String) -> Row {
        let Some(ours) = self.get(&claim.name) else {
            return unknown(text, &claim.name);
        };
        let mut best = None;
        for other in &claim.others {
            let Some(theirs) = self.get(other) else { return unknown(text, other) };
            let difference = ours.difference(&theirs);
            if best
                .as_ref()
                .is_none_or(|(least, _): &(Difference, _)| difference.accuracy < least.accuracy)
            {
                best = Some((difference, other));
            }
        }
        let Some((difference, other)) = best else { return unknown(text, "another network") };
        let (points, margin) = (100.0 * difference.accuracy, 100.0 * difference.margin);
        let beside =
            if claim.others.len() > 1 { format!(" beside {other}") } else { String::new() };
        let here = format!("{points:+.2} ± {margin:.2}{beside}");
        Row(text, here, verdict(points, margin, claim.points))
    }

    fn time(&self, name: &str, other: &str, part: f64) -> Row {
        let text = format!("{name}: in {part} of the time of {other}");
        match (self.seconds(name), self.seconds(other)) {
            (Some(ours), Some(theirs)) if theirs > 0.0 => {
                let ratio = ours / theirs;
                let holds = ratio <= TIME_SLACK * part;
                let verdict = if holds { Verdict::Holds } else { Verdict::Fails };
                Row(text, format!("in {ratio:.2} of it"), verdict)
            }
            (None, _) => unknown(text, name),
            _ => unknown(text, other),
        }
    }
}

/// Whether a difference of this number of points, with this margin, supports the claim.
fn verdict(points: f64, margin: f64, claimed: Option<(f64, f64)>) -> Verdict {
    let clear = points > margin;
    match claimed {
        None if clear => Verdict::Holds,
        None if points < -margin => Verdict::Worse,
        None => Verdict::NotShown,
        Some((least, most)) => match (points >= least, clear) {
            (true, true) if points > most => Verdict::HoldsAndMore,
            (true, true) => Verdict::Holds,
            (true, false) => Verdict::WithinChance,
            (false, _) if points + margin >= least => Verdict::MayBeHidden,
            (false, _) => Verdict::Fails,
        },
    }
}

fn unknown(text: String, missing: &str) -> Row {
    Row(text, "–".into(), Verdict::NotMeasured(missing.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::testing::certain_predictions;
    use crate::train::History;

    fn board() -> Scoreboard {
        let truth: Vec<usize> = (0..400).map(|i| i % 2).collect();
        let right = |count: usize| {
            let said: Vec<usize> =
                truth.iter().enumerate().map(|(i, t)| t ^ usize::from(i >= count)).collect();
            certain_predictions(&truth, &said, 2).evaluate().unwrap()
        };
        let mut board = Scoreboard::new();
        board.add("all", &right(400), &History::default());
        board.add_untrained("most", &right(398));
        board.add_untrained("half", &right(200));
        board.add_missing("far", "its weights were not available");
        board
    }

    /// What was measured, and the verdict, of each row of a claim.
    fn rows(claim: Claim) -> Vec<(String, Verdict)> {
        board().rows_of(&claim).into_iter().map(|Row(_, here, verdict)| (here, verdict)).collect()
    }

    fn verdict_on(claim: Claim) -> Verdict {
        rows(claim).remove(0).1
    }

    #[test]
    fn a_claim_is_held_against_the_best_of_the_others() {
        let (here, verdict) = rows(Claim::new("all", &["half", "most"]).points(0.5, 2.0)).remove(0);
        assert!(here.starts_with("+0.50") && here.ends_with("most"), "{here}");
        assert_eq!(verdict, Verdict::WithinChance);
    }

    #[test]
    fn clear_gains_and_clear_losses_are_told_apart() {
        let (here, verdict) = rows(Claim::new("all", &["half"])).remove(0);
        assert!(here.starts_with("+50.00"), "{here}");
        assert_eq!(verdict, Verdict::Holds);
        assert_eq!(verdict_on(Claim::new("half", &["all"])), Verdict::Worse);
        assert_eq!(verdict_on(Claim::new("all", &["most"])), Verdict::NotShown);
        let points = |name, other| Claim::new(name, &[other]).points(0.5, 2.0);
        assert_eq!(verdict_on(points("all", "half")), Verdict::HoldsAndMore);
        assert_eq!(verdict_on(points("half", "all")), Verdict::Fails);
    }

    #[test]
    fn what_was_not_measured_is_said() {
        let missing = |name: &str| Verdict::NotMeasured(name.into());
        let rows = rows(Claim::new("all", &["far"]).time(0.2));
        assert_eq!([&rows[0].1, &rows[1].1], [&missing("far"), &missing("far")]);
        assert_eq!(verdict_on(Claim::new("all", &[])), missing("another network"));
        assert_eq!(verdict_on(Claim::new("gold", &["all"])), missing("gold"));
    }

    #[test]
    fn the_table_has_the_words() {
        let table = format!("{:?}", board().claims(&[Claim::new("all", &["half"]).time(0.2)]));
        // Neither was trained for any time.
        for words in [Verdict::Holds, Verdict::NotMeasured("half".into())] {
            assert!(table.contains(&words.to_string()), "{table}");
        }
    }
}
