//! Is this a good score?

use super::Checklist;
use super::checklist::Mark;
use crate::text::thousands;
use crate::train::{Evaluation, Note};

/// What a classifier that only weighs pixels gets right of MNIST's test images.
const LINEAR: f64 = 0.92;
/// What a small convolutional network gets right of them.
const SMALL_CNN: f64 = 0.99;
/// Beyond this, single networks do not go without having seen the images.
const TOO_GOOD: f64 = 0.9985;

/// Sets an accuracy beside what is known of handwritten digits: guessing (10 %), a classifier that only
/// weighs pixels (92 % on MNIST), a small convolutional network (99 %). Where chance alone could have
/// made the difference, it says so.
///
/// ```
/// use tchalk::prelude::*;
/// # let test = datasets::strokes()?.test.take(50).to_tensors(Device::Cpu);
/// # let layers = Sequential::new().input_shape([1, 28, 28]).add(Flatten).add(Dense::new(10));
/// # let model = layers.add(Softmax).build(Device::Cpu)?;
/// # model.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy)?;
/// println!("{:?}", check::score(&model.evaluate(&test)?));
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn score(evaluation: &Evaluation) -> Checklist {
    let mut list = Checklist::new("your score");
    let (low, high) = evaluation.accuracy_interval();
    let between = format!(
        "{:.2} % of {} images right (with 95 % confidence between {:.2} and {:.2} %)",
        100.0 * evaluation.accuracy,
        thousands(evaluation.examples),
        100.0 * low,
        100.0 * high
    );
    for note in evaluation.notes() {
        match note {
            Note::Leak { .. } => list.wrong(
                "new images",
                format!("{note}. Measure on images that were held back from training."),
            ),
            Note::ChosenOnThisSet => list.odd("choice", note.to_string()),
            _ => list.note("note", note.to_string()),
        }
    }
    let measured_less = evaluation.notes().iter().any(Note::is_shortened);
    let shortened = measured_less || evaluation.shortened_by.is_some();
    if !one_answer(&mut list, evaluation, shortened) {
        accuracy(&mut list, low, high, &between, shortened);
        weakest(&mut list, evaluation);
    }
    if evaluation.margin() > 0.01 {
        list.note(
            "size",
            format!(
                "so few images tell the accuracy only to within ± {:.1} points.",
                100.0 * evaluation.margin()
            ),
        );
    }
    list.note(
        "yardstick",
        "92 % and 99 % are MNIST's. On the built-in strokes a classifier that weighs pixels gets about \
         86 % right, a small convolutional network 98.5 %.",
    );
    list
}

/// Whether it says the same whatever it is shown.
fn one_answer(list: &mut Checklist, evaluation: &Evaluation, shortened: bool) -> bool {
    let rows = evaluation.confusion();
    let said = |class: usize| rows.iter().map(|row| row.get(class).copied().unwrap_or(0)).sum();
    let classes = rows.first().map_or(0, Vec::len);
    let (most, class) =
        (0..classes).map(|c| (said(c), c)).max_by_key(|it: &(usize, usize)| it.0).unwrap_or((0, 0));
    let true_of_it: usize = rows.get(class).map_or(0, |row| row.iter().sum());
    let constant = evaluation.examples > 0
        && most * 20 >= evaluation.examples * 19
        && true_of_it * 2 < evaluation.examples;
    let percent = 100.0 * most as f64 / evaluation.examples as f64;
    if constant && shortened {
        list.note(
            "answers",
            format!(
                "it answers {class} to {percent:.0} % of all images, whatever they show. (A budget is \
                 at work: it may only have been trained too little.)"
            ),
        );
    } else if constant {
        list.wrong(
            "answers",
            format!(
                "it answers {class} to {percent:.0} % of all images, whatever they show: it has learned \
                 nothing, or forgotten it. Usual causes: a learning rate that is too large, an \
                 activation between the last Dense and Softmax, labels that do not belong to the \
                 images. Build the network anew before you train it again."
            ),
        );
    }
    constant
}

fn accuracy(list: &mut Checklist, low: f64, high: f64, between: &str, shortened: bool) {
    // With a budget the training was as short as the measuring.
    let (poor, early) = match shortened {
        true => (Mark::Note, " (A budget is at work: it may only have been trained too little.)"),
        false => (Mark::Wrong, ""),
    };
    if low > TOO_GOOD {
        list.odd(
            "accuracy",
            format!(
                "{between}: better than any single network is known for. Make sure that none of these \
                 images was learned from."
            ),
        );
    } else if low > SMALL_CNN {
        list.right(
            "accuracy",
            format!(
                "{between}: better than a small convolutional network (99 %), and not by chance."
            ),
        );
    } else if high >= SMALL_CNN {
        list.right(
            "accuracy",
            format!("{between}: as good as a small convolutional network (99 %), as far as one can tell."),
        );
    } else if low > LINEAR {
        list.right("accuracy", format!("{between}: clearly better than weighing pixels (92 %)."));
        let text = match high < 0.97 {
            true => "a small convolutional network reaches 99 %: convolutions, or more epochs.",
            false => {
                "a small convolutional network reaches 99 %: another convolution, Dropout, more \
                      epochs."
            }
        };
        list.odd("room", text);
    } else if high >= LINEAR {
        list.odd(
            "accuracy",
            format!(
                "{between}: about what a single layer that weighs pixels reaches (92 %). Add a hidden \
                 layer, or convolutions; or train for longer."
            ),
        );
    } else if low > 0.15 {
        list.put(
            poor,
            "accuracy",
            format!(
                "{between}: less than a single layer that only weighs pixels (92 %). Did it learn long \
                 enough? Does the learning rate suit the optimizer? check::training(&history) may \
                 know.{early}"
            ),
        );
    } else {
        list.put(
            poor,
            "accuracy",
            format!(
                "{between}: no better than guessing among ten. Was the network trained, and on images \
                 with their own labels?{early}"
            ),
        );
    }
}

/// A class that it hardly knows.
fn weakest(list: &mut Checklist, evaluation: &Evaluation) {
    let rows = evaluation.confusion();
    let found = rows.iter().enumerate().filter_map(|(class, row)| {
        let all: usize = row.iter().sum();
        (all >= 20).then(|| (row.get(class).copied().unwrap_or(0) as f64 / all as f64, class))
    });
    let weakest = found.min_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((found, class)) = weakest.filter(|it| it.0 < evaluation.accuracy - 0.15) {
        list.odd(
            "weakest class",
            format!(
                "of class {class} it finds only {:.0} %. The confusion matrix shows what it takes them \
                 for.",
                100.0 * found
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Budget;
    use ndarray::Array2;

    /// So many examples, a tenth of each class, of which every `n`th is given the next class.
    fn evaluation(examples: usize, wrong_every: usize) -> Evaluation {
        let labels: Vec<usize> = (0..examples).map(|i| i % 10).collect();
        let said = |i: usize| (labels[i] + usize::from(i % wrong_every == wrong_every - 1)) % 10;
        let rows =
            Array2::from_shape_fn((examples, 10), |(i, c)| if c == said(i) { 0.91 } else { 0.01 });
        Evaluation::from_probabilities(&rows, &labels, Vec::new())
    }

    #[test]
    fn chance_is_never_called_a_mistake() {
        // 98.5 % of 200 may well be a network of 99 %.
        let few = score(&evaluation(200, 67));
        assert!(few.passes() && format!("{few:?}").contains("as far as one can tell"), "{few:?}");
        assert!(format!("{few:?}").contains("so few images"), "{few:?}");
        // 98.5 % of 20,000 may not, and is still good.
        let many = score(&evaluation(20_001, 67));
        assert!(many.passes() && format!("{many:?}").contains("clearly better"), "{many:?}");
        assert_eq!(many.advice().len(), 1, "{many:?}");
    }

    #[test]
    fn the_yardsticks_are_guessing_weighing_pixels_and_a_small_network() {
        let text = |every| format!("{:?}", score(&evaluation(20_001, every)));
        assert!(text(201).contains("✔ accuracy") && text(201).contains("not by chance"));
        assert!(text(13).contains("! accuracy") && text(13).contains("weighs pixels reaches"));
        assert!(text(3).contains("✘ accuracy") && text(3).contains("less than a single layer"));
        assert!(text(20_001).contains("better than any single network"), "{}", text(20_001));
    }

    #[test]
    fn what_a_budget_left_of_the_training_is_nobody_s_mistake() {
        let one =
            Array2::from_shape_fn((100, 10), |(_, class)| if class == 3 { 0.9 } else { 0.01 });
        let labels: Vec<usize> = (0..100).map(|i| i % 10).collect();
        let same = Evaluation::from_probabilities(&one, &labels, Vec::new());
        assert!(format!("{:?}", score(&same)).contains("✘ answers: it answers 3"));
        let same = score(&same.with_shortened_by(Some(Budget::Class)));
        assert!(
            same.passes() && format!("{same:?}").contains("– answers: it answers 3"),
            "{same:?}"
        );
        let poor = score(&evaluation(20_001, 3).with_shortened_by(Some(Budget::Class)));
        assert!(poor.passes() && format!("{poor:?}").contains("A budget is at work"), "{poor:?}");
    }

    #[test]
    fn a_class_that_is_never_found_is_named() {
        let labels: Vec<usize> = (0..1000).map(|i| i % 10).collect();
        let rows = Array2::from_shape_fn((1000, 10), |(i, c)| {
            let said = if labels[i] == 9 { 4 } else { labels[i] };
            if c == said { 0.91f32 } else { 0.01 }
        });
        let list = score(&Evaluation::from_probabilities(&rows, &labels, Vec::new()));
        assert!(format!("{list:?}").contains("of class 9 it finds only 0 %"), "{list:?}");
    }
}
