//! Does the network answer in probabilities?

use super::structure::Structure;
use crate::course::checklist::{Checklist, Topic, topics};
use crate::model::Model;
use crate::train::LossInput;

/// Asks for a softmax, once, and at the end.
pub(super) fn examine(list: &mut Checklist, model: &Model, structure: &Structure) {
    list.examine(&Output::of(model, structure), TOPICS);
}

/// What is known of the network's end.
struct Output {
    /// The kind of the last layer, and how it is written.
    last: &'static str,
    repr: String,
    before_softmax: String,
    ends_in_activation: bool,
    averages_probabilities: bool,
    drops_answers: bool,
    /// The first layer inside that ends in a softmax.
    early_softmax: Option<String>,
    /// What the loss was told of the outputs; `None` before the network is compiled.
    declared: Option<Declared>,
}

#[derive(Clone, Copy, PartialEq)]
enum Declared {
    Logits,
    Probabilities,
    Binary,
    Nothing,
}

impl Output {
    fn of(model: &Model, structure: &Structure) -> Output {
        let inner = model.inner();
        let declared = inner.compiled().as_ref().map(|compiled| {
            let input = compiled.loss_input;
            let reads_output = input.step(&inner.program) == inner.program.outputs[0];
            match input {
                _ if compiled.loss.name() == "BinaryCrossEntropy" => Declared::Binary,
                LossInput::Logits if reads_output => Declared::Logits,
                LossInput::Probabilities if reads_output => Declared::Probabilities,
                _ => Declared::Nothing,
            }
        });
        Output {
            last: inner.last_step().kind(),
            repr: inner.last_repr(),
            before_softmax: structure.before_softmax(),
            ends_in_activation: structure.ends_in_activation(),
            averages_probabilities: structure.averages_probabilities(),
            drops_answers: structure.drops_answers(),
            early_softmax: structure.early_softmaxes().into_iter().next(),
            declared,
        }
    }

    /// Whether the activation before a softmax at the end is one of these.
    fn has_before_softmax(&self, kinds: &[&str]) -> bool {
        self.last == "softmax" && kinds.contains(&self.before_softmax.as_str())
    }

    /// Whether the network may end in logits, of which nobody has told the loss yet.
    fn may_be_logits(&self) -> bool {
        let kinds = ["dense", "add", "flatten", "global_average_pool2d"];
        self.declared.is_none() && kinds.contains(&self.last) && !self.ends_in_activation
    }
}

const TOPICS: &[Topic<Output>] = topics![|it: Output|
    "end" {
        Good EndsInSoftmax if it.last == "softmax" => "Softmax: probabilities that add up to 1.";
        Advice EndsInSigmoid if it.last == "sigmoid" && it.declared == Some(Declared::Binary) =>
            "Sigmoid asks ten separate questions (is it a 0? is it a 1? …), and the answers do not \
             add up to 1. That works; an image shows one digit, and Softmax with \
             CategoricalCrossEntropy says so.";
        Advice EndsInSigmoid if it.last == "sigmoid" && it.declared.is_none() =>
            "it ends in Sigmoid, which asks ten separate questions. Each image shows one digit: \
             let Softmax be the last layer; or keep Sigmoid, and compile with \
             Loss::BinaryCrossEntropy.";
        Problem EndsInSigmoid if it.last == "sigmoid" =>
            "it ends in Sigmoid, which gives each class a probability of its own: they do not add \
             up to 1. Each image shows one digit, so the last layer should be Softmax.";
        Problem DropsAnswers if it.drops_answers =>
            "Dropout stands after Softmax and wipes out whole answers while the network learns. \
             Put it before the last Dense.";
        Good AveragesSoftmaxes if {
            let declared = matches!(it.declared, None | Some(Declared::Probabilities));
            it.averages_probabilities && declared
        } =>
            "the mean of several softmaxes: probabilities. Its loss is \
             Loss::categorical_cross_entropy().from_probabilities().";
        Good EndsInLogits if it.declared == Some(Declared::Logits) =>
            "logits, and the loss was told with from_logits().";
        Advice NoSoftmax if it.may_be_logits() =>
            format!("it ends in {}: its answers are logits, not probabilities. Add Softmax as the \
                     last layer; or keep the logits, and compile with \
                     Loss::categorical_cross_entropy().from_logits().", it.repr);
        Good EndsInProbabilities if {
            let told = it.declared == Some(Declared::Probabilities);
            told && it.last != "dense" && !it.ends_in_activation
        } => "probabilities, as the loss was told with from_probabilities().";
        Problem NoSoftmax =>
            format!("it ends in {}: its answers are logits, not probabilities. Add Softmax as the \
                     last layer.", it.repr);
    }
    "softmax" {
        Problem TwoSoftmaxes if it.early_softmax.is_some() && it.before_softmax == "softmax" =>
            "there are two Softmaxes in a row. The second makes all probabilities nearly equal, \
             and the network can never be sure. Take one out.";
        Problem EarlySoftmax if it.early_softmax.is_some() =>
            format!("{} ends in a softmax though more layers follow: it lets hardly more than one \
                     of its numbers through. Use Relu there, and Softmax once, at the end.",
                it.early_softmax.as_deref().unwrap_or_default());
    }
    "logits" {
        Problem LimitedLogits if it.has_before_softmax(&["sigmoid", "tanh"]) =>
            "an activation between the last Dense and Softmax keeps all logits close together, so \
             the network can never be sure. Take it out: Softmax is enough.";
        Advice NegativeLogitsCutOff if it.has_before_softmax(&["relu", "relu6"]) =>
            "Relu stands between the last Dense and Softmax: all logits below zero become equal, \
             and what is wrong among them cannot be learned from. Take it out.";
        Advice DropsLogits if it.has_before_softmax(&["dropout"]) =>
            "Dropout stands after the last Dense: it wipes out whole answers while the network \
             learns. Put it before that layer.";
    }
];
