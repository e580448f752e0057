//! How did the training go?

use super::Checklist;
use super::compiled::{text as rate_text, usual};
use crate::train::{Epoch, History};

/// Below this, ten classes are hardly told apart.
const GUESSING: f64 = 0.2;

/// In fewer epochs nobody learns images by heart.
const BY_HEART: usize = 4;

/// Reads the curves of a training: whether the network learned at all, whether it was still getting
/// better, whether it learned its images by heart, whether the steps were too large, and whether the
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
    let all = history.epochs();
    // Where the weights of an earlier epoch were put back, what came after it is gone.
    let kept =
        history.restored_epoch.and_then(|kept| all.iter().position(|epoch| epoch.number == kept));
    let epochs = kept.map_or(&all[..], |place| &all[..=place]);
    let Some(last) = epochs.last() else {
        let why = history.stop_reason().map_or(String::new(), |why| format!(" ({why})"));
        list.wrong(
            "training",
            format!("no epoch was finished{why}. Run fit, and let it go on for a while."),
        );
        return list;
    };
    let leaks = leak(&mut list, history);
    if learned(&mut list, history, epochs, last) {
        let fits = match epochs.len() < BY_HEART {
            true => early_gap(&mut list, last, epochs.len()),
            false => gap(&mut list, epochs, last),
        };
        slow(&mut list, history, epochs, last);
        if let Some(number) = history.restored_epoch {
            let text =
                format!("the weights of epoch {number} were put back: later ones were no better.");
            list.right("epochs", text);
        } else if fits {
            further(&mut list, epochs, history.is_shortened());
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
            "on images that were not learned from. What you choose by it (epochs, layers, rate) makes \
             it a little too good: measure once more, at the end, on images that chose nothing.",
        );
    }
    let notes = history.notes();
    notes
        .iter()
        .filter(|note| !note.is_leak())
        .for_each(|note| list.note("note", note.to_string()));
    list
}

fn leak(list: &mut Checklist, history: &History) -> bool {
    let notes = history.notes();
    let Some(note) = notes.iter().find(|note| note.is_leak()) else { return false };
    list.wrong(
        "validation",
        format!(
            "{note}. A network is not asked what it was told before: such an accuracy is bound to be \
             too high. Hold images back with .validation_split(0.1), or split the set before \
             training; if you split anew after training, build the network anew."
        ),
    );
    true
}

/// Whether it learned at all; if not, why not.
fn learned(list: &mut Checklist, history: &History, epochs: &[Epoch], last: &Epoch) -> bool {
    let first = &epochs[0];
    let least = epochs.iter().map(|epoch| epoch.loss).fold(f64::INFINITY, f64::min);
    let rate = epochs.iter().map(|epoch| epoch.learning_rate).fold(0.0, f64::max);
    let (low, high, best) = usual(&history.optimizer);
    let (shown, best_rate) = (rate_text(rate), rate_text(best));
    // What a loss comes to by guessing is known of the usual one.
    let entropy = matches!(history.loss.as_str(), "" | "CategoricalCrossEntropy");
    let percent = 100.0 * last.accuracy;
    let broken = epochs.iter().any(|epoch| !epoch.loss.is_finite());
    let rising = last.loss > 1.5 * least && last.loss > least + 0.05;
    if broken || rising {
        let what = if broken { "is no number any more" } else { "went up instead of down" };
        list.wrong(
            "loss",
            format!(
                "the loss {what} ({:.3} at best, {:.3} at the end). The steps are too large: build the \
                 network anew and compile it with a tenth of the learning rate ({shown} now).",
                least, last.loss
            ),
        );
        return false;
    }
    let guesses = last.accuracy < GUESSING;
    // A beginning worse than guessing by far, and no recovery.
    if last.accuracy < 0.6 && (rate >= 0.5 || (entropy && first.loss > 10.0)) {
        let guessing = if entropy { ", and guessing is 2.3" } else { "" };
        list.wrong(
            "learning",
            format!(
                "the first epoch ended with a loss of {:.1}{guessing}: the learning rate of {shown} is \
                 too large. Build the network anew, and compile it with {best_rate}.",
                first.loss
            ),
        );
        return false;
    }
    let foreign = last.val_accuracy.filter(|&val| val < GUESSING && last.accuracy > 0.5);
    // Earlier than that it is a matter of averages: see early_gap.
    if let Some(val) = foreign.filter(|_| epochs.len() >= BY_HEART) {
        list.wrong(
            "learning",
            format!(
                "it knows {percent:.1} % of its training images, but of others only {:.1} %: it has \
                 learned them one by one. Do the labels still belong to the images? Look at an \
                 image_grid; shuffling images or labels alone breaks them apart.",
                100.0 * val
            ),
        );
        return false;
    }
    // In a short first training the figures are means over a time in which it hardly knew anything.
    let begun = epochs.len() < 3 && entropy && last.loss < 2.25;
    if !guesses || begun || last.val_accuracy.is_some_and(|val| val >= GUESSING) {
        let text = match epochs.len() {
            1 if entropy => {
                format!("it has begun to learn: a loss of {:.3} (guessing is 2.303).", last.loss)
            }
            1 => format!("it has begun to learn: {percent:.1} % right (guessing is 10 %)."),
            _ => format!("it learned: the loss went from {:.3} to {:.3}.", first.loss, last.loss),
        };
        list.right("learning", text);
        return true;
    }
    let why = if rate < low / 10.0 {
        format!(
            "The learning rate of {shown} is so small that it has hardly moved: try {best_rate}."
        )
    } else if !entropy {
        format!(
            "{} learns slowly where there are classes: compile with Loss::CategoricalCrossEntropy.",
            history.loss
        )
    } else if last.loss > 2.5 || (rate > high && last.loss > 2.28) {
        format!(
            "The learning rate of {shown} is too large: build the network anew, and compile it with \
             {best_rate}."
        )
    } else if first.loss - last.loss > 0.05 {
        let more = if rate < best {
            format!(", or a learning rate of {best_rate}")
        } else {
            String::new()
        };
        format!("It has begun to learn, slowly: more epochs{more}.")
    } else {
        "A loss near 2.30 means guessing among ten. Do the labels still belong to the images (look at \
         an image_grid)? Does the network end in Dense::new(10) and Softmax, with nothing between them?"
            .into()
    };
    if history.is_shortened() && (!entropy || last.loss < 2.5) {
        list.note(
            "learning",
            format!(
                "too early to tell ({percent:.1} % right, loss {:.2}): the budget left only a little \
                 of the training.",
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
                 its training images; learning by heart takes longer. With BatchNorm2d the averages \
                 that it uses on new images need some hundred steps to become right: train on, or let \
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
            "none to speak of: {:.1} % of the training images, {:.1} % of the others.",
            100.0 * accuracy,
            100.0 * val_accuracy
        ),
    );
}

/// Whether it understands more than it knows by heart.
fn gap(list: &mut Checklist, epochs: &[Epoch], last: &Epoch) -> bool {
    let (Some(val_accuracy), Some(val_loss)) = (last.val_accuracy, last.val_loss) else {
        return true;
    };
    let losses = epochs.iter().filter_map(|epoch| Some((epoch.number, epoch.val_loss?)));
    let best = losses.filter(|(_, loss)| loss.is_finite()).min_by(|a, b| a.1.total_cmp(&b.1));
    let (number, least) = best.unwrap_or((last.number, val_loss));
    let points = 100.0 * (last.accuracy - val_accuracy);
    let risen = number < last.number && val_loss > 1.15 * least && val_loss > least + 0.01;
    let remedy = "Stop there (EarlyStopping), or add Dropout, augmentation, or more images.";
    if points > 3.0 && (risen || points > 6.0) {
        list.wrong(
            "over-fitting",
            format!(
                "it knows {:.1} % of its training images and {:.1} % of the others: a gap of \
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
                "it does {points:.1} points better on its training images than on others. Dropout or \
                 augmentation would close the gap."
            ),
        );
    } else {
        none_to_speak_of(list, last.accuracy, val_accuracy);
    }
    true
}

/// A network that does not even know its training images has not learned all it could.
fn slow(list: &mut Checklist, history: &History, epochs: &[Epoch], last: &Epoch) {
    let poor = |accuracy: f64| accuracy < 0.9;
    let knows_others = last.val_accuracy.is_some_and(|accuracy| !poor(accuracy));
    let early = history.is_shortened() || epochs.len() < BY_HEART;
    if early || !poor(last.accuracy) || knows_others {
        return;
    }
    let rate = match history.optimizer.as_str() {
        "" => "a learning rate that suits the optimizer".to_owned(),
        name => format!("a learning rate near {} (usual with {name})", rate_text(usual(name).2)),
    };
    list.odd(
        "under-fitting",
        format!(
            "after {} epochs it knows only {:.1} % of its own training images: it learns more slowly \
             than usual. Try {rate}, a larger network, or a smaller decay.",
            epochs.len(),
            100.0 * last.accuracy
        ),
    );
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
        (false, _) if shortened => {
            format!("after {count} epochs it is too early to tell how many it needs.")
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

#[cfg(test)]
mod tests;
