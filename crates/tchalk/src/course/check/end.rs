//! Does the network answer in probabilities?

use super::Checklist;
use super::structure::Structure;
use crate::model::Model;
use crate::train::LossInput;

/// Softmax, once, and at the end.
pub(super) fn end(list: &mut Checklist, model: &Model, structure: &Structure) {
    let inner = model.inner();
    let told = inner.compiled().as_ref().map(|it| (it.loss.name(), it.loss_input));
    let said = |form| {
        told.is_some_and(|(_, it)| {
            it == form && it.step(&inner.program) == inner.program.outputs[0]
        })
    };
    let (scores, probabilities) = (said(LossInput::Logits), said(LossInput::Probabilities));
    let binary = told.is_some_and(|(name, _)| name == "BinaryCrossEntropy");
    let (written, bent) = (inner.last_repr(), structure.ends_in_bend());
    match inner.last_step().kind() {
        "softmax" => list.right("end", "Softmax: probabilities that add up to 1."),
        "sigmoid" if binary => list.odd(
            "end",
            "Sigmoid asks ten separate questions (is it a 0? is it a 1? …), and the answers do not add \
             up to 1. That works; an image shows one digit, and Softmax with \
             CategoricalCrossEntropy says so.",
        ),
        "sigmoid" if told.is_none() => list.odd(
            "end",
            "it ends in Sigmoid, which asks ten separate questions. Each image shows one digit: let \
             Softmax be the last layer; or keep Sigmoid, and compile with Loss::BinaryCrossEntropy.",
        ),
        "sigmoid" => list.wrong(
            "end",
            "it ends in Sigmoid, which gives each class a probability of its own: they do not add up \
             to 1. Each image shows one digit, so the last layer should be Softmax.",
        ),
        "dropout" if structure.drops_answers() => list.wrong(
            "end",
            "Dropout stands behind Softmax and wipes out whole answers while the network learns. Dropout \
             goes before the last Dense.",
        ),
        "average" if structure.averages_probabilities() && (probabilities || told.is_none()) => list
            .right(
                "end",
                "the mean of several softmaxes: probabilities. Its loss is \
                 Loss::categorical_cross_entropy().from_probabilities().",
            ),
        _ if scores => list.right("end", "scores, and the loss was told with from_logits()."),
        // Nobody has told yet how they are to be read.
        "dense" | "add" | "flatten" | "global_average_pool2d" if told.is_none() && !bent => list.odd(
            "end",
            format!(
                "it ends in {written}: its answers are scores, not probabilities. Add Softmax as the \
                 last layer; or keep the scores, and compile with \
                 Loss::categorical_cross_entropy().from_logits()."
            ),
        ),
        kind if probabilities && kind != "dense" && !bent => {
            list.right("end", "probabilities, as the loss was told with from_probabilities().");
        }
        _ => list.wrong(
            "end",
            format!(
                "it ends in {written}: its answers are scores, not probabilities. Add Softmax as the \
                 last layer."
            ),
        ),
    }
    if let Some(early) = structure.early_softmaxes().first() {
        let twice = structure.before_softmax() == "softmax";
        list.wrong("softmax", match twice {
            true => "there are two Softmaxes in a row. The second makes all probabilities nearly \
                     equal, and the network can never be sure. Take one out."
                .into(),
            false => format!(
                "{early} ends in a softmax though more layers follow: it lets hardly more than one of \
                 its numbers through. Use Relu there, and Softmax once, at the end."
            ),
        });
    }
    if inner.last_step().kind() != "softmax" {
        return;
    }
    match structure.before_softmax().as_str() {
        "sigmoid" | "tanh" => list.wrong(
            "scores",
            "a bend stands between the last Dense and Softmax and keeps all scores close together, so \
             the network can never be sure. Take it out: Softmax is enough.",
        ),
        "relu" | "relu6" => list.odd(
            "scores",
            "Relu stands between the last Dense and Softmax: all scores below zero become equal, and \
             what is wrong among them cannot be learned from. Take it out.",
        ),
        "dropout" => list.odd(
            "scores",
            "Dropout stands behind the last Dense: it wipes out whole answers while the network \
             learns. Put it before that layer.",
        ),
        _ => {}
    }
}
