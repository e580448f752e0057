//! Predictions: the probabilities of the classes for each image of a set.

use super::leakage::{TrainingFacts, leakage_notes_of_all};
use super::loss::{LossInput, class_count};
use super::note::Note;
use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plot::{Caption, Figure, Mark, image_grid};
use crate::runtime::progress::Progress;
use crate::runtime::{self, Budget, interrupt, memory};
use crate::text::thousands;
use crate::train::batch_source::inference_batch_size;
use crate::train::catch_torch_error;
use crate::train::compile::check_input;
use crate::train::memory_layout;
use ndarray::{ArcArray, Array2, Ix3};
use tch::{Kind, Tensor, no_grad};

/// The predictions of a network for a set of images: a probability for each class of each image.
///
/// How good that is, and where it goes wrong, is in [`crate::evaluate`].
#[derive(Clone)]
pub struct Predictions {
    probabilities: Array2<f32>,
    classes: Vec<usize>,
    set: TensorSet,
    /// The index of each image in the set.
    indices: Vec<usize>,
    /// The description of the subset of the images; empty for all.
    subset: String,
    /// What the networks were trained on; empty if that is not known.
    training_facts: Vec<TrainingFacts>,
}

impl std::fmt::Debug for Predictions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "predictions for {} images", thousands(self.len()))?;
        match self.accuracy() {
            _ if !self.subset.is_empty() => write!(f, ", {}", self.subset),
            Some(right) => write!(f, ", {:.2} % right", 100.0 * right),
            None => Ok(()),
        }
    }
}

impl crate::display::Show for Predictions {
    fn content(&self) -> crate::display::Content {
        crate::display::Content::text(format!("{self:?}"))
    }
}

impl Predictions {
    /// Predictions from elsewhere, an ensemble for example: `probabilities` `[images, classes]`
    /// for the images of `set`, in its order.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let test = datasets::shapes()?.test.take(4).to_tensors(Device::Cpu);
    /// let even = ndarray::Array2::from_elem((4, 10), 0.1);
    /// assert_eq!(Predictions::from_probabilities(even, &test)?.classes(), [0, 0, 0, 0]);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is not one row for each image, there are no classes or more than the set has
    /// names for, or a value is not a number.
    pub fn from_probabilities(probabilities: Array2<f32>, set: &TensorSet) -> Result<Predictions> {
        const OP: &str = "Predictions::from_probabilities";
        let (rows, columns) = probabilities.dim();
        let names = set.class_names().len();
        if rows != set.len() || columns == 0 || columns > names {
            let expected = format!("[{}, 1 to {names}]", set.len());
            return Err(Error::invalid(OP, expected, format!("[{rows}, {columns}]"), ""));
        }
        if let Some(value) = probabilities.iter().find(|value| !value.is_finite()) {
            return Err(Error::invalid(OP, "numbers", value.to_string(), ""));
        }
        Ok(Predictions::new(probabilities, set.clone()))
    }

    /// Predictions for the examples of `set`: a row of probabilities for each.
    pub(crate) fn new(probabilities: Array2<f32>, set: TensorSet) -> Predictions {
        let classes = probabilities.rows().into_iter().map(|row| argmax(row.iter().copied()));
        let (classes, indices) = (classes.collect(), (0..set.len()).collect());
        Predictions {
            probabilities,
            classes,
            set,
            indices,
            subset: String::new(),
            training_facts: Vec::new(),
        }
    }

    /// The same predictions, by networks with these training facts.
    pub(crate) fn with_training_facts(self, seen: Vec<TrainingFacts>) -> Predictions {
        Predictions { training_facts: seen, ..self }
    }

    /// Notes on leakage: whether the networks were trained on these images.
    pub(crate) fn leakage_notes(&self) -> Vec<Note> {
        leakage_notes_of_all(&self.training_facts, &self.set)
    }

    /// The budget that shortened the training, if one did.
    pub(crate) fn shortened_by(&self) -> Option<Budget> {
        self.training_facts.iter().find_map(|seen| seen.shortened_by)
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// The index of the most probable class of each image; the first of equal ones.
    pub fn classes(&self) -> Vec<usize> {
        self.classes.clone()
    }

    /// The names of the classes.
    pub fn class_names(&self) -> Vec<String> {
        self.set.class_names()
    }

    /// The labels, if the set has them.
    pub fn labels(&self) -> Option<Vec<usize>> {
        let labels = self.set.label_vec()?;
        Some(self.indices.iter().map(|&index| labels[index]).collect())
    }

    /// The probabilities `[images, classes]`; each row adds up to 1.
    pub fn probabilities(&self) -> Array2<f32> {
        self.probabilities.clone()
    }

    /// The accuracy, if the set has labels.
    pub fn accuracy(&self) -> Option<f64> {
        let truth = self.labels()?;
        let right = self.classes.iter().zip(&truth).filter(|(a, b)| a == b).count();
        Some(right as f64 / truth.len() as f64)
    }

    /// The predictions that are wrong.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let test = datasets::shapes()?.test.take(20).to_tensors(Device::Cpu);
    /// let always_the_first = ndarray::Array2::from_shape_fn((20, 10), |(_, class)| {
    ///     if class == 0 { 1.0 } else { 0.0 }
    /// });
    /// let wrong = Predictions::from_probabilities(always_the_first, &test)?.wrong()?;
    /// assert!(wrong.labels().unwrap().iter().all(|&label| label != 0));
    /// wrong.image_grid(2, 5)?;
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the set has no labels.
    pub fn wrong(&self) -> Result<Predictions> {
        let truth = self.require_labels("Predictions::wrong")?;
        let indices: Vec<usize> =
            (0..self.len()).filter(|&i| self.classes[i] != truth[i]).collect();
        let (n, all) = (thousands(indices.len()), thousands(self.len()));
        Ok(Predictions { subset: format!("the {n} wrong ones of {all}"), ..self.select(&indices) })
    }

    /// Random images with their predictions: ✔ where the prediction is correct, ✘ with the label where
    /// not. Another call shows others.
    ///
    /// # Errors
    ///
    /// If there is nothing to draw: no rows, no columns, no images, or inputs that are not
    /// images.
    pub fn image_grid(&self, rows: usize, columns: usize) -> Result<Figure> {
        let mut rng = runtime::seed::rng("predictions");
        let shown = runtime::seed::choose(self.len(), (rows * columns).min(self.len()), &mut rng);
        if self.is_empty() {
            let hint = if self.subset.is_empty() { "" } else { "All of them were right." };
            return Err(Error::invalid("Predictions::image_grid", "an image", "none", hint));
        }
        let captions = self.captions(&shown);
        let figure = image_grid(&self.images(&shown)?, &captions, columns)?;
        Ok(match self.accuracy() {
            _ if !self.subset.is_empty() => {
                figure.title(format!("{}: {}", self.set.name(), self.subset))
            }
            Some(right) => figure.title(format!(
                "{}: {:.1} % of {} right (here {} of {})",
                self.set.name(),
                100.0 * right,
                thousands(self.len()),
                captions.iter().filter(|caption| caption.is_right()).count(),
                captions.len(),
            )),
            None => figure.title(self.set.name()),
        })
    }

    /// The captions of images: ✔ and the class, or ✘, the class, and the label.
    pub(crate) fn captions(&self, shown: &[usize]) -> Vec<Caption> {
        let (truth, names) = (self.labels(), self.class_names());
        shown
            .iter()
            .map(|&i| {
                let predicted = &names[self.classes[i]];
                match &truth {
                    Some(truth) if truth[i] == self.classes[i] => {
                        Caption::new(predicted).mark(Mark::Right)
                    }
                    Some(truth) => {
                        let right = names.get(truth[i]).map_or("?", String::as_str);
                        Caption::new(format!("{predicted} ({right})")).mark(Mark::Wrong)
                    }
                    None => Caption::new(predicted),
                }
            })
            .collect()
    }

    /// Some of the images: `u8 [height, width, channels]`.
    pub(crate) fn images(&self, shown: &[usize]) -> Result<Vec<ArcArray<u8, Ix3>>> {
        self.set.images(&shown.iter().map(|&i| self.indices[i]).collect::<Vec<_>>())
    }

    /// The name of the set of the images.
    pub(crate) fn set_name(&self) -> String {
        self.set.name()
    }

    /// The labels, or the error that there are none or that one has no class name.
    pub(crate) fn require_labels(&self, op: &str) -> Result<Vec<usize>> {
        let truth = self.labels().ok_or_else(|| {
            let hint = "Predictions can be measured only with labels.";
            Error::invalid(op, "a set with labels", "one without", hint)
        })?;
        let names = self.class_names().len();
        match truth.iter().find(|&&label| label >= names) {
            Some(&label) => {
                let got = format!("label {}", label as i64);
                Err(Error::invalid(op, format!("labels from 0 to {}", names - 1), got, ""))
            }
            None => Ok(truth),
        }
    }

    /// Other probabilities for the same images.
    pub(crate) fn with_probabilities(&self, probabilities: Array2<f32>) -> Predictions {
        let classes = probabilities.rows().into_iter().map(|row| argmax(row.iter().copied()));
        Predictions { classes: classes.collect(), probabilities, ..self.clone() }
    }

    /// The predictions for some of the images.
    fn select(&self, rows: &[usize]) -> Predictions {
        Predictions {
            probabilities: self.probabilities.select(ndarray::Axis(0), rows),
            classes: rows.iter().map(|&row| self.classes[row]).collect(),
            set: self.set.clone(),
            indices: rows.iter().map(|&row| self.indices[row]).collect(),
            subset: String::new(),
            training_facts: self.training_facts.clone(),
        }
    }
}

impl Model {
    /// The probabilities of the classes for every example of `set`. Labels are not needed. Logits become
    /// probabilities, if the network was compiled with a loss for logits.
    ///
    /// # Errors
    ///
    /// If the set does not fit the network, its class names are fewer than the network's outputs,
    /// or the reader interrupts it.
    pub fn predict(&self, set: &TensorSet) -> Result<Predictions> {
        const OP: &str = "Model::predict";
        let inner = self.inner();
        check_input(OP, inner, set)?;
        let outputs = inner.output_shape();
        let classes = outputs.first().map_or(0, |&outputs| class_count(outputs));
        if outputs.len() != 1 || classes > set.class_names().len() {
            let expected = format!("a network with {} outputs", set.class_names().len());
            return Err(Error::invalid(OP, expected, format!("{outputs:?}"), ""));
        }
        // Outputs that the loss reads as logits are logits here, too.
        let form = inner.compiled().as_ref().map(|compiled| compiled.loss_input);
        let form = form.filter(|form| form.step(&inner.program) == inner.program.outputs[0]);
        let set = set.first(Budget::current()?.evaluation_examples(set.len(), inner.device));
        let _kept = memory::keep_freed_memory();
        let mut rows = Vec::with_capacity(set.len() * classes);
        let mut progress = Progress::of("predicted", "examples", set.len());
        let batch = inference_batch_size(&set) as i64;
        for (x, _) in set.batches(batch, inner.device) {
            interrupt::check(OP)?;
            let y = catch_torch_error(OP, || {
                Ok(no_grad(|| {
                    let y =
                        inner.program.inference().forward(&memory_layout::channels_last_on_cpu(x));
                    let y = match form {
                        Some(LossInput::Logits) => y.softmax(-1, None),
                        Some(LossInput::BinaryLogits) => y.sigmoid(),
                        _ => y,
                    };
                    // One output is the probability of the second of two classes.
                    if outputs[0] == 1 { Tensor::cat(&[&(y.neg() + 1.0), &y], 1) } else { y }
                }))
            })?;
            rows.extend(Vec::<f32>::try_from(flat(&y))?);
            progress.done(rows.len() / classes);
        }
        let probabilities = Array2::from_shape_vec((set.len(), classes), rows)
            .expect("every example gives one row");
        Ok(Predictions::new(probabilities, set).with_training_facts(vec![self.training_facts()]))
    }
}

fn flat(y: &Tensor) -> Tensor {
    y.to_device(tch::Device::Cpu).to_kind(Kind::Float).contiguous().view(-1)
}

/// The index of the largest value; the first of equal ones.
pub(crate) fn argmax(values: impl Iterator<Item = f32>) -> usize {
    values
        .enumerate()
        .fold((0, f32::NEG_INFINITY), |best, (i, v)| if v > best.1 { (i, v) } else { best })
        .0
}
