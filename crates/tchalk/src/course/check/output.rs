//! Does the network answer in probabilities?

use super::structure::Structure;
use crate::course::checklist::{Checklist, Rule, Topic, advice, good, otherwise, problem};
use crate::course::finding::Finding;
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

const TOPICS: &[Topic<Output>] = &[
    Topic { name: "end", rules: END },
    Topic {
        name: "softmax",
        rules: &[
            problem(
                Finding::TwoSoftmaxes,
                |it| it.early_softmax.is_some() && it.before_softmax == "softmax",
                |_| {
                    "there are two Softmaxes in a row. The second makes all probabilities nearly \
                     equal, and the network can never be sure. Take one out."
                        .into()
                },
            ),
            problem(
                Finding::EarlySoftmax,
                |it| it.early_softmax.is_some(),
                |it| {
                    format!(
                        "{} ends in a softmax though more layers follow: it lets hardly more than \
                         one of its numbers through. Use Relu there, and Softmax once, at the end.",
                        it.early_softmax.as_deref().unwrap_or_default()
                    )
                },
            ),
        ],
    },
    Topic {
        name: "logits",
        rules: &[
            problem(
                Finding::LimitedLogits,
                |it| it.has_before_softmax(&["sigmoid", "tanh"]),
                |_| {
                    "an activation between the last Dense and Softmax keeps all logits close \
                     together, so the network can never be sure. Take it out: Softmax is enough."
                        .into()
                },
            ),
            advice(
                Finding::NegativeLogitsCutOff,
                |it| it.has_before_softmax(&["relu", "relu6"]),
                |_| {
                    "Relu stands between the last Dense and Softmax: all logits below zero become \
                     equal, and what is wrong among them cannot be learned from. Take it out."
                        .into()
                },
            ),
            advice(
                Finding::DropsLogits,
                |it| it.has_before_softmax(&["dropout"]),
                |_| {
                    "Dropout stands after the last Dense: it wipes out whole answers while the \
                     network learns. Put it before that layer."
                        .into()
                },
            ),
        ],
    },
];

const END: &[Rule<Output>] = &[
    good(
        Finding::EndsInSoftmax,
        |it| it.last == "softmax",
        |_| "Softmax: probabilities that add up to 1.".into(),
    ),
    advice(
        Finding::EndsInSigmoid,
        |it| it.last == "sigmoid" && it.declared == Some(Declared::Binary),
        |_| {
            "Sigmoid asks ten separate questions (is it a 0? is it a 1? …), and the answers do not \
             add up to 1. That works; an image shows one digit, and Softmax with \
             CategoricalCrossEntropy says so."
                .into()
        },
    ),
    advice(
        Finding::EndsInSigmoid,
        |it| it.last == "sigmoid" && it.declared.is_none(),
        |_| {
            "it ends in Sigmoid, which asks ten separate questions. Each image shows one digit: let \
             Softmax be the last layer; or keep Sigmoid, and compile with Loss::BinaryCrossEntropy."
                .into()
        },
    ),
    problem(
        Finding::EndsInSigmoid,
        |it| it.last == "sigmoid",
        |_| {
            "it ends in Sigmoid, which gives each class a probability of its own: they do not add up \
             to 1. Each image shows one digit, so the last layer should be Softmax."
                .into()
        },
    ),
    problem(
        Finding::DropsAnswers,
        |it| it.drops_answers,
        |_| {
            "Dropout stands after Softmax and wipes out whole answers while the network learns. Put \
             it before the last Dense."
                .into()
        },
    ),
    good(
        Finding::AveragesSoftmaxes,
        |it| {
            let declared = matches!(it.declared, None | Some(Declared::Probabilities));
            it.averages_probabilities && declared
        },
        |_| {
            "the mean of several softmaxes: probabilities. Its loss is \
             Loss::categorical_cross_entropy().from_probabilities()."
                .into()
        },
    ),
    good(
        Finding::EndsInLogits,
        |it| it.declared == Some(Declared::Logits),
        |_| "logits, and the loss was told with from_logits().".into(),
    ),
    advice(Finding::NoSoftmax, Output::may_be_logits, |it| {
        format!(
            "it ends in {}: its answers are logits, not probabilities. Add Softmax as the last \
             layer; or keep the logits, and compile with \
             Loss::categorical_cross_entropy().from_logits().",
            it.repr
        )
    }),
    good(
        Finding::EndsInProbabilities,
        |it| {
            let told = it.declared == Some(Declared::Probabilities);
            told && it.last != "dense" && !it.ends_in_activation
        },
        |_| "probabilities, as the loss was told with from_probabilities().".into(),
    ),
    problem(Finding::NoSoftmax, otherwise, |it| {
        format!(
            "it ends in {}: its answers are logits, not probabilities. Add Softmax as the last \
             layer.",
            it.repr
        )
    }),
];
