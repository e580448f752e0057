use super::*;
use crate::runtime::Budget;
use crate::train::{Note, Shortened};

/// Epochs of training accuracy, loss, and accuracy on other images.
fn history(epochs: &[(f64, f64, f64)]) -> History {
    let epoch = |(place, &(accuracy, loss, val_accuracy)): (usize, &(f64, f64, f64))| Epoch {
        number: place + 1,
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

fn cut(history: History) -> History {
    let to = Shortened::Training {
        epochs: 3,
        planned_epochs: 12,
        examples: 100,
        all_examples: 100,
        seconds: None,
    };
    History { notes: vec![Note::Shortened { budget: Budget::Class, to }], ..history }
}

fn said(history: &History) -> String {
    let text = format!("{:?}", training(history));
    println!("{text}\n");
    text
}

#[test]
fn averages_that_have_not_arrived_are_no_learning_by_heart() {
    let early = history(&[(0.6, 1.2, 0.1), (0.9, 0.3, 0.11)]);
    let list = training(&early);
    assert!(list.passes() && said(&early).contains("With BatchNorm2d the averages"), "{list:?}");
    let late = history(&[(0.6, 1.2, 0.1), (0.9, 0.3, 0.11), (0.95, 0.2, 0.1), (0.99, 0.1, 0.1)]);
    assert!(said(&late).contains("✘ learning") && said(&late).contains("one by one"));
}

#[test]
fn a_budget_leaves_too_few_epochs_to_count_them() {
    let whole = history(&[(0.9, 0.30, 0.95), (0.95, 0.2, 0.96), (0.96, 0.2, 0.96)]);
    assert!(said(&whole).contains("✔ epochs: 3 epochs: about as many as it needs"));
    assert!(said(&cut(whole)).contains("– epochs: after 3 epochs it is too early"));
}

#[test]
fn the_rate_to_try_is_the_optimizer_s() {
    let stuck = history(&[(0.1, 2.303, 0.1); 5]);
    let small = |optimizer: &str| {
        let mut history = stuck.clone();
        history.optimizer = optimizer.into();
        history.epochs.iter_mut().for_each(|epoch| epoch.learning_rate = 1e-7);
        said(&history)
    };
    assert!(small("Sgd").contains("hardly moved: try 0.05"));
    assert!(small("RmsProp").contains("hardly moved: try 1e-3"));
}

#[test]
fn slow_learning_is_told() {
    let slow = history(&[(0.3, 2.0, 0.3), (0.5, 1.6, 0.5), (0.6, 1.3, 0.6), (0.7, 1.0, 0.7)]);
    let text = said(&slow);
    assert!(text.contains("! under-fitting") && text.contains("1e-3 (usual with Adam)"));
    assert!(!said(&cut(slow)).contains("under-fitting"), "that was the budget");
    // Augmented images are harder than those of the validation.
    let augmented = history(&[(0.8, 0.6, 0.97); 5]);
    assert!(!said(&augmented).contains("under-fitting"));
}

#[test]
fn the_weights_that_were_put_back_are_judged() {
    let mut history = history(&[
        (0.80, 0.6, 0.93),
        (0.93, 0.3, 0.95),
        (0.96, 0.2, 0.96),
        (0.97, 0.1, 0.97),
        (0.99, 0.05, 0.86),
        (0.999, 0.01, 0.80),
    ]);
    assert!(said(&history).contains("✘ over-fitting"));
    history.restored_epoch = Some(4);
    let text = said(&history);
    assert!(
        text.contains("✔ over-fitting") && text.contains("the weights of epoch 4 were put back")
    );
}

#[test]
fn other_losses_have_other_numbers() {
    let mut guessing = history(&[(0.1, 0.09, 0.1)]);
    guessing.loss = "MeanSquaredError".into();
    let text = said(&guessing);
    assert!(text.contains("✘ learning") && text.contains("MeanSquaredError learns slowly"));
    let mut begun = history(&[(0.4, 0.08, 0.45)]);
    begun.loss = "MeanSquaredError".into();
    let text = said(&begun);
    assert!(text.contains("✔ learning") && !text.contains("2.303"));
}

#[test]
fn who_splits_anew_builds_anew() {
    let mut leaking = history(&[(0.9, 0.3, 0.9)]);
    leaking.notes.push(Note::Leak { validation: true, leaked: 5, examples: 50 });
    assert!(said(&leaking).contains("if you split anew after training, build the network anew"));
}
