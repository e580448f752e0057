//! What a network says about pictures.

use super::check;
use super::feed::batch_of;
use super::layout;
use super::loss::{Form, classes_of};
use super::progress::Ticker;
use crate::data::TensorSet;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::plot::{Caption, Figure, Mark, image_grid};
use crate::runtime::{self, Budget, interrupt};
use ndarray::Array2;
use tch::{Kind, Tensor, no_grad};

/// What a network says about a set of pictures: a probability for each class of each picture.
#[derive(Clone)]
pub struct Predictions {
    probabilities: Array2<f32>,
    classes: Vec<usize>,
    set: TensorSet,
}

impl std::fmt::Debug for Predictions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "predictions for {} pictures", crate::plot::thousands(self.len() as f64))?;
        match self.fraction_right() {
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
    /// What was said about the examples of `set`: a row of probabilities for each.
    pub(crate) fn new(probabilities: Array2<f32>, set: TensorSet) -> Predictions {
        let classes = probabilities.rows().into_iter().map(|row| largest(row.iter().copied()));
        let classes = classes.collect();
        Predictions { probabilities, classes, set }
    }

    /// How many pictures.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// The most probable class of each picture, as an index.
    pub fn classes(&self) -> Vec<usize> {
        self.classes.clone()
    }

    /// The probabilities `[pictures, classes]`; each row adds up to 1.
    pub fn probabilities(&self) -> Array2<f32> {
        self.probabilities.clone()
    }

    /// The fraction that is right, where the true classes are known.
    pub fn fraction_right(&self) -> Option<f64> {
        let truth = self.set.label_vec()?;
        let right = self.classes.iter().zip(&truth).filter(|(a, b)| a == b).count();
        Some(right as f64 / truth.len() as f64)
    }

    /// Random pictures with what the network says: ✔ where it is right, ✘ with the truth where not.
    /// Another call shows others.
    ///
    /// # Errors
    ///
    /// If there is nothing to draw: no rows, no columns, or inputs that are not pictures.
    pub fn image_grid(&self, rows: usize, columns: usize) -> Result<Figure> {
        let mut rng = runtime::seed::host_rng("predictions");
        let shown = runtime::seed::choose(self.len(), (rows * columns).min(self.len()), &mut rng);
        let truth = self.set.label_vec();
        let names = self.set.class_names();
        let captions: Vec<Caption> = shown
            .iter()
            .map(|&i| {
                let said = &names[self.classes[i]];
                match &truth {
                    Some(truth) if truth[i] == self.classes[i] => {
                        Caption::new(said).mark(Mark::Right)
                    }
                    Some(truth) => {
                        Caption::new(format!("{said} ({})", names[truth[i]])).mark(Mark::Wrong)
                    }
                    None => Caption::new(said),
                }
            })
            .collect();
        let pictures = self.set.pictures(&shown)?;
        let figure = image_grid(&pictures, &captions, columns)?;
        Ok(match self.fraction_right() {
            Some(right) => figure.title(format!(
                "{}: {:.1} % of {} right (here {} of {})",
                self.set.name(),
                100.0 * right,
                crate::plot::thousands(self.len() as f64),
                captions.iter().filter(|caption| caption.is_right()).count(),
                captions.len(),
            )),
            None => figure.title(self.set.name()),
        })
    }
}

impl Model {
    /// The probabilities of the classes for every example of `set`; labels are not needed. Outputs
    /// that the loss was told to be logits become probabilities first.
    ///
    /// # Errors
    ///
    /// If the set does not fit the network, its class names are fewer than the network's outputs,
    /// or the reader pressed stop.
    pub fn predict(&self, set: &TensorSet) -> Result<Predictions> {
        const OP: &str = "Model::predict";
        let inner = self.inner();
        check(OP, inner, set)?;
        let outputs = inner.output_shape();
        let classes = outputs.first().map_or(0, |&outputs| classes_of(outputs));
        if outputs.len() != 1 || classes > set.class_names().len() {
            let expected = format!("a network with {} outputs", set.class_names().len());
            return Err(Error::invalid(OP, expected, format!("{outputs:?}"), ""));
        }
        // Where the loss takes the network's outputs for scores, so does this.
        let form = inner.compiled().as_ref().map(|compiled| compiled.reading);
        let form = form.filter(|reading| !reading.before_last).map(|reading| reading.form);
        let set = set.first(Budget::current().evaluation(set.len(), inner.device));
        let mut rows = Vec::with_capacity(set.len() * classes);
        let mut ticker = Ticker::new("predicted", set.len());
        let batch = batch_of(&set) as i64;
        for (x, _) in set.batches(batch, inner.device) {
            if interrupt::requested() {
                return Err(Error::Interrupted { op: OP.into() });
            }
            let y = no_grad(|| {
                let y = inner.program.using().forward(&layout::fastest(x));
                let y = match form {
                    Some(Form::Scores) => y.softmax(-1, None),
                    Some(Form::BinaryScores) => y.sigmoid(),
                    _ => y,
                };
                // One output is the probability of the second of two classes.
                if outputs[0] == 1 { Tensor::cat(&[&(y.neg() + 1.0), &y], 1) } else { y }
            });
            rows.extend(Vec::<f32>::try_from(flat(&y))?);
            ticker.done(rows.len() / classes);
        }
        let probabilities = Array2::from_shape_vec((set.len(), classes), rows)
            .expect("every example gives one row");
        Ok(Predictions::new(probabilities, set))
    }
}

fn flat(y: &Tensor) -> Tensor {
    y.to_device(tch::Device::Cpu).to_kind(Kind::Float).contiguous().view(-1)
}

/// The position of the largest value; the first, where several are equal.
pub(crate) fn largest(values: impl Iterator<Item = f32>) -> usize {
    values
        .enumerate()
        .fold((0, f32::NEG_INFINITY), |best, (i, v)| if v > best.1 { (i, v) } else { best })
        .0
}
