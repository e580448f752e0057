//! Do loss and optimizer suit the network?

use crate::course::checklist::{Checklist, Severity, Topic, topics};
use crate::course::finding::Finding;
use crate::model::Model;
use crate::train::OptimizerSummary;

/// Looks at what `compile` chose: whether the loss fits the network's end, and whether the learning
/// rate is one that its optimizer can use.
///
/// ```
/// use tchalk::prelude::*;
/// let model = Sequential::new().input_shape([1, 28, 28]).add(Flatten).add(Dense::new(10));
/// let model = model.add(Softmax).build(Device::Cpu)?;
/// assert!(check::compiled(&model).has(check::Finding::NotCompiled));
/// model.compile(RmsProp::new(1e-3), Loss::CategoricalCrossEntropy)?;
/// assert!(check::compiled(&model).passes());
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn compiled(model: &Model) -> Checklist {
    let mut list = Checklist::new("your settings");
    let inner = model.inner();
    let compiled = inner.compiled();
    let Some(compiled) = compiled.as_ref() else {
        let text = "the network is not compiled yet: it does not know how to learn. Call \
                    model.compile(RmsProp::new(1e-3), Loss::CategoricalCrossEntropy)?. If you did, \
                    and it stopped with an error, that error says what does not fit.";
        list.push(Finding::NotCompiled, Severity::Problem, "compile", text);
        return list;
    };
    let loss = CompiledLoss {
        name: compiled.loss.name(),
        last: inner.last_step().kind(),
        repr: inner.last_repr(),
    };
    list.examine(&loss, LOSS);
    list.examine(&compiled.optimizer_state.summary(), OPTIMIZER);
    list
}

/// The loss, and the last layer that feeds it.
struct CompiledLoss {
    name: &'static str,
    last: &'static str,
    repr: String,
}

const LOSS: &[Topic<CompiledLoss>] = topics![|it: CompiledLoss|
    "loss" {
        Good LossFits if it.name == "CategoricalCrossEntropy" && it.last == "softmax" =>
            "categorical cross-entropy, which goes with Softmax.";
        Problem LossNeedsProbabilities if {
            let no_probabilities = ["sigmoid", "tanh", "relu", "relu6"].contains(&it.last);
            it.name == "CategoricalCrossEntropy" && no_probabilities
        } =>
            format!("categorical cross-entropy wants probabilities that add up to 1, or logits, \
                     and {} gives neither. End the network in Softmax, and leave out from_logits() \
                     and from_probabilities().", it.repr);
        Good LossFits if it.name == "CategoricalCrossEntropy" =>
            "categorical cross-entropy, told what the outputs are.";
        Problem BinaryLossWithSoftmax if it.name == "BinaryCrossEntropy" && it.last == "softmax" =>
            "binary cross-entropy takes each class for a question of its own, but Softmax makes \
             them one question with ten answers. Use Loss::CategoricalCrossEntropy.";
        Advice BinaryLoss if it.name == "BinaryCrossEntropy" =>
            "binary cross-entropy asks ten separate questions. That works; for one digit an image, \
             Softmax and Loss::CategoricalCrossEntropy are the usual choice.";
        Advice SlowLoss =>
            format!("{} works, but slowly: it hardly minds a confident mistake. \
                     Loss::CategoricalCrossEntropy is made for classes.", it.name);
    }
];

const OPTIMIZER: &[Topic<OptimizerSummary>] = topics![|it: OptimizerSummary|
    "learning rate" {
        Problem ZeroLearningRate if it.learning_rate == 0.0 => {
            let best = number(usual(it).best);
            format!("the learning rate is 0: no weight will change. Try {best}.")
        };
        // A tenth of the usual is slow, less than that is hopeless.
        Problem SmallLearningRate if effective(it) < usual(it).low / 10.0 =>
            small_learning_rate(it);
        Advice SmallLearningRate if effective(it) < usual(it).low => small_learning_rate(it);
        Problem LargeLearningRate if {
            it.learning_rate >= 1.0_f64.min(10.0 * usual(it).high)
                && it.learning_rate > usual(it).high
        } => large_learning_rate(it);
        Advice LargeLearningRate if it.learning_rate > usual(it).high => large_learning_rate(it);
        Good LearningRateFits =>
            format!("{} with a learning rate of {}.", it.name, number(it.learning_rate));
    }
    "weight decay" {
        Problem StrongWeightDecay if it.weight_decay >= largest_weight_decay(it) =>
            strong_weight_decay(it);
        Advice StrongWeightDecay if it.weight_decay >= largest_weight_decay(it) / 10.0 =>
            strong_weight_decay(it);
    }
    "decay" {
        Advice FastLearningRateDecay if it.decay > 0.01 =>
            format!("a decay of {} halves the learning rate after {:.0} steps, long before the \
                     first epoch is over. 1e-6 to 1e-4 is usual.",
                it.decay, (1.0 / it.decay).ceil());
    }
];

fn small_learning_rate(it: &OptimizerSummary) -> String {
    format!(
        "{} with a learning rate of {}: steps so small that the network will hardly have moved after \
         all epochs. Try {}.",
        it.name,
        number(it.learning_rate),
        number(usual(it).best)
    )
}

fn large_learning_rate(it: &OptimizerSummary) -> String {
    format!(
        "{} with a learning rate of {}: steps so large that it jumps over every minimum, and the \
         loss stays high or grows. Try {}.",
        it.name,
        number(it.learning_rate),
        number(usual(it).best)
    )
}

fn strong_weight_decay(it: &OptimizerSummary) -> String {
    let usual = if it.name == "Sgd" { "5e-4" } else { "0.01" };
    format!(
        "a weight decay of {} pulls all weights to zero so strongly that far less is learned. {usual} \
         is usual with {}.",
        it.weight_decay, it.name
    )
}

/// With momentum a weight goes this far in the end.
fn effective(it: &OptimizerSummary) -> f64 {
    it.learning_rate / (1.0 - it.momentum)
}

/// Sgd's weights come to rest where the pull to zero is as strong as the gradient; the others divide
/// the gradient by its size first, and bear more.
fn largest_weight_decay(it: &OptimizerSummary) -> f64 {
    if it.name == "Sgd" { 0.1 } else { 10.0 }
}

/// The learning rates at which an optimizer usually works.
pub(super) struct UsualRates {
    pub(super) low: f64,
    pub(super) high: f64,
    /// One to try.
    pub(super) best: f64,
}

impl UsualRates {
    pub(super) fn of(optimizer: &str) -> UsualRates {
        let (low, high, best) = match optimizer {
            "Sgd" => (3e-3, 0.5, 0.05),
            "RmsProp" | "Adam" | "AdamW" => (3e-5, 0.01, 1e-3),
            _ => (1e-6, 1.0, 1e-3),
        };
        UsualRates { low, high, best }
    }
}

fn usual(it: &OptimizerSummary) -> UsualRates {
    UsualRates::of(&it.name)
}

/// A learning rate as people write it: `0.05`, `1e-3`.
pub(super) fn number(rate: f64) -> String {
    if rate >= 0.01 { format!("{rate}") } else { format!("{rate:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course::checklist::Severity::{Advice, Good, Problem};

    /// The first line that is not ✔, or else ✔.
    fn severity(settings: OptimizerSummary) -> Severity {
        let mut list = Checklist::new("settings");
        list.examine(&settings, OPTIMIZER);
        let findings = list.findings();
        findings.into_iter().map(|it| it.0).find(|it| *it != Good).unwrap_or(Good)
    }

    #[test]
    fn what_is_usual_for_one_optimizer_is_not_for_another() {
        let of = |name: &str, learning_rate| {
            let name = name.into();
            severity(OptimizerSummary { name, learning_rate, ..OptimizerSummary::default() })
        };
        assert_eq!(of("Sgd", 0.1), Good);
        assert_eq!(of("Adam", 0.05), Advice);
        assert_eq!(of("Adam", 0.1), Problem);
        assert_eq!(of("RmsProp", 1e-5), Advice);
        assert_eq!(of("RmsProp", 1e-7), Problem);
        assert_eq!(of("SignDescent", 0.1), Good);
        assert_eq!(of("SignDescent", 1.0), Good);
        assert_eq!(of("SignDescent", 1.5), Problem);
        assert_eq!(number(1e-3), "1e-3");
    }

    #[test]
    fn momentum_makes_a_small_learning_rate_larger() {
        let (name, learning_rate, momentum) = ("Sgd".to_owned(), 1e-3, 0.9);
        let settings = OptimizerSummary { name, learning_rate, momentum, ..Default::default() };
        assert_eq!(severity(settings), Good);
    }

    #[test]
    fn a_strong_weight_decay_is_found() {
        let of = |name: &str, weight_decay| {
            let (name, learning_rate) = (name.into(), 0.01);
            let settings = OptimizerSummary { name, learning_rate, ..Default::default() };
            severity(OptimizerSummary { weight_decay, ..settings })
        };
        assert_eq!(of("Sgd", 5e-4), Good);
        assert_eq!(of("Sgd", 0.01), Advice);
        assert_eq!(of("Sgd", 0.1), Problem);
        assert_eq!(of("AdamW", 0.1), Good);
        assert_eq!(of("Adam", 1.0), Advice);
        assert_eq!(of("Adam", 10.0), Problem);
    }
}
