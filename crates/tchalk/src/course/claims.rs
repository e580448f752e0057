//! Claims about networks, beside what was measured here.

use crate::compare::{Difference, Scoreboard};
use crate::table::Table;

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

impl Scoreboard {
    /// Each claim beside what was measured here, and whether it holds.
    pub fn claims(&self, claims: &[Claim]) -> Table {
        let rows = claims.iter().flat_map(|claim| self.rows_of(claim));
        Table::new(["claim", "here", "did it hold?"]).rows(rows)
    }

    fn rows_of(&self, claim: &Claim) -> Vec<[String; 3]> {
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

    fn gain(&self, claim: &Claim, text: String) -> [String; 3] {
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
        [text, format!("{points:+.2} ± {margin:.2}{beside}"), held(points, margin, claim.points)]
    }

    fn time(&self, name: &str, other: &str, part: f64) -> [String; 3] {
        let text = format!("{name}: in {part} of the time of {other}");
        match (self.seconds(name), self.seconds(other)) {
            (Some(ours), Some(theirs)) if theirs > 0.0 => {
                let ratio = ours / theirs;
                let verdict = if ratio <= TIME_SLACK * part { "yes" } else { "no" };
                [text, format!("in {ratio:.2} of it"), verdict.into()]
            }
            (None, _) => unknown(text, name),
            _ => unknown(text, other),
        }
    }
}

/// Whether a difference of this number of points, with this margin, supports the claim.
fn held(points: f64, margin: f64, claimed: Option<(f64, f64)>) -> String {
    let clear = points > margin;
    match claimed {
        None if clear => "yes".into(),
        None if points < -margin => "no: it is worse".into(),
        None => "not shown: chance alone could do that".into(),
        Some((least, most)) => match (points >= least, clear) {
            (true, true) if points > most => "yes, and more".into(),
            (true, true) => "yes".into(),
            (true, false) => "as claimed, but chance alone could do that".into(),
            (false, _) if points + margin >= least => "not shown: chance may hide it".into(),
            (false, _) => "no".into(),
        },
    }
}

fn unknown(text: String, missing: &str) -> [String; 3] {
    [text, "–".into(), format!("not measured: no result for {missing}")]
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

    fn said(claim: Claim) -> String {
        format!("{:?}", board().claims(&[claim]))
    }

    #[test]
    fn a_claim_is_held_against_the_best_of_the_others() {
        let text = said(Claim::new("all", &["half", "most"]).points(0.5, 2.0));
        assert!(text.contains("+0.50") && text.contains("beside most"), "{text}");
        assert!(text.contains("chance alone could do that"), "{text}");
    }

    #[test]
    fn clear_gains_and_clear_losses_are_told_apart() {
        let text = said(Claim::new("all", &["half"]));
        assert!(text.contains("yes") && text.contains("+50.00"), "{text}");
        assert!(said(Claim::new("half", &["all"])).contains("no: it is worse"));
        assert!(said(Claim::new("all", &["most"])).contains("not shown"));
        assert!(said(Claim::new("all", &["half"]).points(0.5, 2.0)).contains("yes, and more"));
        assert!(said(Claim::new("half", &["all"]).points(0.5, 2.0)).contains("no"));
    }

    #[test]
    fn what_was_not_measured_is_said() {
        let text = said(Claim::new("all", &["far"]).time(0.2));
        assert!(text.contains("not measured: no result for far"), "{text}");
        assert!(said(Claim::new("all", &[])).contains("no result for another network"));
        assert!(said(Claim::new("gold", &["all"])).contains("no result for gold"));
        // Neither was trained for any time.
        assert!(said(Claim::new("all", &["half"]).time(0.2)).contains("no result for half"));
    }
}
