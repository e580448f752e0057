//! Does the network learn in a sensible way?

use super::Checklist;
use crate::model::Model;
use crate::train::OptimizerSummary;

/// Looks at what `compile` chose: whether the loss fits the network's end, and whether the learning
/// rate is one that its optimizer can use.
///
/// ```
/// use tchalk::prelude::*;
/// let model = Sequential::new().input_shape([1, 28, 28]).add(Flatten).add(Dense::new(10));
/// let model = model.add(Softmax).build(Device::Cpu)?;
/// assert!(format!("{:?}", check::compiled(&model)).contains("not compiled yet"));
/// model.compile(RmsProp::new(1e-3), Loss::CategoricalCrossEntropy)?;
/// assert!(check::compiled(&model).passes());
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn compiled(model: &Model) -> Checklist {
    let mut list = Checklist::new("your settings");
    let inner = model.inner();
    let (last, written) = (inner.last_step().kind(), inner.last_repr());
    let compiled = inner.compiled();
    let Some(compiled) = compiled.as_ref() else {
        list.wrong(
            "compile",
            "the network is not compiled yet: it does not know how to learn. Call \
             model.compile(RmsProp::new(1e-3), Loss::CategoricalCrossEntropy)?. If you did, and it \
             stopped with an error, that error says what does not fit.",
        );
        return list;
    };
    match (compiled.loss.name(), last) {
        ("CategoricalCrossEntropy", "softmax") => {
            list.right("loss", "categorical cross-entropy, which goes with Softmax.");
        }
        ("CategoricalCrossEntropy", "sigmoid" | "tanh" | "relu" | "relu6") => list.wrong(
            "loss",
            format!(
                "categorical cross-entropy wants probabilities that add up to 1, or plain scores, and \
                 {written} gives neither. End the network in Softmax, and leave out from_logits() \
                 and from_probabilities()."
            ),
        ),
        ("CategoricalCrossEntropy", _) => {
            list.right("loss", "categorical cross-entropy, told what the outputs are.");
        }
        ("BinaryCrossEntropy", "softmax") => list.wrong(
            "loss",
            "binary cross-entropy takes each class for a question of its own, but Softmax makes them \
             one question with ten answers. Use Loss::CategoricalCrossEntropy.",
        ),
        ("BinaryCrossEntropy", _) => list.odd(
            "loss",
            "binary cross-entropy asks ten separate questions. That works; for one digit an image, \
             Softmax and Loss::CategoricalCrossEntropy are the usual choice.",
        ),
        (name, _) => list.odd(
            "loss",
            format!(
                "{name} works, but slowly: it hardly minds a confident mistake. \
                 Loss::CategoricalCrossEntropy is made for classes."
            ),
        ),
    }
    let settings = compiled.optimizer_state.summary();
    rate_of(&mut list, &settings);
    weight_decay_of(&mut list, &settings);
    let decay = settings.decay;
    if decay > 0.01 {
        list.odd(
            "decay",
            format!(
                "a decay of {decay} halves the rate after {:.0} steps, long before the first epoch is \
                 over. 1e-6 to 1e-4 is usual.",
                (1.0 / decay).ceil()
            ),
        );
    }
    list
}

/// The rates at which an optimizer usually works: below, above, and one to try.
pub(super) fn usual(optimizer: &str) -> (f64, f64, f64) {
    match optimizer {
        "Sgd" => (3e-3, 0.5, 0.05),
        "RmsProp" | "Adam" | "AdamW" => (3e-5, 0.01, 1e-3),
        _ => (1e-6, 1.0, 1e-3),
    }
}

fn rate_of(list: &mut Checklist, settings: &OptimizerSummary) {
    let (optimizer, rate) = (&settings.name, settings.learning_rate);
    let (low, high, best) = usual(optimizer);
    let shown = text(rate);
    // With momentum a weight goes so far in the end.
    let reach = rate / (1.0 - settings.momentum);
    if rate == 0.0 {
        list.wrong(
            "rate",
            format!("the learning rate is 0: no weight will change. Try {}.", text(best)),
        );
    } else if reach < low {
        let text = format!(
            "{optimizer} with a learning rate of {shown}: steps so small that the network will hardly \
             have moved after all epochs. Try {}.",
            text(best)
        );
        // A tenth of the usual is slow, less than that is hopeless.
        if reach < low / 10.0 { list.wrong("rate", text) } else { list.odd("rate", text) }
    } else if rate > high {
        let text = format!(
            "{optimizer} with a learning rate of {shown}: steps so large that it jumps over every good \
             place, and the loss stays high or grows. Try {}.",
            text(best)
        );
        if rate >= 10.0 * high || rate >= 1.0 {
            list.wrong("rate", text);
        } else {
            list.odd("rate", text);
        }
    } else {
        list.right("rate", format!("{optimizer} with a learning rate of {shown}."));
    }
}

/// Sgd's weights come to rest where the pull to zero is as strong as the gradient; the others divide
/// the gradient by its size first, and bear more.
fn weight_decay_of(list: &mut Checklist, settings: &OptimizerSummary) {
    let (most, usual) = match settings.name.as_str() {
        "Sgd" => (0.1, "5e-4"),
        _ => (10.0, "0.01"),
    };
    let decay = settings.weight_decay;
    if decay < most / 10.0 {
        return;
    }
    let text = format!(
        "a weight decay of {decay} pulls all weights to zero so strongly that far less is learned. \
         {usual} is usual with {}.",
        settings.name
    );
    if decay < most { list.odd("weight decay", text) } else { list.wrong("weight decay", text) }
}

/// A rate as people write it: `0.05`, `1e-3`.
pub(super) fn text(rate: f64) -> String {
    if rate >= 0.01 { format!("{rate}") } else { format!("{rate:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_for_one_optimizer_is_not_for_another() {
        let say = |name: &str, rate| {
            let mut list = Checklist::new("rate");
            rate_of(
                &mut list,
                &OptimizerSummary {
                    name: name.into(),
                    learning_rate: rate,
                    ..OptimizerSummary::default()
                },
            );
            (list.passes(), list.advice().is_empty())
        };
        assert_eq!(say("Sgd", 0.1), (true, true));
        assert_eq!(say("Adam", 0.05), (true, false));
        assert_eq!(say("Adam", 0.1), (false, true));
        assert_eq!(say("RmsProp", 1e-5), (true, false));
        assert_eq!(say("RmsProp", 1e-7), (false, true));
        assert_eq!(say("SignDescent", 0.1), (true, true));
        assert_eq!(text(1e-3), "1e-3");
    }

    #[test]
    fn momentum_makes_a_small_rate_larger() {
        let mut list = Checklist::new("rate");
        let (name, rate) = ("Sgd".to_owned(), 1e-3);
        rate_of(
            &mut list,
            &OptimizerSummary {
                name,
                learning_rate: rate,
                momentum: 0.9,
                ..OptimizerSummary::default()
            },
        );
        assert!(list.passes() && list.advice().is_empty(), "{list:?}");
    }

    #[test]
    fn a_weight_decay_that_leaves_nothing_is_told() {
        let say = |name: &str, weight_decay| {
            let mut list = Checklist::new("weight decay");
            let name = name.into();
            weight_decay_of(
                &mut list,
                &OptimizerSummary { name, weight_decay, ..OptimizerSummary::default() },
            );
            (list.passes(), list.advice().is_empty())
        };
        assert_eq!(say("Sgd", 5e-4), (true, true));
        assert_eq!(say("Sgd", 0.01), (true, false));
        assert_eq!(say("Sgd", 0.1), (false, true));
        assert_eq!(say("AdamW", 0.1), (true, true));
        assert_eq!(say("Adam", 1.0), (true, false));
        assert_eq!(say("Adam", 10.0), (false, true));
    }
}
