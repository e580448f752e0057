//! How wrong a prediction is, as one number.

use crate::error::{Error, Result};
use crate::model::Program;
use tch::{Kind, Reduction, Tensor};

/// Keras's epsilon: probabilities stay so far from 0 and 1.
const EPSILON: f64 = 1e-7;

/// How wrong a prediction is, as one number to make small.
///
/// ```
/// use tchalk::prelude::*;
/// let model = Sequential::new().input_shape([4]).add(Dense::new(3)).build(Device::Cpu)?;
/// let loss = Loss::categorical_cross_entropy()
///     .from_logits() // the network ends without Softmax
///     .label_smoothing(0.1)
///     .class_weights([1.0, 1.0, 5.0]);
/// model.compile(Sgd::new(0.1), loss)?;
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    function: LossFunction,
    declared: DeclaredOutput,
    smoothing: f64,
    weights: Vec<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LossFunction {
    CategoricalCrossEntropy,
    BinaryCrossEntropy,
    MeanSquaredError,
}

/// What the network's outputs are said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeclaredOutput {
    /// What its last layer tells.
    FromLastLayer,
    Logits,
    Probabilities,
}

/// What a loss reads of a network: logits or probabilities, of one class among many or of each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LossInput {
    /// Scores that a softmax would turn into probabilities.
    Logits,
    /// Probabilities that add up to 1.
    Probabilities,
    /// Scores that a sigmoid would turn into probabilities, each for itself.
    BinaryLogits,
    /// Probabilities, each for itself.
    BinaryProbabilities,
    /// Any numbers, near 1 at the right class and near 0 elsewhere.
    Values,
}

impl LossInput {
    /// The step of a network whose output the loss reads. Where the last step turns logits into
    /// probabilities, the loss reads the logits and does both in one, so that no probability is rounded
    /// to zero.
    pub(crate) fn step(self, program: &Program) -> usize {
        match self {
            LossInput::Logits => program.logits(),
            LossInput::BinaryLogits => program.before_last("sigmoid"),
            _ => program.outputs[0],
        }
    }
}

impl Loss {
    /// The short form of [`Loss::categorical_cross_entropy`].
    #[allow(non_upper_case_globals)] // Keras's name, as people know it.
    pub const CategoricalCrossEntropy: Loss = Loss::new(LossFunction::CategoricalCrossEntropy);
    /// The short form of [`Loss::binary_cross_entropy`].
    #[allow(non_upper_case_globals)]
    pub const BinaryCrossEntropy: Loss = Loss::new(LossFunction::BinaryCrossEntropy);
    /// The short form of [`Loss::mean_squared_error`].
    #[allow(non_upper_case_globals)]
    pub const MeanSquaredError: Loss = Loss::new(LossFunction::MeanSquaredError);

    const fn new(function: LossFunction) -> Loss {
        Loss {
            function,
            declared: DeclaredOutput::FromLastLayer,
            smoothing: 0.0,
            weights: Vec::new(),
        }
    }

    /// Minus the logarithm of the probability given to the right class, averaged over the examples:
    /// 0 for certainty, 2.3 for guessing among ten. Computed from the scores before a final softmax,
    /// so that no probability is rounded to zero.
    pub fn categorical_cross_entropy() -> Loss {
        Loss::CategoricalCrossEntropy
    }

    /// Minus the logarithm of the probability given to the truth, for each output on its own,
    /// averaged over outputs and examples. A network with one output is asked whether the label is 1.
    pub fn binary_cross_entropy() -> Loss {
        Loss::BinaryCrossEntropy
    }

    /// The square of the distance to the truth, which is 1 at the right class and 0 elsewhere,
    /// averaged over outputs and examples. Against a network with one output stands the label itself.
    pub fn mean_squared_error() -> Loss {
        Loss::MeanSquaredError
    }

    /// Says that the network's outputs are scores: softmax, or sigmoid, is done by the loss.
    pub fn from_logits(mut self) -> Loss {
        self.declared = DeclaredOutput::Logits;
        self
    }

    /// Says that the network's outputs are probabilities though its last layer is no Softmax, such
    /// as an average of several networks. They are kept 1e-7 away from 0, as in Keras.
    pub fn from_probabilities(mut self) -> Loss {
        self.declared = DeclaredOutput::Probabilities;
        self
    }

    /// Takes this fraction of the truth, from 0 to below 1, and spreads it over all classes
    /// (Szegedy et al. 2016), so that the network need not become ever more certain.
    pub fn label_smoothing(mut self, fraction: f64) -> Loss {
        self.smoothing = fraction;
        self
    }

    /// Multiplies each example's loss by the weight of its class, as `class_weight` does in Keras:
    /// rare classes can be given more. The sum is still divided by the number of examples.
    pub fn class_weights(mut self, weights: impl Into<Vec<f64>>) -> Loss {
        self.weights = weights.into();
        self
    }

    /// Keras's name of it.
    pub(crate) fn name(&self) -> &'static str {
        match self.function {
            LossFunction::CategoricalCrossEntropy => "CategoricalCrossEntropy",
            LossFunction::BinaryCrossEntropy => "BinaryCrossEntropy",
            LossFunction::MeanSquaredError => "MeanSquaredError",
        }
    }

    /// What to read of a network with `outputs`, whose last layer is of the kind `last` and was made
    /// by `written`.
    ///
    /// # Errors
    ///
    /// If the loss does not go with the network, or its numbers make no sense.
    pub(crate) fn input(&self, outputs: &[usize], last: &str, written: &str) -> Result<LossInput> {
        let op = format!("Model::compile with {}", self.name());
        let refuse = |expected: &str, got: &str, hint: &str| {
            Err(Error::invalid(op.clone(), expected, got, hint))
        };
        let &[units] = outputs else {
            let got = format!("outputs {outputs:?}");
            let hint = "Try adding Flatten and Dense::new(number of classes).";
            return refuse("a network with one number for each class", &got, hint);
        };
        if !(0.0..1.0).contains(&self.smoothing) {
            let got = self.smoothing.to_string();
            return refuse("label_smoothing from 0 to below 1", &got, "0.1 is usual.");
        }
        let classes = class_count(units);
        let weights = &self.weights;
        if !weights.is_empty()
            && (weights.len() != classes || weights.iter().any(|w| !w.is_finite() || *w < 0.0))
        {
            let expected = format!("class_weights of 0 or more for each of {classes} classes");
            return refuse(&expected, &format!("{weights:?}"), "");
        }
        match (self.function, self.declared, last) {
            (LossFunction::MeanSquaredError, ..) if self.smoothing == 0.0 => Ok(LossInput::Values),
            (LossFunction::MeanSquaredError, ..) => {
                refuse("no label_smoothing", "some", "It belongs to the cross-entropies.")
            }
            (LossFunction::CategoricalCrossEntropy, ..) if units < 2 => refuse(
                "a network with an output for each class",
                "one output",
                "Two classes need Dense::new(2), or Loss::BinaryCrossEntropy.",
            ),
            (LossFunction::CategoricalCrossEntropy, DeclaredOutput::Logits, "softmax")
            | (LossFunction::BinaryCrossEntropy, DeclaredOutput::Logits, "sigmoid" | "softmax") => {
                refuse(
                    "from_logits, with a network that ends in scores",
                    written,
                    "Leave out from_logits(): the loss looks at what comes before the last layer.",
                )
            }
            (LossFunction::CategoricalCrossEntropy, _, "softmax") => Ok(LossInput::Logits),
            (LossFunction::CategoricalCrossEntropy, DeclaredOutput::Logits, _) => {
                Ok(LossInput::Logits)
            }
            (LossFunction::CategoricalCrossEntropy, DeclaredOutput::Probabilities, _) => {
                Ok(LossInput::Probabilities)
            }
            (LossFunction::CategoricalCrossEntropy, DeclaredOutput::FromLastLayer, _) => refuse(
                "a network that ends in Softmax",
                written,
                "Try adding Softmax as the last layer. If its outputs are scores, \
                 Loss::categorical_cross_entropy().from_logits(); if they are probabilities, \
                 from_probabilities().",
            ),
            (LossFunction::BinaryCrossEntropy, _, "sigmoid") => Ok(LossInput::BinaryLogits),
            (LossFunction::BinaryCrossEntropy, DeclaredOutput::Logits, _) => {
                Ok(LossInput::BinaryLogits)
            }
            (LossFunction::BinaryCrossEntropy, DeclaredOutput::Probabilities, _)
            | (LossFunction::BinaryCrossEntropy, DeclaredOutput::FromLastLayer, "softmax") => {
                Ok(LossInput::BinaryProbabilities)
            }
            (LossFunction::BinaryCrossEntropy, DeclaredOutput::FromLastLayer, _) => refuse(
                "a network that ends in Sigmoid",
                written,
                "Try adding Sigmoid as the last layer, or \
                 Loss::binary_cross_entropy().from_logits() if its outputs are scores, \
                 from_probabilities() if they are probabilities.",
            ),
        }
    }

    /// The mean over a batch: what training makes small. `outputs` `[batch, outputs]` are what the
    /// reading names, `labels` `[batch]`.
    pub(crate) fn mean(&self, form: LossInput, outputs: &Tensor, labels: &Tensor) -> Tensor {
        if form == LossInput::Logits && self.weights.is_empty() {
            let none: Option<Tensor> = None;
            return outputs.cross_entropy_loss(labels, none, Reduction::Mean, -100, self.smoothing);
        }
        let each = self.per_example(form, outputs, labels);
        let kind = each.kind();
        each.mean(kind)
    }

    /// The loss of each example of a batch, `[batch]`.
    pub(crate) fn per_example(&self, form: LossInput, outputs: &Tensor, labels: &Tensor) -> Tensor {
        let none: Option<Tensor> = None;
        let each = match form {
            LossInput::Logits => {
                outputs.cross_entropy_loss(labels, none, Reduction::None, -100, self.smoothing)
            }
            LossInput::Probabilities => {
                let kind = outputs.kind();
                let sums = outputs.sum_dim_intlist(-1i64, true, kind);
                let logarithms = (outputs / sums).clamp(EPSILON, 1.0 - EPSILON).log();
                let right = logarithms.gather(1, &labels.unsqueeze(1), false).squeeze_dim(1);
                let all = logarithms.mean_dim(-1i64, false, kind);
                -(right * (1.0 - self.smoothing) + all * self.smoothing)
            }
            LossInput::BinaryLogits | LossInput::BinaryProbabilities | LossInput::Values => {
                let kind = outputs.kind();
                let truth = targets(outputs, labels);
                let smooth = &truth * (1.0 - self.smoothing) + 0.5 * self.smoothing;
                let each = match form {
                    LossInput::BinaryLogits => outputs.binary_cross_entropy_with_logits(
                        &smooth,
                        none.as_ref(),
                        none.as_ref(),
                        Reduction::None,
                    ),
                    LossInput::BinaryProbabilities => {
                        let p = outputs.clamp(EPSILON, 1.0 - EPSILON);
                        let (is, is_not) = (p.log(), p.neg().log1p());
                        -(&smooth * (is - &is_not) + is_not)
                    }
                    _ => (outputs - truth).square(),
                };
                each.mean_dim(-1i64, false, kind)
            }
        };
        if self.weights.is_empty() {
            return each;
        }
        let weights = Tensor::from_slice(&self.weights).to_kind(each.kind());
        each * weights.to_device(labels.device()).index_select(0, labels)
    }
}

/// How many classes a network with so many outputs tells apart.
pub(crate) fn class_count(outputs: usize) -> usize {
    if outputs == 1 { 2 } else { outputs }
}

/// What `outputs` should be: 1 at the right class, 0 elsewhere; the label itself for one output.
fn targets(outputs: &Tensor, labels: &Tensor) -> Tensor {
    match outputs.size()[1] {
        1 => labels.unsqueeze(1).to_kind(outputs.kind()),
        classes => labels.one_hot(classes).to_kind(outputs.kind()),
    }
}

/// The class that each row of outputs names, `i64 [batch]`.
pub(crate) fn predicted_class(form: LossInput, outputs: &Tensor) -> Tensor {
    if outputs.size()[1] > 1 {
        return outputs.argmax(1, false);
    }
    let border = if form == LossInput::BinaryLogits { 0.0 } else { 0.5 };
    outputs.squeeze_dim(1).gt(border).to_kind(Kind::Int64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn reading(loss: &Loss, outputs: usize, last: &str) -> Result<LossInput> {
        loss.input(&[outputs], last, last)
    }

    #[test]
    fn a_certain_mistake_costs_much_but_not_infinity() {
        let scores = Tensor::from_slice(&[200f32, 0.0]).view([1, 2]);
        let wrong = Tensor::from_slice(&[1i64]);
        let loss = Loss::CategoricalCrossEntropy.mean(LossInput::Logits, &scores, &wrong);
        assert_eq!(f64::try_from(loss).unwrap(), 200.0);
        let certain = Tensor::from_slice(&[1f32, 0.0]).view([1, 2]);
        let loss = Loss::CategoricalCrossEntropy.mean(LossInput::Probabilities, &certain, &wrong);
        assert!((loss.double_value(&[]) + EPSILON.ln()).abs() < 1e-4);
    }

    #[test]
    fn guessing_among_ten_costs_the_logarithm_of_ten() {
        let scores = Tensor::zeros([3, 10], (Kind::Float, Device::Cpu));
        let labels = Tensor::from_slice(&[0i64, 4, 9]);
        let loss = Loss::CategoricalCrossEntropy.mean(LossInput::Logits, &scores, &labels);
        assert!((loss.double_value(&[]) - 10f64.ln()).abs() < 1e-6);
    }

    /// Every loss with every form, smoothed and weighted or not, on three classes or one output.
    #[test]
    fn gradients_are_the_slopes_that_finite_differences_find() {
        tch::manual_seed(5);
        let labels = Tensor::from_slice(&[2i64, 0, 1, 1]);
        let two = Tensor::from_slice(&[1i64, 0, 1, 1]);
        let cases = [
            (Loss::CategoricalCrossEntropy, LossInput::Logits, 3),
            (Loss::CategoricalCrossEntropy, LossInput::Probabilities, 3),
            (Loss::BinaryCrossEntropy, LossInput::BinaryLogits, 3),
            (Loss::BinaryCrossEntropy, LossInput::BinaryLogits, 1),
            (Loss::BinaryCrossEntropy, LossInput::BinaryProbabilities, 3),
            (Loss::MeanSquaredError, LossInput::Values, 3),
            (Loss::MeanSquaredError, LossInput::Values, 1),
        ];
        for (loss, form, outputs) in cases {
            let weights: &[f64] = if outputs == 1 { &[0.5, 2.0] } else { &[0.5, 2.0, 1.0] };
            let smooth = if form == LossInput::Values { 0.0 } else { 0.1 };
            for loss in [loss.clone(), loss.label_smoothing(smooth).class_weights(weights)] {
                let labels = if outputs == 1 { &two } else { &labels };
                let x = Tensor::rand([4, outputs], (Kind::Double, Device::Cpu)) * 0.8 + 0.1;
                let of = |x: &Tensor| loss.mean(form, x, labels);
                let leaf = x.copy().set_requires_grad(true);
                let gradient = Tensor::run_backward(&[of(&leaf)], &[&leaf], false, false);
                let gradient = gradient[0].contiguous();
                for place in 0..4 * outputs {
                    let moved = |by: f64| {
                        let x = x.copy();
                        let mut one = x.view(-1).narrow(0, place, 1);
                        one += by;
                        of(&x).double_value(&[])
                    };
                    let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                    let found = gradient.view(-1).double_value(&[place]);
                    assert!((slope - found).abs() < 1e-7, "{loss:?} {form:?}: {slope} {found}");
                }
            }
        }
    }

    #[test]
    fn the_loss_reads_what_the_last_layer_says() {
        let loss = Loss::CategoricalCrossEntropy;
        assert_eq!(reading(&loss, 10, "softmax").unwrap(), LossInput::Logits);
        let open = loss.clone().from_logits();
        assert_eq!(reading(&open, 10, "dense").unwrap(), LossInput::Logits);
        assert!(reading(&open, 10, "softmax").unwrap_err().to_string().contains("from_logits"));
        let message = reading(&loss, 10, "dense").unwrap_err().to_string();
        assert!(message.contains("ends in Softmax, got dense"), "{message}");
        assert!(reading(&loss, 1, "dense").is_err());
        let binary = reading(&Loss::BinaryCrossEntropy, 1, "sigmoid").unwrap();
        assert_eq!(binary, LossInput::BinaryLogits);
        assert_eq!(reading(&Loss::MeanSquaredError, 3, "softmax").unwrap(), LossInput::Values);
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        let refused = |loss: Loss| reading(&loss, 3, "softmax").unwrap_err().to_string();
        let loss = Loss::categorical_cross_entropy;
        assert!(refused(loss().label_smoothing(1.0)).contains("label_smoothing"));
        assert!(refused(loss().class_weights([1.0, 2.0])).contains("each of 3 classes"));
        assert!(refused(loss().class_weights([1.0, -2.0, 1.0])).contains("class_weights"));
        assert!(refused(Loss::mean_squared_error().label_smoothing(0.1)).contains("no label"));
        let map = Loss::CategoricalCrossEntropy.input(&[8, 4, 4], "conv2d", "Conv2d::new(8, 3)");
        assert!(map.unwrap_err().to_string().contains("Flatten"));
    }

    #[test]
    fn one_output_names_one_of_two_classes() {
        let scores = Tensor::from_slice(&[-0.1f32, 0.2, 0.7]).view([3, 1]);
        let named = |form| Vec::<i64>::try_from(predicted_class(form, &scores)).unwrap();
        assert_eq!(named(LossInput::BinaryLogits), [0, 1, 1]);
        assert_eq!(named(LossInput::BinaryProbabilities), [0, 0, 1]);
    }
}
