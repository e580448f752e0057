//! How did the training go?

use super::Checklist;
use super::compiled::text as rate_text;
use crate::train::{Epoch, History};

/// Below this, ten classes are hardly told apart.
const GUESSING: f64 = 0.2;

/// In fewer epochs nobody learns pictures by heart.
const BY_HEART: usize = 4;

/// Reads the curves of a training: whether the network learned at all, whether it was still getting
/// better, whether it learned its pictures by heart, whether the steps were too large, and whether the
/// validation can be trusted.
///
/// What it says of guessing holds for ten classes.
///
/// ```
/// use tchalk::prelude::*;
/// let list = check::training(&History::default());
/// assert!(format!("{list:?}").contains("no epoch was finished"));
/// ```
pub fn training(history: &History) -> Checklist {
    let mut list = Checklist::new("your training");
    let epochs = history.epochs();
    let Some(last) = epochs.last() else {
        let why = history.ended().map_or(String::new(), |why| format!(" ({why})"));
        list.wrong(
            "training",
            format!("no epoch was finished{why}. Run fit, and let it go on for a while."),
        );
        return list;
    };
    let leaks = leak(&mut list, history);
    if learned(&mut list, history, &epochs, last) {
        let shortened = super::shortened(&history.notes());
        let fits = match epochs.len() < BY_HEART {
            true => early_gap(&mut list, last, epochs.len()),
            false => gap(&mut list, history, last),
        };
        if fits {
            further(&mut list, &epochs, shortened);
        }
    }
    if last.val_loss.is_none() {
        list.odd(
            "validation",
            "there is none, so nobody can tell what was understood from what was learned by heart. Add \
             .validation_split(0.1) or .validation(&…) to Fit.",
        );
    } else if !leaks {
        list.right(
            "validation",
            "on pictures that were not learned from. What you choose by it (epochs, layers, rate) makes \
             it a little too good: measure once more, at the end, on pictures that chose nothing.",
        );
    }
    let notes = history.notes();
    notes.iter().filter(|note| !is_leak(note)).for_each(|note| list.note("note", note.clone()));
    list
}

/// The library recognises pictures that it has seen.
fn is_leak(note: &str) -> bool {
    note.contains("validation examples were trained on")
}

fn leak(list: &mut Checklist, history: &History) -> bool {
    let notes = history.notes();
    let Some(note) = notes.iter().find(|note| is_leak(note)) else { return false };
    list.wrong(
        "validation",
        format!(
            "{note}. A network is not asked what it was told before: such an accuracy is bound to be \
             too high. Hold pictures back with .validation_split(0.1), or split the set before training."
        ),
    );
    true
}

/// Whether it learned at all; if not, why not.
fn learned(list: &mut Checklist, history: &History, epochs: &[Epoch], last: &Epoch) -> bool {
    let first = &epochs[0];
    let best = epochs.iter().map(|epoch| epoch.loss).fold(f64::INFINITY, f64::min);
    let rate = epochs.iter().map(|epoch| epoch.rate).fold(0.0, f64::max);
    let shown = rate_text(rate);
    let percent = 100.0 * last.accuracy;
    let broken = epochs.iter().any(|epoch| !epoch.loss.is_finite());
    let rising = last.loss > 1.5 * best && last.loss > best + 0.05;
    if broken || rising {
        let what = if broken { "is no number any more" } else { "went up instead of down" };
        list.wrong(
            "loss",
            format!(
                "the loss {what} ({:.3} at best, {:.3} at the end). The steps are too large: build the \
                 network anew and compile it with a tenth of the learning rate ({shown} now).",
                best, last.loss
            ),
        );
        return false;
    }
    let guesses = last.accuracy < GUESSING;
    // A beginning worse than guessing by far, and no recovery.
    if last.accuracy < 0.6 && (rate >= 0.5 || first.loss > 10.0) {
        list.wrong(
            "learning",
            format!(
                "the first epoch ended with a loss of {:.1}, and guessing is 2.3: the learning rate of \
                 {shown} is too large. Build the network anew, and compile it with 1e-3.",
                first.loss
            ),
        );
        return false;
    }
    if let Some(val) = last.val_accuracy.filter(|&val| val < GUESSING && last.accuracy > 0.5) {
        list.wrong(
            "learning",
            format!(
                "it knows {percent:.1} % of its training pictures, but of others only {:.1} %: it has \
                 learned them one by one. Do the labels still belong to the pictures? Look at an \
                 image_grid; shuffling pictures or labels alone breaks them apart.",
                100.0 * val
            ),
        );
        return false;
    }
    // In a short first training the figures are means over a time in which it hardly knew anything.
    let begun = epochs.len() < 3 && last.loss < 2.25;
    if !guesses || begun || last.val_accuracy.is_some_and(|val| val >= GUESSING) {
        let text = match epochs.len() {
            1 => format!("it has begun to learn: a loss of {:.3} (guessing is 2.303).", last.loss),
            _ => format!("it learned: the loss went from {:.3} to {:.3}.", first.loss, last.loss),
        };
        list.right("learning", text);
        return true;
    }
    let why = if rate < 1e-5 {
        format!("The learning rate of {shown} is so small that it has hardly moved: try 1e-3.")
    } else if last.loss > 2.5 || (rate >= 0.1 && last.loss > 2.28) {
        format!(
            "The learning rate of {shown} is too large: build the network anew, and compile it with \
             1e-3."
        )
    } else if first.loss - last.loss > 0.05 {
        "It has begun to learn, slowly: more epochs, or a learning rate ten times as large.".into()
    } else {
        "A loss near 2.30 means guessing among ten. Do the labels still belong to the pictures (look at \
         an image_grid)? Does the network end in Dense::new(10) and Softmax, with nothing between them?"
            .into()
    };
    if super::shortened(&history.notes()) && last.loss < 2.5 {
        list.note(
            "learning",
            format!(
                "too early to tell ({percent:.1} % right, loss {:.2}; guessing is 2.30): the budget \
                 left only a little of the training.",
                last.loss
            ),
        );
        return false;
    }
    list.wrong(
        "learning",
        format!(
            "it is no better than guessing ({percent:.1} % right, loss {:.2}). {why}",
            last.loss
        ),
    );
    false
}

/// The gap after a few epochs. Where it is large, it comes from running averages that have not arrived
/// yet: they follow the batches over some hundred steps.
fn early_gap(list: &mut Checklist, last: &Epoch, count: usize) -> bool {
    let Some(val_accuracy) = last.val_accuracy else { return true };
    let points = 100.0 * (last.accuracy - val_accuracy);
    let epochs = if count == 1 { "epoch" } else { "epochs" };
    if points > 3.0 {
        list.note(
            "over-fitting",
            format!(
                "after {count} {epochs} it is too early to tell. It does {points:.1} points better on \
                 its training pictures; learning by heart takes longer. With BatchNorm2d the averages \
                 that it uses on new pictures need some hundred steps to become right: train on, or let \
                 them follow more quickly with .momentum(0.9)."
            ),
        );
        return true;
    }
    none_to_speak_of(list, last.accuracy, val_accuracy);
    true
}

fn none_to_speak_of(list: &mut Checklist, accuracy: f64, val_accuracy: f64) {
    list.right(
        "over-fitting",
        format!(
            "none to speak of: {:.1} % of the training pictures, {:.1} % of the others.",
            100.0 * accuracy,
            100.0 * val_accuracy
        ),
    );
}

/// Whether it understands more than it knows by heart.
fn gap(list: &mut Checklist, history: &History, last: &Epoch) -> bool {
    let (Some(val_accuracy), Some(val_loss)) = (last.val_accuracy, last.val_loss) else {
        return true;
    };
    let (number, least) = history.best("val_loss").map_or((last.number, val_loss), |epoch| {
        (epoch.number, epoch.val_loss.unwrap_or(val_loss))
    });
    let points = 100.0 * (last.accuracy - val_accuracy);
    let risen = number < last.number && val_loss > 1.15 * least && val_loss > least + 0.01;
    let remedy = "Stop there (EarlyStopping), or add Dropout, augmentation, or more pictures.";
    if points > 3.0 && (risen || points > 6.0) {
        list.wrong(
            "over-fitting",
            format!(
                "it knows {:.1} % of its training pictures and {:.1} % of the others: a gap of \
                 {points:.1} points. It was best at epoch {number}; since then it learns by heart. \
                 {remedy}",
                100.0 * last.accuracy,
                100.0 * val_accuracy
            ),
        );
        return false;
    }
    if risen {
        list.odd(
            "over-fitting",
            format!(
                "the validation loss was least at epoch {number} ({least:.3}), and is {val_loss:.3} \
                 now: it has begun to learn by heart. {remedy}"
            ),
        );
        return false;
    }
    if points > 1.0 {
        list.odd(
            "over-fitting",
            format!(
                "it does {points:.1} points better on its training pictures than on others. Dropout or \
                 augmentation would close the gap."
            ),
        );
    } else {
        none_to_speak_of(list, last.accuracy, val_accuracy);
    }
    true
}

/// Whether more epochs would help.
fn further(list: &mut Checklist, epochs: &[Epoch], shortened: bool) {
    let measure = |epoch: &Epoch| epoch.val_loss.unwrap_or(epoch.loss);
    let better = match epochs {
        [.., before, last] => {
            let best = epochs.iter().map(measure).fold(f64::INFINITY, f64::min);
            measure(last) <= best && measure(last) < 0.97 * measure(before)
        }
        _ => true,
    };
    let count = epochs.len();
    let text = match (better, count) {
        (true, 1) => "one epoch, and it has just begun: train for 5 to 12.".into(),
        (true, _) => {
            format!("it was still getting better after {count} epochs: go on for a few more.")
        }
        (false, _) => {
            list.right(
                "epochs",
                format!("{count} epochs: about as many as it needs at this rate."),
            );
            return;
        }
    };
    match shortened {
        true => list.note("epochs", format!("{text} (The budget ended it, not you.)")),
        false => list.odd("epochs", text),
    }
}
