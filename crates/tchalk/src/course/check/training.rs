//! How did the training go?

use super::settings::{UsualRates, number};
use crate::course::checklist::{Checklist, Severity, Topic, topics};
use crate::course::finding::Finding;
use crate::text::percent;
use crate::train::{Epoch, History, Note};

/// An accuracy below this hardly tells ten classes apart.
const GUESSING: f64 = 0.2;
/// In fewer epochs no network memorizes its images.
const MEMORIZING_EPOCHS: usize = 4;

/// Reads the curves of a training: whether the network learned at all, whether it was still getting
/// better, whether it memorized its images, whether the steps were too large, and whether the
/// validation can be trusted.
///
/// What it says of guessing holds for ten classes.
///
/// ```
/// use tchalk::prelude::*;
/// let list = check::training(&History::default());
/// assert_eq!(list.problems(), [check::Finding::NoEpochs]);
/// ```
pub fn training(history: &History) -> Checklist {
    let mut list = Checklist::new("your training");
    let Some(it) = Training::of(history) else {
        let why = history.stop_reason().map_or(String::new(), |why| format!(" ({why})"));
        let text = format!("no epoch was finished{why}. Run fit, and let it go on for a while.");
        list.push(Finding::NoEpochs, Severity::Problem, "training", text);
        return list;
    };
    list.examine(&it, LEARNING);
    if list.has(Finding::Learned) {
        list.examine(&it, FIT);
        let overfits = list.has(Finding::Overfits) || list.has(Finding::BeginsToOverfit);
        if it.restored.is_some() || !overfits {
            list.examine(&it, EPOCHS);
        }
    }
    for note in history.notes().iter().filter(|note| !note.is_leak()) {
        list.push(Finding::Note, Severity::Info, "note", note.to_string());
    }
    list
}

/// What the check looks at: the epochs up to the one whose weights were kept.
struct Training {
    epochs: Vec<Epoch>,
    first: Epoch,
    last: Epoch,
    /// The epoch whose weights were restored.
    restored: Option<usize>,
    smallest_loss: f64,
    /// The largest learning rate, and those that are usual.
    learning_rate: f64,
    usual: UsualRates,
    optimizer: String,
    loss: String,
    shortened: bool,
    leak: Option<Note>,
}

impl Training {
    /// `None` if no epoch was finished.
    fn of(history: &History) -> Option<Training> {
        let mut epochs = history.epochs();
        let restored = history.restored_epoch;
        if let Some(kept) = epochs.iter().position(|epoch| Some(epoch.number) == restored) {
            epochs.truncate(kept + 1);
        }
        Some(Training {
            first: epochs.first()?.clone(),
            last: epochs.last()?.clone(),
            restored,
            smallest_loss: epochs.iter().map(|epoch| epoch.loss).fold(f64::INFINITY, f64::min),
            learning_rate: epochs.iter().map(|epoch| epoch.learning_rate).fold(0.0, f64::max),
            usual: UsualRates::of(&history.optimizer),
            optimizer: history.optimizer.clone(),
            loss: history.loss.clone(),
            shortened: history.is_shortened(),
            leak: history.notes().into_iter().find(Note::is_leak),
            epochs,
        })
    }

    /// Whether the loss of guessing is known: that of the usual loss is.
    fn has_cross_entropy(&self) -> bool {
        matches!(self.loss.as_str(), "" | "CategoricalCrossEntropy")
    }

    fn is_early(&self) -> bool {
        self.epochs.len() < MEMORIZING_EPOCHS
    }

    /// Whether the first epoch was far worse than guessing, and nothing made up for it.
    fn began_badly(&self) -> bool {
        let large = self.has_cross_entropy() && self.first.loss > 10.0;
        self.last.accuracy < 0.6 && (self.learning_rate >= 0.5 || large)
    }

    fn has_learned(&self) -> bool {
        let accuracy = self.last.val_accuracy.unwrap_or(0.0).max(self.last.accuracy);
        // The figures of a short training are means over a time in which it hardly knew anything.
        let has_begun = self.epochs.len() < 3 && self.has_cross_entropy() && self.last.loss < 2.25;
        accuracy >= GUESSING || has_begun
    }

    /// Whether it knows its training images alone. In the first epochs that may come from running
    /// averages.
    fn has_memorized(&self) -> bool {
        let guesses = self.last.val_accuracy.is_some_and(|val| val < GUESSING);
        guesses && self.last.accuracy > 0.5 && !self.is_early()
    }

    /// How much better it does on its training images, in percentage points.
    fn gap(&self) -> f64 {
        let accuracy = self.last.accuracy;
        100.0 * (accuracy - self.last.val_accuracy.unwrap_or(accuracy))
    }

    /// The epoch with the smallest validation loss, and that loss.
    fn best_validation(&self) -> Option<(usize, f64)> {
        let losses = self.epochs.iter().filter_map(|epoch| Some((epoch.number, epoch.val_loss?)));
        losses.filter(|(_, loss)| loss.is_finite()).min_by(|a, b| a.1.total_cmp(&b.1))
    }

    fn validation_loss_rose(&self) -> bool {
        match (self.best_validation(), self.last.val_loss) {
            (Some((number, least)), Some(now)) => {
                number < self.last.number && now > 1.15 * least && now > least + 0.01
            }
            _ => false,
        }
    }

    fn best_epoch(&self) -> usize {
        self.best_validation().map_or(self.last.number, |best| best.0)
    }

    /// Whether the last epoch was clearly better than all before it.
    fn is_improving(&self) -> bool {
        let loss = |epoch: &Epoch| epoch.val_loss.unwrap_or(epoch.loss);
        let [.., before, last] = &self.epochs[..] else { return true };
        let best = self.epochs.iter().map(loss).fold(f64::INFINITY, f64::min);
        loss(last) <= best && loss(last) < 0.97 * loss(before)
    }

    fn accuracy_text(&self) -> String {
        percent(self.last.accuracy, 1)
    }

    fn val_accuracy_text(&self) -> String {
        percent(self.last.val_accuracy.unwrap_or(f64::NAN), 1)
    }

    fn epochs_text(&self) -> String {
        match self.epochs.len() {
            1 => "1 epoch".into(),
            count => format!("{count} epochs"),
        }
    }
}

/// Did it learn at all, and can that be trusted?
const LEARNING: &[Topic<Training>] = topics![|it: Training|
    "validation" {
        Advice NoValidation if it.last.val_loss.is_none() =>
            "there is none, so nobody can tell what was understood from what was memorized. Add \
             .validation_split(0.1) or .validation(&…) to Fit.";
        Problem ValidationLeak if it.leak.is_some() =>
            format!("{}. Such an accuracy is bound to be too high. Hold images back with \
                     .validation_split(0.1), or split the set before training; if you split again \
                     after training, build a new network.",
                it.leak.as_ref().map_or(String::new(), Note::to_string));
        Good NewValidation =>
            "on images that were not learned from. What you choose by it (epochs, layers, learning \
             rate) makes it a little too good: measure once more, at the end, on images that chose \
             nothing.";
    }
    "learning" {
        Problem LossNotFinite if it.epochs.iter().any(|epoch| !epoch.loss.is_finite()) =>
            steps_too_large("is not a number anymore", it);
        Problem LossRose if {
            let (last, least) = (it.last.loss, it.smallest_loss);
            last > 1.5 * least && last > least + 0.05
        } => steps_too_large("went up instead of down", it);
        Problem LargeFirstLoss if it.began_badly() =>
            format!("the first epoch ended with a loss of {:.1}{}: the learning rate of {} is too \
                     large. Build a new network, and compile it with {}.",
                it.first.loss, if it.has_cross_entropy() { ", and guessing is 2.3" } else { "" },
                number(it.learning_rate), number(it.usual.best));
        Problem MemorizedLabels if it.has_memorized() =>
            format!("it knows {} of its training images, but of others only {}: it has memorized \
                     them. Do the labels still belong to the images? Look at an image_grid; \
                     shuffling images or labels alone breaks them apart.",
                it.accuracy_text(), it.val_accuracy_text());
        Good Learned if it.has_learned() => {
            let (first, last) = (it.first.loss, it.last.loss);
            match it.epochs.len() {
                1 if it.has_cross_entropy() => {
                    format!("it has begun to learn: a loss of {last:.3} (guessing is 2.303).")
                }
                1 => {
                    let accuracy = it.accuracy_text();
                    format!("it has begun to learn: {accuracy} right (guessing is 10 %).")
                }
                _ => format!("it learned: the loss went from {first:.3} to {last:.3}."),
            }
        };
        Info TooEarlyToTell if it.shortened && (!it.has_cross_entropy() || it.last.loss < 2.5) =>
            format!("too early to tell ({} right, loss {:.2}): the budget left only a little of \
                     the training.", it.accuracy_text(), it.last.loss);
        // No better than guessing: why?
        Problem GuessesWithSmallLearningRate if it.learning_rate < it.usual.low / 10.0 => {
            let (rate, best) = (number(it.learning_rate), number(it.usual.best));
            guesses(it, &format!("The learning rate of {rate} is so small that it has hardly moved: \
                                  try {best}."))
        };
        Problem GuessesWithSlowLoss if !it.has_cross_entropy() => {
            guesses(it, &format!("{} learns slowly where there are classes: compile with \
                                  Loss::CategoricalCrossEntropy.", it.loss))
        };
        Problem GuessesWithLargeLearningRate if {
            let high = it.learning_rate > it.usual.high && it.last.loss > 2.28;
            it.last.loss > 2.5 || high
        } => {
            let (rate, best) = (number(it.learning_rate), number(it.usual.best));
            guesses(it, &format!("The learning rate of {rate} is too large: build a new network, and \
                                  compile it with {best}."))
        };
        Problem LearnsSlowly if it.first.loss - it.last.loss > 0.05 => {
            let best = number(it.usual.best);
            let rate = match it.learning_rate < it.usual.best {
                true => format!(", or a learning rate of {best}"),
                false => String::new(),
            };
            guesses(it, &format!("It has begun to learn, slowly: try more epochs{rate}."))
        };
        Problem Guesses =>
            guesses(it, "A loss near 2.30 means guessing among ten. Do the labels still belong to the \
                         images (look at an image_grid)? Does the network end in Dense::new(10) and \
                         Softmax, with nothing between them?");
    }
];

fn guesses(it: &Training, why: &str) -> String {
    let (accuracy, loss) = (it.accuracy_text(), it.last.loss);
    format!("it is no better than guessing ({accuracy} right, loss {loss:.2}). {why}")
}

fn steps_too_large(what: &str, it: &Training) -> String {
    format!(
        "the loss {what} ({:.3} at best, {:.3} at the end). The steps are too large: build a new \
         network and compile it with a tenth of the learning rate ({} now).",
        it.smallest_loss,
        it.last.loss,
        number(it.learning_rate)
    )
}

/// Where it learned: does it over-fit or under-fit?
const FIT: &[Topic<Training>] = topics![|it: Training|
    "over-fitting" {
        // After a few epochs a large gap comes from running averages, which follow the batches over
        // some hundred steps.
        Info TooEarlyForOverfitting if it.is_early() && it.gap() > 3.0 =>
            format!("after {} it is too early to tell. It does {:.1} points better on its training \
                     images; memorizing takes longer. With BatchNorm2d the averages that it uses \
                     on new images need some hundred steps to become right: train on, or let them \
                     follow more quickly with .momentum(0.9).", it.epochs_text(), it.gap());
        Problem Overfits if {
            let gap = it.gap();
            !it.is_early() && gap > 3.0 && (it.validation_loss_rose() || gap > 6.0)
        } =>
            format!("it knows {} of its training images and {} of the others: a gap of {:.1} \
                     points. It was best at epoch {}; since then it memorizes. {STOP_THERE}",
                it.accuracy_text(), it.val_accuracy_text(), it.gap(), it.best_epoch());
        Advice BeginsToOverfit if !it.is_early() && it.validation_loss_rose() => {
            let (epoch, least) = it.best_validation().unwrap_or_default();
            format!(
                "the validation loss was least at epoch {epoch} ({least:.3}), and is {:.3} now: \
                 it has begun to memorize. {STOP_THERE}",
                it.last.val_loss.unwrap_or(f64::NAN)
            )
        };
        Advice SmallGap if !it.is_early() && it.gap() > 1.0 =>
            format!("it does {:.1} points better on its training images than on others. Dropout or \
                     augmentation would close the gap.", it.gap());
        Good NoOverfitting if it.last.val_accuracy.is_some() =>
            format!("hardly any: {} of the training images, {} of the others.",
                it.accuracy_text(), it.val_accuracy_text());
    }
    "under-fitting" {
        Advice Underfits if {
            let accuracy = it.last.val_accuracy.unwrap_or(0.0).max(it.last.accuracy);
            !it.shortened && !it.is_early() && accuracy < 0.9
        } => {
            let rate = match it.optimizer.as_str() {
                "" => "a learning rate that suits the optimizer".to_owned(),
                name => {
                    format!("a learning rate near {} (usual with {name})", number(it.usual.best))
                }
            };
            format!(
                "after {} it knows only {} of its own training images: it learns more slowly than \
                 usual. Try {rate}, a larger network, or a smaller decay.",
                it.epochs_text(),
                it.accuracy_text()
            )
        };
    }
];

const STOP_THERE: &str =
    "Stop there (EarlyStopping), or add Dropout, augmentation, or more images.";

const EPOCHS: &[Topic<Training>] = topics![|it: Training|
    "epochs" {
        Good WeightsRestored if it.restored.is_some() =>
            format!("the weights of epoch {} were restored: later ones were no better.",
                it.restored.unwrap_or_default());
        Info MoreEpochs if it.shortened && it.is_improving() =>
            format!("{} (The budget ended it, not you.)", more_epochs(it));
        Advice MoreEpochs if it.is_improving() => more_epochs(it);
        Info TooEarlyForEpochs if it.shortened => {
            let epochs = it.epochs_text();
            format!(
                "after {epochs} it is too early to tell how many it needs. (The budget ended \
                 it, not you.)"
            )
        };
        Good EnoughEpochs =>
            format!("{}: about as many as it needs at this learning rate.", it.epochs_text());
    }
];

fn more_epochs(it: &Training) -> String {
    match it.epochs.len() {
        1 => "one epoch, and it has just begun: train for 5 to 12.".into(),
        _ => {
            let epochs = it.epochs_text();
            format!("it was still getting better after {epochs}: go on for a few more.")
        }
    }
}

#[cfg(test)]
mod tests;
