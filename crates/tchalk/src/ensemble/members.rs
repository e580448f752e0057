//! The members of an ensemble, and what each of them says.

use super::{Ensemble, TestTimeAugmentation};
use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::layers::shape_text;
use crate::model::Model;
use crate::runtime::progress::Progress;
use crate::runtime::{Budget, interrupt};
use crate::train::{
    Note, Shortened, argmax, catch_torch_error, channels_last_on_cpu, check_input,
    inference_batch_size,
};
use ndarray::{Array2, Axis};
use tch::{Device, Kind, no_grad};

/// A network and how it looks at the images.
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

    /// The same under another name.
    pub(super) fn with_name(self, name: impl Into<String>) -> Member {
        Member { name: name.into(), ..self }
    }

    /// The same network with another view, which gives it its name.
    pub(super) fn with_augmentation(&self, view: TestTimeAugmentation) -> Member {
        Member { model: self.model.clone(), augmentation: view, name: view.name() }
    }

    pub(super) fn classes(&self) -> usize {
        self.model.output_shape()[0]
    }

    /// What it says about each example: probabilities, or scores, `[examples, classes]`. `progress`
    /// is told how many are done.
    pub(super) fn predict(
        &self,
        op: &str,
        set: &TensorSet,
        scores: bool,
        mut progress: impl FnMut(usize),
    ) -> Result<Array2<f32>> {
        let (inner, device) = (self.model.inner(), self.model.device());
        let mut rows: Vec<f32> = Vec::with_capacity(set.len() * self.classes());
        for (x, _) in set.batches(inference_batch_size(set) as i64, device) {
            interrupt::check(op)?;
            let said = catch_torch_error(op, || {
                Ok(no_grad(|| {
                    let (x, access) = (
                        channels_last_on_cpu(self.augmentation.apply(&x)),
                        inner.program.inference(),
                    );
                    let said = if scores { access.scores(&x) } else { access.forward(&x) };
                    said.to_device(Device::Cpu).to_kind(Kind::Float).contiguous()
                }))
            })?;
            rows.extend(Vec::<f32>::try_from(said.view(-1))?);
            progress(rows.len() / self.classes());
        }
        Ok(Array2::from_shape_vec((set.len(), self.classes()), rows)
            .expect("every example gives one row"))
    }
}

/// Networks that can answer together.
pub(super) fn checked_members(op: &str, models: &[&Model]) -> Result<Vec<Member>> {
    let Some(first) = models.first() else {
        return Err(Error::invalid(op, "at least one network", "none", "Try &[&a, &b, &c]."));
    };
    let mut members: Vec<Member> = Vec::with_capacity(models.len());
    for &model in models {
        let name = model.name();
        let (inputs, outputs) = (model.input_shapes(), model.output_shapes());
        if inputs.len() != 1 || outputs.len() != 1 || outputs[0].len() != 1 {
            let got = format!("{name:?} with {} inputs and outputs {outputs:?}", inputs.len());
            return Err(Error::invalid(op, "classifiers of one input and one output", got, ""));
        }
        if !model.inner().ends_in_softmax() {
            let got = format!("{name:?}, which ends in {}", model.inner().last_repr());
            let hint = "Try adding Softmax as the last layer.";
            return Err(Error::invalid(op, "networks that end in Softmax", got, hint));
        }
        let both = |model: &Model| {
            let (input, output) = (model.input_shape(), model.output_shape());
            format!("from {} to {}", shape_text(&input), shape_text(&output))
        };
        if both(first) != both(model) {
            let expected = format!("networks {}, as the first", both(first));
            let got = format!("{name:?} {}", both(model));
            return Err(Error::invalid(op, expected, got, ""));
        }
        let alike = models.iter().filter(|other| other.name() == name).count();
        let number = members.iter().filter(|member| member.model.name() == name).count() + 1;
        let name = if alike > 1 { format!("{name} #{number}") } else { name };
        members.push(Member {
            model: model.clone(),
            augmentation: TestTimeAugmentation::Identity,
            name,
        });
    }
    Ok(members)
}

/// What each member says about a set: probabilities or scores `[examples, classes]`.
pub(super) struct MemberOutputs {
    pub(super) outputs: Vec<Array2<f32>>,
    /// The examples, as many as the budget allows.
    pub(super) set: TensorSet,
    /// Whether a budget left out some of them.
    pub(super) note: Option<Note>,
}

impl Ensemble {
    /// Asks all members, one after the other.
    pub(super) fn member_outputs(
        &self,
        op: &str,
        set: &TensorSet,
        scores: bool,
    ) -> Result<MemberOutputs> {
        let model = &self.members[0].model;
        check_input(op, model.inner(), set)?;
        if self.classes() > set.class_names().len() {
            let expected = format!("networks with {} outputs", set.class_names().len());
            return Err(Error::invalid(op, expected, self.classes().to_string(), ""));
        }
        let budget = Budget::current()?;
        let kept = budget.evaluation_examples(set.len(), model.device());
        let note = (kept < set.len()).then(|| {
            let to = Shortened::Evaluation { examples: kept, all_examples: set.len() };
            Note::Shortened { budget, to }
        });
        let set = set.first(kept);
        let mut progress = Progress::of("asked", "examples", self.members.len() * set.len());
        let mut of_members = Vec::with_capacity(self.members.len());
        for (number, member) in self.members.iter().enumerate() {
            of_members.push(member.predict(op, &set, scores, |done| {
                let member = || format!("  member {} of {}", number + 1, self.members.len());
                progress.done_with(number * set.len() + done, member);
            })?);
        }
        Ok(MemberOutputs { outputs: of_members, set, note })
    }
}

/// The most probable class of each example.
pub(super) fn predicted_classes(probabilities: &Array2<f32>) -> Vec<usize> {
    probabilities.rows().into_iter().map(|row| argmax(row.iter().copied())).collect()
}

/// Whether each example's most probable class is the right one.
pub(super) fn is_correct(probabilities: &Array2<f32>, labels: &[usize]) -> Vec<bool> {
    predicted_classes(probabilities)
        .iter()
        .zip(labels)
        .map(|(answer, label)| answer == label)
        .collect()
}

/// Scores to probabilities, row by row.
pub(super) fn softmax(mut scores: Array2<f32>) -> Array2<f32> {
    for mut row in scores.axis_iter_mut(Axis(0)) {
        let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        row.mapv_inplace(|score| (score - most).exp());
        let sum = row.sum();
        row /= sum;
    }
    scores
}

/// The share of votes for each class. Where several have equally many, the one of them that gets
/// more probability from all members together comes out a trace ahead.
pub(crate) fn vote_shares(members: &[Array2<f32>]) -> Array2<f32> {
    let mut shares = Array2::<f32>::zeros(members[0].dim());
    let mut means = shares.clone();
    for member in members {
        for (i, answer) in predicted_classes(member).into_iter().enumerate() {
            shares[[i, answer]] += 1.0 / members.len() as f32;
        }
        means.scaled_add(1.0 / members.len() as f32, member);
    }
    // Less than half the smallest difference between two shares, so that only equals are decided.
    let trace = 0.25 / members.len() as f32;
    shares * (1.0 - trace) + means * trace
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_most_votes_win_and_probability_decides_between_equals() {
        let members =
            [array![[0.9f32, 0.1, 0.0]], array![[0.3, 0.4, 0.3]], array![[0.3, 0.4, 0.3]]];
        assert_eq!(predicted_classes(&vote_shares(&members)), [1], "two against one, however sure");
        let two = [array![[0.9f32, 0.1, 0.0]], array![[0.0, 0.4, 0.6]]];
        assert_eq!(predicted_classes(&vote_shares(&two)), [0]);
        assert!((vote_shares(&members).sum() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn large_scores_do_not_overflow() {
        let rows = softmax(array![[1000.0f32, 999.0], [-1000.0, -1000.0]]);
        assert!((rows[[0, 0]] - 0.731_058_6).abs() < 1e-6);
        assert_eq!(rows[[1, 1]], 0.5);
    }
}
