//! The members of an ensemble, and their outputs for a set.

use super::TestTimeAugmentation;
use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::layers::shape_text;
use crate::model::Model;
use crate::runtime::progress::Progress;
use crate::runtime::{Budget, interrupt};
use crate::train::{
    Note, Shortened, catch_torch_error, channels_last_on_cpu, check_input, inference_batch_size,
};
use ndarray::Array2;
use tch::{Device, Kind, no_grad};

/// A network, and how it transforms images before it predicts.
#[derive(Clone)]
pub(super) struct Member {
    model: Model,
    augmentation: TestTimeAugmentation,
    name: String,
}

impl Member {
    pub(super) fn name(&self) -> String {
        self.name.clone()
    }

    pub(super) fn model(&self) -> Model {
        self.model.clone()
    }

    /// The same network under another name.
    pub(super) fn with_name(self, name: impl Into<String>) -> Member {
        Member { name: name.into(), ..self }
    }

    /// The same network with an augmentation, which becomes its name.
    pub(super) fn with_augmentation(&self, augmentation: TestTimeAugmentation) -> Member {
        Member { model: self.model.clone(), augmentation, name: augmentation.to_string() }
    }

    pub(super) fn classes(&self) -> usize {
        self.model.output_shape()[0]
    }

    /// The probabilities or logits `[examples, classes]` of a set. `progress` is called with the number
    /// of finished examples.
    pub(super) fn predict(
        &self,
        op: &str,
        set: &TensorSet,
        logits: bool,
        mut progress: impl FnMut(usize),
    ) -> Result<Array2<f32>> {
        let (inner, device) = (self.model.inner(), self.model.device());
        let mut rows: Vec<f32> = Vec::with_capacity(set.len() * self.classes());
        for (x, _) in set.batches(inference_batch_size(set) as i64, device) {
            interrupt::check(op)?;
            let output = catch_torch_error(op, || {
                Ok(no_grad(|| {
                    let x = channels_last_on_cpu(self.augmentation.apply(&x));
                    let access = inner.program.inference();
                    let output = if logits { access.logits(&x) } else { access.forward(&x) };
                    output.to_device(Device::Cpu).to_kind(Kind::Float).contiguous()
                }))
            })?;
            rows.extend(Vec::<f32>::try_from(output.view(-1))?);
            progress(rows.len() / self.classes());
        }
        Ok(Array2::from_shape_vec((set.len(), self.classes()), rows)
            .expect("every example gives one row"))
    }
}

/// The members of an ensemble of these networks: classifiers with the same inputs and outputs, with
/// names that differ.
pub(super) fn checked_members(op: &str, models: &[&Model]) -> Result<Vec<Member>> {
    let Some(first) = models.first() else {
        return Err(Error::invalid(op, "at least one network", "none", "Try &[&a, &b, &c]."));
    };
    let mut members: Vec<Member> = Vec::with_capacity(models.len());
    for &model in models {
        check_classifier(op, model, first)?;
        let name = model.name();
        let same_name = models.iter().filter(|other| other.name() == name).count();
        let number = members.iter().filter(|member| member.model.name() == name).count() + 1;
        let name = if same_name > 1 { format!("{name} #{number}") } else { name };
        let augmentation = TestTimeAugmentation::Identity;
        members.push(Member { model: model.clone(), augmentation, name });
    }
    Ok(members)
}

/// Refuses what is not a classifier with the inputs and outputs of `first`.
fn check_classifier(op: &str, model: &Model, first: &Model) -> Result<()> {
    let name = model.name();
    let (inputs, outputs) = (model.input_shapes(), model.output_shapes());
    if inputs.len() != 1 || outputs.len() != 1 || outputs[0].len() != 1 {
        let got = format!("{name:?} with {} inputs and outputs {outputs:?}", inputs.len());
        return Err(Error::invalid(op, "classifiers with one input and one output", got, ""));
    }
    if !model.inner().ends_in_softmax() {
        let got = format!("{name:?}, which ends in {}", model.inner().last_repr());
        let hint = "Try adding Softmax as the last layer.";
        return Err(Error::invalid(op, "networks that end in Softmax", got, hint));
    }
    let shapes = |model: &Model| {
        let (input, output) = (model.input_shape(), model.output_shape());
        format!("from {} to {}", shape_text(&input), shape_text(&output))
    };
    if shapes(first) != shapes(model) {
        let expected = format!("networks {}, as the first", shapes(first));
        return Err(Error::invalid(op, expected, format!("{name:?} {}", shapes(model)), ""));
    }
    Ok(())
}

/// The outputs of all members for a set.
pub(super) struct MemberOutputs {
    /// Probabilities or logits `[examples, classes]` of each member.
    pub(super) outputs: Vec<Array2<f32>>,
    /// The examples that the budget allows.
    pub(super) set: TensorSet,
    /// Whether a budget left out some of the examples.
    pub(super) note: Option<Note>,
}

/// Lets all members predict the examples of a set.
pub(super) fn member_outputs(
    op: &str,
    members: &[Member],
    set: &TensorSet,
    logits: bool,
) -> Result<MemberOutputs> {
    let (model, classes) = (&members[0].model, members[0].classes());
    check_input(op, model.inner(), set)?;
    if classes > set.class_names().len() {
        let expected = format!("networks with {} outputs", set.class_names().len());
        return Err(Error::invalid(op, expected, classes.to_string(), ""));
    }
    let budget = Budget::current()?;
    let kept = budget.evaluation_examples(set.len(), model.device());
    let note = (kept < set.len()).then(|| {
        let to = Shortened::Evaluation { examples: kept, all_examples: set.len() };
        Note::Shortened { budget, to }
    });
    let set = set.first(kept);
    let mut progress = Progress::of("predicted", "examples", members.len() * set.len());
    let mut outputs = Vec::with_capacity(members.len());
    for (number, member) in members.iter().enumerate() {
        outputs.push(member.predict(op, &set, logits, |done| {
            let member = || format!("  member {} of {}", number + 1, members.len());
            progress.done_with(number * set.len() + done, member);
        })?);
    }
    Ok(MemberOutputs { outputs, set, note })
}

/// The labels of a set, all below the number of classes.
pub(super) fn checked_labels(op: &str, set: &TensorSet, classes: usize) -> Result<Vec<usize>> {
    let labels = set.label_vec().ok_or_else(|| {
        let hint = "predict() works without labels.";
        Error::invalid(op, "a set with labels", "one without", hint)
    })?;
    match labels.iter().find(|&&label| label >= classes) {
        Some(label) => {
            let expected = format!("labels from 0 to {}", classes - 1);
            Err(Error::invalid(op, expected, format!("label {label}"), ""))
        }
        None => Ok(labels),
    }
}
