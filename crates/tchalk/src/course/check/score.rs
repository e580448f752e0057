//! Is this a good score?

use crate::course::checklist::{Checklist, Severity, Topic, topics};
use crate::course::finding::Finding;
use crate::text::{percent, thousands};
use crate::train::{Evaluation, Note};

/// The accuracy of a linear classifier on MNIST's test images.
const LINEAR: f64 = 0.92;
/// The accuracy of a small convolutional network on them.
const SMALL_CNN: f64 = 0.99;
/// Single networks do not get better than this without having seen the images.
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
    for note in evaluation.notes() {
        match note {
            Note::Leak { .. } => {
                let text = format!("{note}. Measure on images that were held back from training.");
                list.push(Finding::TrainedOn, Severity::Problem, "new images", text);
            }
            Note::ChosenOnThisSet => {
                list.push(Finding::ChoseEpochs, Severity::Advice, "choice", note.to_string());
            }
            _ => list.push(Finding::Note, Severity::Info, "note", note.to_string()),
        }
    }
    let it = Score::of(evaluation);
    list.examine(&it, ANSWERS);
    if !list.has(Finding::ConstantAnswer) {
        list.examine(&it, ACCURACY);
    }
    list.examine(&it, YARDSTICKS);
    list
}

/// What the check looks at.
struct Score {
    accuracy: f64,
    /// The 95 % interval of the accuracy.
    low: f64,
    high: f64,
    margin: f64,
    examples: usize,
    /// Whether a budget shortened the training. One that shortens the measurement shortened it too.
    shortened: bool,
    /// The most frequent answer, how many examples it is given to, and how many it is right for.
    answer: usize,
    given: usize,
    of_class: usize,
    /// The class that is found least often, and the fraction of it that is found.
    weakest: Option<(usize, f64)>,
}

impl Score {
    fn of(evaluation: &Evaluation) -> Score {
        let rows = evaluation.confusion();
        let given = |class: usize| rows.iter().filter_map(|row| row.get(class)).sum::<usize>();
        let classes = rows.first().map_or(0, Vec::len);
        let answer = (0..classes).max_by_key(|&class| given(class)).unwrap_or(0);
        let found = rows.iter().enumerate().filter_map(|(class, row)| {
            let all: usize = row.iter().sum();
            (all >= 20).then(|| (class, row.get(class).copied().unwrap_or(0) as f64 / all as f64))
        });
        let (low, high) = evaluation.accuracy_interval();
        Score {
            accuracy: evaluation.accuracy,
            low,
            high,
            margin: evaluation.margin(),
            examples: evaluation.examples,
            shortened: evaluation.shortened_by.is_some()
                || evaluation.notes().iter().any(Note::is_shortened),
            answer,
            given: given(answer),
            of_class: rows.get(answer).map_or(0, |row| row.iter().sum()),
            weakest: found.min_by(|a, b| a.1.total_cmp(&b.1)),
        }
    }

    /// Whether the network says the same whatever it is shown.
    fn is_constant(&self) -> bool {
        let (given, of_class) = (self.given, self.of_class);
        self.examples > 0 && given * 20 >= self.examples * 19 && of_class * 2 < self.examples
    }

    fn constant_text(&self) -> String {
        let share = percent(self.given as f64 / self.examples as f64, 0);
        format!("it answers {} to {share} of all images, whatever they show", self.answer)
    }

    fn accuracy_text(&self) -> String {
        format!(
            "{} of {} images right (with 95 % confidence between {:.2} and {:.2} %)",
            percent(self.accuracy, 2),
            thousands(self.examples),
            100.0 * self.low,
            100.0 * self.high
        )
    }
}

const A_BUDGET: &str = "(A budget is at work: it may only have been trained too little.)";

const ANSWERS: &[Topic<Score>] = topics![|it: Score|
    "answers" {
        Info ConstantAnswer if it.shortened && it.is_constant() =>
            format!("{}. {A_BUDGET}", it.constant_text());
        Problem ConstantAnswer if it.is_constant() =>
            format!("{}: it has learned nothing, or forgotten it. Usual causes: a learning rate \
                     that is too large, an activation between the last Dense and Softmax, labels \
                     that do not belong to the images. Build a new network before you train it \
                     again.", it.constant_text());
    }
];

const ACCURACY: &[Topic<Score>] = topics![|it: Score|
    "accuracy" {
        Advice TooGood if it.low > TOO_GOOD =>
            format!("{}: better than any single network is known for. Make sure that none of these \
                     images was learned from.", it.accuracy_text());
        Good BetterThanSmallCnn if it.low > SMALL_CNN => {
            let accuracy = it.accuracy_text();
            format!(
                "{accuracy}: better than a small convolutional network (99 %), and not by chance."
            )
        };
        Good LikeSmallCnn if it.high >= SMALL_CNN => {
            let accuracy = it.accuracy_text();
            format!("{accuracy}: as good as a small convolutional network (99 %), within chance.")
        };
        Good BetterThanLinear if it.low > LINEAR =>
            format!("{}: clearly better than weighing pixels (92 %).", it.accuracy_text());
        Advice LikeLinear if it.high >= LINEAR =>
            format!("{}: about what a single layer that weighs pixels reaches (92 %). Add a hidden \
                     layer, or convolutions; or train for longer.", it.accuracy_text());
        Info BelowLinear if it.shortened && it.low > 0.15 =>
            format!("{} {A_BUDGET}", below_linear(it));
        Problem BelowLinear if it.low > 0.15 => below_linear(it);
        Info LikeGuessing if it.shortened => format!("{} {A_BUDGET}", like_guessing(it));
        Problem LikeGuessing => like_guessing(it);
    }
    "better" {
        Advice RoomForMore if it.low > LINEAR && it.high < SMALL_CNN => {
            let more = match it.high < 0.97 {
                true => "convolutions, or more epochs",
                false => "another convolution, Dropout, more epochs",
            };
            format!("a small convolutional network reaches 99 %: try {more}.")
        };
    }
    "weakest class" {
        Advice WeakClass if it.weakest.is_some_and(|(_, found)| found < it.accuracy - 0.15) => {
            let (class, found) = it.weakest.unwrap_or_default();
            format!(
                "of class {class} it finds only {}. The confusion matrix shows what it takes them \
                 for.",
                percent(found, 0)
            )
        };
    }
];

fn below_linear(it: &Score) -> String {
    format!(
        "{}: less than a single layer that only weighs pixels (92 %). Did it learn for long enough? \
         Does the learning rate suit the optimizer? check::training(&history) may know.",
        it.accuracy_text()
    )
}

fn like_guessing(it: &Score) -> String {
    format!(
        "{}: no better than guessing among ten. Was the network trained, and on images with their \
         own labels?",
        it.accuracy_text()
    )
}

const YARDSTICKS: &[Topic<Score>] = topics![|it: Score|
    "size" {
        Info WideInterval if it.margin > 0.01 => {
            let points = 100.0 * it.margin;
            format!("this few images tell the accuracy only to within ± {points:.1} points.")
        };
    }
    "yardstick" {
        Info Yardsticks =>
            "92 % and 99 % are MNIST's. On the built-in strokes a classifier that weighs pixels \
             gets about 86 % right, a small convolutional network 98.5 %.";
    }
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course::checklist::Severity::{Advice, Good, Info, Problem};
    use crate::runtime::Budget;
    use ndarray::Array2;

    /// Answers to examples of ten classes in turns.
    fn answers(examples: usize, answer: impl Fn(usize) -> usize) -> Evaluation {
        let labels: Vec<usize> = (0..examples).map(|i| i % 10).collect();
        let probability = |(i, class)| if class == answer(i) { 0.91 } else { 0.01 };
        let rows = Array2::from_shape_fn((examples, 10), probability);
        Evaluation::from_probabilities(&rows, &labels, Vec::new())
    }

    /// The same, every `n`th with the next class for an answer.
    fn wrong_every(n: usize, examples: usize) -> Evaluation {
        answers(examples, |i| (i + usize::from(i % n == n - 1)) % 10)
    }

    #[test]
    fn chance_is_never_called_a_mistake() {
        // 98.5 % of 200 may well be a network of 99 %.
        let few = score(&wrong_every(67, 200));
        assert!(few.passes() && few.has(Finding::LikeSmallCnn), "{few:?}");
        assert!(few.has(Finding::WideInterval), "{few:?}");
        // 98.5 % of 20,000 may not, and is still good.
        let many = score(&wrong_every(67, 20_001));
        assert!(many.passes() && many.has(Finding::BetterThanLinear), "{many:?}");
        assert_eq!(many.advice(), [Finding::RoomForMore]);
    }

    #[test]
    fn the_yardsticks_are_guessing_weighing_pixels_and_a_small_network() {
        let accuracy = |n| {
            let findings = score(&wrong_every(n, 20_001)).findings();
            findings[0]
        };
        assert_eq!(accuracy(201), (Good, Finding::BetterThanSmallCnn));
        assert_eq!(accuracy(13), (Advice, Finding::LikeLinear));
        assert_eq!(accuracy(3), (Problem, Finding::BelowLinear));
        assert_eq!(accuracy(20_001), (Advice, Finding::TooGood));
    }

    #[test]
    fn what_a_budget_left_of_the_training_is_nobody_s_mistake() {
        let constant = answers(100, |_| 3);
        assert_eq!(score(&constant).findings()[0], (Problem, Finding::ConstantAnswer));
        let constant = score(&constant.with_shortened_by(Some(Budget::Class)));
        assert_eq!(constant.findings()[0], (Info, Finding::ConstantAnswer));
        let poor = score(&wrong_every(3, 20_001).with_shortened_by(Some(Budget::Class)));
        assert_eq!(poor.findings()[0], (Info, Finding::BelowLinear));
    }

    #[test]
    fn a_class_that_is_never_found_is_named() {
        let list = score(&answers(1_000, |i| if i % 10 == 9 { 4 } else { i % 10 }));
        assert!(list.has(Finding::WeakClass), "{list:?}");
        assert!(format!("{list:?}").contains("of class 9 it finds only 0 %"), "{list:?}");
    }
}
