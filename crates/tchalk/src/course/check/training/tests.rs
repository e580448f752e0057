use super::*;
use crate::course::checklist::Severity::{self, Advice, Good, Info, Problem};
use crate::runtime::Budget;
use crate::train::Shortened;

/// Epochs of training accuracy, loss, and accuracy on other images.
fn history(epochs: &[(f64, f64, f64)]) -> History {
    let epoch = |(index, &(accuracy, loss, val_accuracy)): (usize, &(f64, f64, f64))| Epoch {
        number: index + 1,
        loss,
        accuracy,
        val_loss: Some(loss + 1.0 - val_accuracy),
        val_accuracy: Some(val_accuracy),
        metrics: Default::default(),
        learning_rate: 1e-3,
        seconds: 1.0,
    };
    let epochs = epochs.iter().enumerate().map(epoch).collect();
    let (optimizer, loss) = ("Adam".into(), "CategoricalCrossEntropy".into());
    History { epochs, optimizer, loss, ..History::default() }
}

fn shortened(history: History) -> History {
    let to = Shortened::Training {
        epochs: 3,
        planned_epochs: 12,
        examples: 100,
        all_examples: 100,
        seconds: None,
    };
    History { notes: vec![Note::Shortened { budget: Budget::Class, to }], ..history }
}

/// Whether this was found, as grave as this.
fn found(history: &History, severity: Severity, finding: Finding) -> bool {
    let list = training(history);
    println!("{list:?}\n");
    list.findings().contains(&(severity, finding))
}

#[test]
fn running_averages_that_lag_are_not_memorizing() {
    let early = history(&[(0.6, 1.2, 0.1), (0.9, 0.3, 0.11)]);
    assert!(training(&early).passes() && found(&early, Info, Finding::TooEarlyForOverfitting));
    let late = history(&[(0.6, 1.2, 0.1), (0.9, 0.3, 0.11), (0.95, 0.2, 0.1), (0.99, 0.1, 0.1)]);
    assert!(found(&late, Problem, Finding::MemorizedLabels));
}

#[test]
fn a_budget_leaves_too_few_epochs_to_count_them() {
    let whole = history(&[(0.9, 0.30, 0.95), (0.95, 0.2, 0.96), (0.96, 0.2, 0.96)]);
    assert!(found(&whole, Good, Finding::EnoughEpochs));
    assert!(found(&shortened(whole), Info, Finding::TooEarlyForEpochs));
}

#[test]
fn a_budget_leaves_too_little_to_tell_whether_it_learns() {
    let guessing = history(&[(0.1, 2.303, 0.1)]);
    assert!(found(&guessing, Problem, Finding::Guesses));
    assert!(found(&shortened(guessing), Info, Finding::TooEarlyToTell));
}

#[test]
fn the_loss_tells_that_the_steps_are_too_large() {
    assert!(found(&history(&[(0.1, f64::NAN, 0.1)]), Problem, Finding::LossNotFinite));
    let rising = history(&[(0.5, 1.0, 0.5), (0.3, 1.9, 0.3)]);
    assert!(found(&rising, Problem, Finding::LossRose));
    assert!(found(&history(&[(0.3, 12.0, 0.3)]), Problem, Finding::LargeFirstLoss));
    assert!(found(&history(&[(0.1, 2.6, 0.1)]), Problem, Finding::GuessesWithLargeLearningRate));
}

#[test]
fn slow_learning_is_found() {
    let crawling = history(&[(0.1, 2.30, 0.1), (0.12, 2.2, 0.12), (0.15, 2.1, 0.15)]);
    assert!(found(&crawling, Problem, Finding::LearnsSlowly));
    let slow = history(&[(0.3, 2.0, 0.3), (0.5, 1.6, 0.5), (0.6, 1.3, 0.6), (0.7, 1.0, 0.7)]);
    assert!(found(&slow, Advice, Finding::Underfits));
    assert!(!training(&shortened(slow)).has(Finding::Underfits), "that was the budget");
    // Augmented images are harder than those of the validation.
    let augmented = history(&[(0.8, 0.6, 0.97); 5]);
    assert!(!training(&augmented).has(Finding::Underfits));
}

#[test]
fn the_restored_weights_are_judged() {
    let mut history = history(&[
        (0.80, 0.6, 0.93),
        (0.93, 0.3, 0.95),
        (0.96, 0.2, 0.96),
        (0.97, 0.1, 0.97),
        (0.99, 0.05, 0.86),
        (0.999, 0.01, 0.80),
    ]);
    assert!(found(&history, Problem, Finding::Overfits));
    history.restored_epoch = Some(4);
    assert!(found(&history, Good, Finding::NoOverfitting));
    assert!(found(&history, Good, Finding::WeightsRestored));
}

#[test]
fn small_gaps_are_told_from_large_ones() {
    let small =
        history(&[(0.9, 0.4, 0.9), (0.95, 0.2, 0.94), (0.97, 0.1, 0.95), (0.98, 0.08, 0.96)]);
    assert!(found(&small, Advice, Finding::SmallGap));
    let mut rising =
        history(&[(0.9, 0.4, 0.9), (0.91, 0.3, 0.91), (0.92, 0.3, 0.92), (0.92, 0.3, 0.92)]);
    rising.epochs[3].val_loss = Some(0.9);
    assert!(found(&rising, Advice, Finding::BeginsToOverfit));
    assert!(!training(&rising).has(Finding::EnoughEpochs));
}

#[test]
fn other_losses_have_other_numbers() {
    let with_squares =
        |epochs: &[(f64, f64, f64)]| History { loss: "MeanSquaredError".into(), ..history(epochs) };
    let guessing = with_squares(&[(0.1, 0.09, 0.1)]);
    assert!(found(&guessing, Problem, Finding::GuessesWithSlowLoss));
    let begun = with_squares(&[(0.4, 0.08, 0.45)]);
    assert!(found(&begun, Good, Finding::Learned));
    assert!(!format!("{:?}", training(&begun)).contains("2.303"));
}

#[test]
fn a_leak_is_found_and_said_once() {
    let mut leaking = history(&[(0.9, 0.3, 0.9)]);
    leaking.notes.push(Note::Leak { validation: true, leaked: 5, examples: 50 });
    assert!(found(&leaking, Problem, Finding::ValidationLeak));
    assert!(!training(&leaking).has(Finding::Note));
}

/// How a list reads, and that it names the learning rate to try.
#[test]
fn the_list_in_words() {
    let mut stuck = history(&[(0.1, 2.303, 0.1); 5]);
    stuck.optimizer = "Sgd".into();
    stuck.epochs.iter_mut().for_each(|epoch| epoch.learning_rate = 1e-7);
    assert_eq!(
        format!("{:?}", training(&stuck)),
        "✔ validation: on images that were not learned from. What you choose by it (epochs, layers, \
         learning rate) makes it a little too good: measure once more, at the end, on images that \
         chose nothing.\n\
         ✘ learning: it is no better than guessing (10.0 % right, loss 2.30). The learning rate of \
         1e-7 is so small that it has hardly moved: try 0.05.\n\
         your training: one thing to fix. Change it, and run the cells again."
    );
}
