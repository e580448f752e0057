//! What a reader should know about a training or a result.

use crate::runtime::Budget;
use crate::text::{self, duration, thousands};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// What a reader should know about a training or a result. `Display` gives the sentence.
///
/// ```
/// use tchalk::train::Note;
/// # use tchalk::prelude::*;
/// # let train = datasets::shapes()?.train.take(40).to_tensors(Device::Cpu);
/// # let layers = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10));
/// # let model = layers.add(Softmax).build(Device::Cpu)?;
/// # model.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy)?;
/// model.fit(&train, Fit::new())?;
/// let notes = model.evaluate(&train)?.notes();
/// assert!(matches!(notes[0], Note::Leak { leaked: 40, examples: 40, .. }));
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Note {
    /// A budget left out a part of the work.
    Shortened {
        /// The budget.
        budget: Budget,
        /// What was left of the work.
        to: Shortened,
    },
    /// The network has been trained on examples that it is measured on.
    Leak {
        /// Whether these are the examples of a validation set.
        validation: bool,
        /// The number of examples that the network was trained on.
        leaked: usize,
        /// The number of examples that it is measured on.
        examples: usize,
    },
    /// The set that the result is from also chose between the epochs.
    ChosenOnThisSet,
    /// The weights of an ensemble's members were fitted to the set that the result is from.
    FittedOnThisSet,
    /// The network was trained with a replica on each of these devices.
    Replicas {
        /// The names of the devices.
        devices: Vec<String>,
    },
    /// The batches are too small to give every replica an example.
    IdleReplicas {
        /// The examples of a batch.
        batch_size: usize,
        /// The number of replicas.
        replicas: usize,
    },
    /// All examples fit into one batch.
    OneStepEpochs {
        /// The batch size that was asked for.
        batch_size: usize,
        /// The number of examples.
        examples: usize,
    },
    /// Whether mixed precision was used, where it was asked for.
    MixedPrecision {
        /// It needs a GPU.
        used: bool,
    },
    /// The learning rate is 0.
    ZeroLearningRate,
    /// The outputs of the frozen layers were computed once.
    FeaturesCached {
        /// The names of the layers whose outputs were kept.
        layers: String,
        /// The number of examples.
        examples: usize,
        /// The memory they take.
        bytes: usize,
        /// Whether they were kept in half precision.
        half_precision: bool,
    },
    /// The outputs of the frozen layers are too large to be kept.
    FeaturesTooLarge {
        /// The memory they would take.
        bytes: usize,
        /// The memory there is for them.
        limit: usize,
    },
    /// The frozen layers run in every epoch, since every epoch has other images.
    FeaturesAugmented,
    /// A callback reduced the learning rate.
    LearningRateReduced {
        /// The new learning rate.
        learning_rate: f64,
        /// The epoch after which it was reduced.
        epoch: usize,
    },
    /// The weights of an earlier epoch were put back.
    WeightsRestored {
        /// The epoch.
        epoch: usize,
        /// The metric that was best in it.
        metric: String,
        /// The value of the metric.
        value: f64,
    },
    /// The weights are the moving average of those of all steps.
    WeightsAveraged {
        /// The part of the average that stays at each step.
        decay: f64,
    },
    /// Training ended because a metric got no better.
    EarlyStopping {
        /// The metric.
        metric: String,
        /// The epoch with its best value.
        epoch: usize,
        /// Its best value.
        value: f64,
    },
    /// Training ended because a metric reached its target.
    TargetReached {
        /// The metric.
        metric: String,
        /// Its value.
        value: f64,
    },
    /// Training was stopped: by an interrupt where there is no reason, else by a callback.
    Stopped {
        /// When it was stopped.
        at: StoppedAt,
        /// What the callback said.
        reason: Option<String>,
    },
    /// Not all members of an ensemble were trained.
    UnfinishedMembers {
        /// The members that were trained.
        finished: usize,
        /// The members that were asked for.
        planned: usize,
        /// The error of the next one; none where the reader interrupted.
        reason: Option<String>,
    },
    /// An ensemble's weights were fitted to examples that a member was trained on.
    FittedOnMembersExamples {
        /// The name of the member.
        member: String,
        /// What is known about them.
        leak: Box<Note>,
    },
    /// A sentence of a callback.
    #[serde(untagged)]
    Other(String),
}

/// What a budget has left of some work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shortened {
    /// Some epochs, on some of the examples.
    Training {
        /// The epochs that were left.
        epochs: usize,
        /// The epochs that were asked for.
        planned_epochs: usize,
        /// The examples that were left.
        examples: usize,
        /// The examples of the set.
        all_examples: usize,
        /// The seconds that the training has to fit into, where that was the reason.
        seconds: Option<f64>,
    },
    /// Some steps of the last epoch.
    Epoch {
        /// The number of the epoch.
        epoch: usize,
        /// The steps that were done.
        steps: usize,
        /// The steps of a whole epoch.
        planned_steps: usize,
    },
    /// Some of the examples that were to be measured.
    Evaluation {
        /// The examples that were measured.
        examples: usize,
        /// The examples of the set.
        all_examples: usize,
    },
    /// Some of the examples for each of several trainings.
    EachTraining {
        /// The number of trainings.
        trainings: usize,
        /// The examples that each of them has.
        examples: usize,
        /// The examples of the set.
        all_examples: usize,
    },
    /// As a file of an older version says it.
    #[serde(untagged)]
    Other(String),
}

/// When a training was stopped. Epochs count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoppedAt {
    /// Before this epoch.
    BeforeEpoch(usize),
    /// Within this epoch, which does not count.
    InEpoch(usize),
    /// While this epoch was being validated.
    InValidation(usize),
    /// After this epoch.
    AfterEpoch(usize),
}

impl StoppedAt {
    /// The note on a training that the reader interrupted.
    pub(crate) fn interrupted(self) -> Note {
        Note::Stopped { at: self, reason: None }
    }

    /// The note on a training that a callback stopped.
    pub(crate) fn because(self, reason: String) -> Note {
        Note::Stopped { at: self, reason: Some(reason) }
    }
}

impl Note {
    /// Whether a budget left out a part of the work.
    pub fn is_shortened(&self) -> bool {
        matches!(self, Note::Shortened { .. })
    }

    /// Whether the network was trained on examples that it is measured on.
    pub fn is_leak(&self) -> bool {
        matches!(self, Note::Leak { .. })
    }
}

impl From<String> for Note {
    fn from(text: String) -> Note {
        Note::Other(text)
    }
}

impl From<&str> for Note {
    fn from(text: &str) -> Note {
        Note::Other(text.to_owned())
    }
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Shortened { budget, to } => write!(f, "budget {}: {to}", budget.name()),
            Note::Leak { .. } | Note::ChosenOnThisSet | Note::FittedOnThisSet => {
                self.fmt_leakage(f)
            }
            Note::FeaturesCached { .. }
            | Note::FeaturesTooLarge { .. }
            | Note::FeaturesAugmented => self.fmt_features(f),
            Note::Replicas { devices } => {
                write!(f, "{} replicas: {}", devices.len(), devices.join(", "))
            }
            Note::IdleReplicas { batch_size, replicas } => write!(
                f,
                "batch_size {batch_size} is less than the {replicas} replicas: some have nothing to \
                 do"
            ),
            Note::OneStepEpochs { batch_size, examples } => write!(
                f,
                "batch_size {batch_size} is more than there are examples: every epoch is one step \
                 of {examples}"
            ),
            Note::MixedPrecision { used: true } => {
                write!(f, "mixed precision: convolutions and dense layers in bfloat16")
            }
            Note::MixedPrecision { used: false } => {
                write!(f, "full precision: mixed precision is for GPUs")
            }
            Note::ZeroLearningRate => write!(f, "the learning rate is 0: no weight will change"),
            Note::LearningRateReduced { learning_rate, epoch } => {
                write!(f, "learning rate {learning_rate:.1e} after epoch {epoch}")
            }
            Note::WeightsRestored { epoch, metric, value } => {
                write!(f, "the weights are those of epoch {epoch}, chosen by {metric} {value:.4}")
            }
            Note::WeightsAveraged { decay } => {
                write!(f, "the weights are their moving average, decay {decay}")
            }
            Note::EarlyStopping { metric, epoch, value } => {
                write!(f, "early stopping: {metric} was best in epoch {epoch}, at {value:.4}")
            }
            Note::TargetReached { metric, value } => {
                write!(f, "target reached: {metric} {value:.4}")
            }
            Note::Stopped { at, reason: Some(reason) } => write!(f, "{at}: {reason}"),
            Note::Stopped { at, reason: None } => write!(f, "{at}; the weights are kept"),
            Note::UnfinishedMembers { .. } | Note::FittedOnMembersExamples { .. } => {
                self.fmt_ensemble(f)
            }
            Note::Other(text) => f.write_str(text),
        }
    }
}

impl Note {
    fn fmt_ensemble(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::UnfinishedMembers { finished, planned, reason } => write!(
                f,
                "{finished} of {planned} members are finished and kept: {}",
                reason.as_deref().unwrap_or("interrupted")
            ),
            Note::FittedOnMembersExamples { member, leak } => {
                write!(f, "the set that the weights were fitted to is not new to {member}: {leak}")
            }
            _ => Ok(()),
        }
    }

    fn fmt_leakage(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Leak { validation, leaked, examples } => {
                let which = if *validation { "validation " } else { "" };
                if leaked == examples {
                    return write!(
                        f,
                        "all {which}examples were trained on: this says nothing about new ones"
                    );
                }
                let (leaked, all) = (thousands(*leaked), thousands(*examples));
                write!(f, "{leaked} of the {all} {which}examples were trained on, too")
            }
            Note::FittedOnThisSet => write!(
                f,
                "the weights of the members were fitted to this set: a fresh one would score a \
                 little lower"
            ),
            _ => write!(
                f,
                "this set also chose between the epochs: a fresh set would score a little lower"
            ),
        }
    }

    fn fmt_features(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::FeaturesCached { layers, examples, bytes, half_precision } => write!(
                f,
                "the frozen part, up to {layers}, was computed once for {} examples: {}{}",
                thousands(*examples),
                text::bytes(*bytes as u64),
                if *half_precision { " in half precision, for want of memory" } else { "" },
            ),
            Note::FeaturesTooLarge { bytes, limit } => write!(
                f,
                "the frozen part runs in every epoch: its outputs would take {}, with {} free for \
                 them",
                text::bytes(*bytes as u64),
                text::bytes(*limit as u64),
            ),
            _ => write!(f, "with augmentation the frozen part runs in every epoch"),
        }
    }
}

impl fmt::Display for Shortened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of =
            |part: usize, all: usize| format!("{} of {} examples", thousands(part), thousands(all));
        match self {
            Shortened::Training { epochs, planned_epochs, examples, all_examples, seconds } => {
                write!(f, "{epochs} ")?;
                if epochs < planned_epochs {
                    write!(f, "of {planned_epochs} ")?;
                }
                write!(f, "epochs")?;
                if examples < all_examples {
                    write!(f, ", each on {}", of(*examples, *all_examples))?;
                }
                let Some(seconds) = seconds else { return Ok(()) };
                let comma = if examples < all_examples { "," } else { "" };
                let time = duration(*seconds);
                write!(f, "{comma} fit into {}", time.trim_end_matches(" 0 s"))
            }
            Shortened::Epoch { epoch, steps, planned_steps } => {
                write!(f, "epoch {epoch} ended after {steps} of {planned_steps} steps")
            }
            Shortened::Evaluation { examples, all_examples } => {
                write!(f, "{}", of(*examples, *all_examples))
            }
            Shortened::EachTraining { trainings, examples, all_examples } => {
                write!(f, "each of {trainings} trainings on {}", of(*examples, *all_examples))
            }
            Shortened::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for StoppedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoppedAt::BeforeEpoch(epoch) => write!(f, "stopped before epoch {epoch}"),
            StoppedAt::InEpoch(epoch) => write!(f, "stopped in epoch {epoch}"),
            StoppedAt::InValidation(epoch) => {
                write!(f, "stopped while epoch {epoch} was being validated")
            }
            StoppedAt::AfterEpoch(epoch) => write!(f, "stopped after epoch {epoch}"),
        }
    }
}

/// Reads notes from a file. Older versions wrote sentences; those that a check asks for become what
/// they say.
pub(crate) fn notes_of_any_version<'de, D>(from: D) -> Result<Vec<Note>, D::Error>
where
    D: Deserializer<'de>,
{
    let notes = Vec::<Note>::deserialize(from)?;
    Ok(notes.into_iter().map(from_old_sentence).collect())
}

fn from_old_sentence(note: Note) -> Note {
    let Note::Other(text) = &note else { return note };
    let budget = text.strip_prefix("budget ").and_then(|rest| rest.split_once(": "));
    let budget = budget.and_then(|(name, to)| Some((Budget::named(name)?, to)));
    if let Some((budget, to)) = budget {
        return Note::Shortened { budget, to: Shortened::Other(to.to_owned()) };
    }
    if text.contains("validation examples were trained on") {
        let number = |word: &str| word.replace(',', "").parse().ok();
        let mut numbers = text.split(' ').filter_map(number);
        let leaked = numbers.next().unwrap_or_default();
        let examples = numbers.next().unwrap_or(leaked);
        return Note::Leak { validation: true, leaked, examples };
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A note of each kind, and its sentence.
    fn notes() -> Vec<(Note, &'static str)> {
        let training = |epochs, examples, seconds| Note::Shortened {
            budget: Budget::Class,
            to: Shortened::Training {
                epochs,
                planned_epochs: 25,
                examples,
                all_examples: 2_000,
                seconds,
            },
        };
        let shortened = |to| Note::Shortened { budget: Budget::Ci, to };
        let leak = |validation, leaked| Note::Leak { validation, leaked, examples: 1_500 };
        let stopped =
            |at, reason: Option<&str>| Note::Stopped { at, reason: reason.map(Into::into) };
        vec![
            (
                training(2, 1_000, None),
                "budget class: 2 of 25 epochs, each on 1,000 of 2,000 examples",
            ),
            (training(12, 2_000, Some(120.0)), "budget class: 12 of 25 epochs fit into 2 min"),
            (
                training(25, 500, Some(120.0)),
                "budget class: 25 epochs, each on 500 of 2,000 examples, fit into 2 min",
            ),
            (
                shortened(Shortened::Epoch { epoch: 3, steps: 4, planned_steps: 20 }),
                "budget ci: epoch 3 ended after 4 of 20 steps",
            ),
            (
                shortened(Shortened::Evaluation { examples: 1_000, all_examples: 2_000 }),
                "budget ci: 1,000 of 2,000 examples",
            ),
            (
                shortened(Shortened::EachTraining {
                    trainings: 2,
                    examples: 500,
                    all_examples: 2_000,
                }),
                "budget ci: each of 2 trainings on 500 of 2,000 examples",
            ),
            (leak(false, 1_200), "1,200 of the 1,500 examples were trained on, too"),
            (
                leak(true, 1_500),
                "all validation examples were trained on: this says nothing about new ones",
            ),
            (
                Note::ChosenOnThisSet,
                "this set also chose between the epochs: a fresh set would score a little lower",
            ),
            (
                Note::FittedOnThisSet,
                "the weights of the members were fitted to this set: a fresh one would score a \
                 little lower",
            ),
            (
                Note::Replicas { devices: vec!["cpu".into(), "cuda 1".into()] },
                "2 replicas: cpu, cuda 1",
            ),
            (
                Note::IdleReplicas { batch_size: 2, replicas: 3 },
                "batch_size 2 is less than the 3 replicas: some have nothing to do",
            ),
            (
                Note::OneStepEpochs { batch_size: 32, examples: 20 },
                "batch_size 32 is more than there are examples: every epoch is one step of 20",
            ),
            (
                Note::MixedPrecision { used: true },
                "mixed precision: convolutions and dense layers in bfloat16",
            ),
            (Note::MixedPrecision { used: false }, "full precision: mixed precision is for GPUs"),
            (Note::ZeroLearningRate, "the learning rate is 0: no weight will change"),
            (
                Note::FeaturesCached {
                    layers: "flatten".into(),
                    examples: 4_000,
                    bytes: 12_000_000,
                    half_precision: true,
                },
                "the frozen part, up to flatten, was computed once for 4,000 examples: 12 MB in half \
                 precision, for want of memory",
            ),
            (
                Note::FeaturesTooLarge { bytes: 7_500_000_000, limit: 340_000 },
                "the frozen part runs in every epoch: its outputs would take 7.5 GB, with 340 kB free \
                 for them",
            ),
            (Note::FeaturesAugmented, "with augmentation the frozen part runs in every epoch"),
            (
                Note::LearningRateReduced { learning_rate: 1e-4, epoch: 3 },
                "learning rate 1.0e-4 after epoch 3",
            ),
            (
                Note::WeightsRestored { epoch: 3, metric: "val_loss".into(), value: 0.5 },
                "the weights are those of epoch 3, chosen by val_loss 0.5000",
            ),
            (
                Note::WeightsAveraged { decay: 0.9 },
                "the weights are their moving average, decay 0.9",
            ),
            (
                Note::EarlyStopping { metric: "val_loss".into(), epoch: 3, value: 0.5 },
                "early stopping: val_loss was best in epoch 3, at 0.5000",
            ),
            (
                Note::TargetReached { metric: "accuracy".into(), value: 0.875 },
                "target reached: accuracy 0.8750",
            ),
            (stopped(StoppedAt::BeforeEpoch(1), Some("no")), "stopped before epoch 1: no"),
            (stopped(StoppedAt::InEpoch(2), None), "stopped in epoch 2; the weights are kept"),
            (
                stopped(StoppedAt::InValidation(2), None),
                "stopped while epoch 2 was being validated; the weights are kept",
            ),
            (stopped(StoppedAt::AfterEpoch(2), Some("no")), "stopped after epoch 2: no"),
            ("member 2 of 3".into(), "member 2 of 3"),
        ]
    }

    #[test]
    fn every_note_has_its_sentence_and_comes_back_from_json() {
        for (note, sentence) in notes() {
            assert_eq!(note.to_string(), sentence);
            let json = serde_json::to_string(&note).unwrap();
            assert_eq!(serde_json::from_str::<Note>(&json).unwrap(), note, "{json}");
        }
    }

    #[test]
    fn sentences_of_older_versions_are_still_facts() {
        let old = r#"["budget class: 3 of 12 epochs fit into 2 min",
            "5 of the 1,050 validation examples were trained on, too",
            "all validation examples were trained on: this says nothing about new ones",
            "budget nobody: knows"]"#;
        let mut from = serde_json::Deserializer::from_str(old);
        let notes = notes_of_any_version(&mut from).unwrap();
        let to = Shortened::Other("3 of 12 epochs fit into 2 min".into());
        assert_eq!(notes[0], Note::Shortened { budget: Budget::Class, to });
        assert_eq!(notes[1], Note::Leak { validation: true, leaked: 5, examples: 1_050 });
        assert!(notes[2].is_leak());
        assert_eq!(notes[3], Note::Other("budget nobody: knows".into()));
        for (note, sentence) in notes.iter().zip(serde_json::from_str::<Vec<String>>(old).unwrap())
        {
            assert_eq!(note.to_string(), sentence);
        }
    }
}
