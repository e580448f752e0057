//! Losses.

use crate::error::{Error, Result};
use crate::model::Program;
use tch::{Kind, Reduction, Tensor};

/// The distance that probabilities keep from 0 and 1, as in Keras.
const EPSILON: f64 = 1e-7;

/// The loss: how wrong predictions are, as one number that training minimizes.
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

/// What the caller says the network's outputs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeclaredOutput {
    /// What follows from the last layer.
    FromLastLayer,
    Logits,
    Probabilities,
}

/// What a loss reads of a network: logits or probabilities, of one class among many or of each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LossInput {
    /// Numbers that a softmax turns into probabilities.
    Logits,
    /// Probabilities that add up to 1.
    Probabilities,
    /// Numbers that a sigmoid turns into probabilities, one by one.
    BinaryLogits,
    /// Probabilities that are independent of each other.
    BinaryProbabilities,
    /// Any numbers; the target is 1 for the correct class and 0 elsewhere.
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
    #[allow(non_upper_case_globals)] // The name in Keras.
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

    /// The negative logarithm of the probability of the correct class, averaged over the examples: 0 for
    /// certainty, 2.3 for guessing among ten classes. It is computed from the logits before a final
    /// softmax, so that no probability is rounded to zero.
    pub fn categorical_cross_entropy() -> Loss {
        Loss::CategoricalCrossEntropy
    }

    /// The negative logarithm of the probability of the truth for each output, averaged over outputs and
    /// examples. With one output it is the probability that the label is 1.
    pub fn binary_cross_entropy() -> Loss {
        Loss::BinaryCrossEntropy
    }

    /// The squared difference to the target, averaged over outputs and examples. The target is 1 for the
    /// correct class and 0 elsewhere. With one output it is the label.
    pub fn mean_squared_error() -> Loss {
        Loss::MeanSquaredError
    }

    /// Says that the network's outputs are logits: the loss applies softmax or sigmoid.
    pub fn from_logits(mut self) -> Loss {
        self.declared = DeclaredOutput::Logits;
        self
    }

    /// Says that the network's outputs are probabilities although its last layer is not Softmax, such as
    /// an average of several networks. They are kept 1e-7 away from 0, as in Keras.
    pub fn from_probabilities(mut self) -> Loss {
        self.declared = DeclaredOutput::Probabilities;
        self
    }

    /// Spreads this fraction of the target, from 0 to below 1, over all classes (Szegedy et al. 2016), so
    /// that the network does not become overconfident.
    pub fn label_smoothing(mut self, fraction: f64) -> Loss {
        self.smoothing = fraction;
        self
    }

    /// Multiplies each example's loss by the weight of its class, like `class_weight` in Keras, so that
    /// rare classes can count more. The sum is still divided by the number of examples.
    pub fn class_weights(mut self, weights: impl Into<Vec<f64>>) -> Loss {
        self.weights = weights.into();
        self
    }

    /// The name in Keras.
    pub(crate) fn name(&self) -> &'static str {
        match self.function {
            LossFunction::CategoricalCrossEntropy => "CategoricalCrossEntropy",
            LossFunction::BinaryCrossEntropy => "BinaryCrossEntropy",
            LossFunction::MeanSquaredError => "MeanSquaredError",
        }
    }

    /// What the loss reads of a network with these `outputs`, whose last layer has the type name `last`.
    /// `repr` is the code that makes this layer.
    ///
    /// # Errors
    ///
    /// If the loss does not fit the network, or one of its numbers is out of range.
    pub(crate) fn input(&self, outputs: &[usize], last: &str, repr: &str) -> Result<LossInput> {
        let &[units] = outputs else {
            let got = format!("outputs {outputs:?}");
            let hint = "Try adding Flatten and Dense::new(number of classes).";
            return Err(self.refused("a network with one number for each class", &got, hint));
        };
        self.check(class_count(units))?;
        match self.function {
            LossFunction::MeanSquaredError => Ok(LossInput::Values),
            LossFunction::CategoricalCrossEntropy => self.categorical_input(units, last, repr),
            LossFunction::BinaryCrossEntropy => self.binary_input(last, repr),
        }
    }

    fn check(&self, classes: usize) -> Result<()> {
        if !(0.0..1.0).contains(&self.smoothing) {
            let got = self.smoothing.to_string();
            return Err(self.refused("label_smoothing from 0 to below 1", &got, "0.1 is usual."));
        }
        if self.function == LossFunction::MeanSquaredError && self.smoothing > 0.0 {
            let hint = "It belongs to the cross-entropies.";
            return Err(self.refused("no label_smoothing", "some", hint));
        }
        let valid = |weight: &f64| weight.is_finite() && *weight >= 0.0;
        let weights = &self.weights;
        if !weights.is_empty() && (weights.len() != classes || !weights.iter().all(valid)) {
            let expected = format!("class_weights of 0 or more for each of {classes} classes");
            return Err(self.refused(&expected, &format!("{weights:?}"), ""));
        }
        Ok(())
    }

    fn categorical_input(&self, units: usize, last: &str, repr: &str) -> Result<LossInput> {
        if units < 2 {
            let hint = "Two classes need Dense::new(2), or Loss::BinaryCrossEntropy.";
            let expected = "a network with an output for each class";
            return Err(self.refused(expected, "one output", hint));
        }
        match (self.declared, last) {
            (DeclaredOutput::Logits, "softmax") => Err(self.no_logits(repr)),
            (_, "softmax") | (DeclaredOutput::Logits, _) => Ok(LossInput::Logits),
            (DeclaredOutput::Probabilities, _) => Ok(LossInput::Probabilities),
            (DeclaredOutput::FromLastLayer, _) => Err(self.refused(
                "a network that ends in Softmax",
                repr,
                "Try adding Softmax as the last layer. If its outputs are logits, \
                 Loss::categorical_cross_entropy().from_logits(); if they are probabilities, \
                 from_probabilities().",
            )),
        }
    }

    fn binary_input(&self, last: &str, repr: &str) -> Result<LossInput> {
        match (self.declared, last) {
            (DeclaredOutput::Logits, "sigmoid" | "softmax") => Err(self.no_logits(repr)),
            (_, "sigmoid") | (DeclaredOutput::Logits, _) => Ok(LossInput::BinaryLogits),
            (DeclaredOutput::Probabilities, _) | (DeclaredOutput::FromLastLayer, "softmax") => {
                Ok(LossInput::BinaryProbabilities)
            }
            (DeclaredOutput::FromLastLayer, _) => Err(self.refused(
                "a network that ends in Sigmoid",
                repr,
                "Try adding Sigmoid as the last layer, or \
                 Loss::binary_cross_entropy().from_logits() if its outputs are logits, \
                 from_probabilities() if they are probabilities.",
            )),
        }
    }

    fn no_logits(&self, repr: &str) -> Error {
        let hint = "Leave out from_logits(): the loss reads the logits before the last layer.";
        self.refused("from_logits, with a network that ends in logits", repr, hint)
    }

    fn refused(&self, expected: &str, got: &str, hint: &str) -> Error {
        Error::invalid(format!("Model::compile with {}", self.name()), expected, got, hint)
    }

    /// The mean loss of a batch, which training minimizes. `outputs` `[batch, outputs]` are what `input`
    /// says, `labels` are `[batch]`.
    pub(crate) fn mean(&self, input: LossInput, outputs: &Tensor, labels: &Tensor) -> Tensor {
        if input == LossInput::Logits && self.weights.is_empty() {
            let none: Option<Tensor> = None;
            return outputs.cross_entropy_loss(labels, none, Reduction::Mean, -100, self.smoothing);
        }
        let each = self.per_example(input, outputs, labels);
        let kind = each.kind();
        each.mean(kind)
    }

    /// The loss of each example of a batch, `[batch]`.
    pub(crate) fn per_example(
        &self,
        input: LossInput,
        outputs: &Tensor,
        labels: &Tensor,
    ) -> Tensor {
        let none: Option<Tensor> = None;
        let each = match input {
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
                let each = match input {
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

/// The number of classes of a network with this number of outputs.
pub(crate) fn class_count(outputs: usize) -> usize {
    if outputs == 1 { 2 } else { outputs }
}

/// The targets of `outputs`: 1 for the correct class, 0 elsewhere; with one output the label.
fn targets(outputs: &Tensor, labels: &Tensor) -> Tensor {
    match outputs.size()[1] {
        1 => labels.unsqueeze(1).to_kind(outputs.kind()),
        classes => labels.one_hot(classes).to_kind(outputs.kind()),
    }
}

/// The predicted class of each row of outputs, `i64 [batch]`.
pub(crate) fn predicted_class(input: LossInput, outputs: &Tensor) -> Tensor {
    if outputs.size()[1] > 1 {
        return outputs.argmax(1, false);
    }
    let threshold = if input == LossInput::BinaryLogits { 0.0 } else { 0.5 };
    outputs.squeeze_dim(1).gt(threshold).to_kind(Kind::Int64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn input(loss: &Loss, outputs: usize, last: &str) -> Result<LossInput> {
        loss.input(&[outputs], last, last)
    }

    #[test]
    fn a_certain_mistake_has_a_large_finite_loss() {
        let scores = Tensor::from_slice(&[200f32, 0.0]).view([1, 2]);
        let wrong = Tensor::from_slice(&[1i64]);
        let loss = Loss::CategoricalCrossEntropy.mean(LossInput::Logits, &scores, &wrong);
        assert_eq!(f64::try_from(loss).unwrap(), 200.0);
        let certain = Tensor::from_slice(&[1f32, 0.0]).view([1, 2]);
        let loss = Loss::CategoricalCrossEntropy.mean(LossInput::Probabilities, &certain, &wrong);
        assert!((loss.double_value(&[]) + EPSILON.ln()).abs() < 1e-4);
    }

    #[test]
    fn guessing_among_ten_has_the_loss_ln_10() {
        let scores = Tensor::zeros([3, 10], (Kind::Float, Device::Cpu));
        let labels = Tensor::from_slice(&[0i64, 4, 9]);
        let loss = Loss::CategoricalCrossEntropy.mean(LossInput::Logits, &scores, &labels);
        assert!((loss.double_value(&[]) - 10f64.ln()).abs() < 1e-6);
    }

    /// Every loss with every input, smoothed and weighted or not, on three classes or one output.
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
        for (loss, input, outputs) in cases {
            let weights: &[f64] = if outputs == 1 { &[0.5, 2.0] } else { &[0.5, 2.0, 1.0] };
            let smooth = if input == LossInput::Values { 0.0 } else { 0.1 };
            for loss in [loss.clone(), loss.label_smoothing(smooth).class_weights(weights)] {
                let labels = if outputs == 1 { &two } else { &labels };
                let x = Tensor::rand([4, outputs], (Kind::Double, Device::Cpu)) * 0.8 + 0.1;
                let of = |x: &Tensor| loss.mean(input, x, labels);
                let leaf = x.copy().set_requires_grad(true);
                let gradient = Tensor::run_backward(&[of(&leaf)], &[&leaf], false, false);
                let gradient = gradient[0].contiguous();
                for index in 0..4 * outputs {
                    let moved = |by: f64| {
                        let x = x.copy();
                        let mut one = x.view(-1).narrow(0, index, 1);
                        one += by;
                        of(&x).double_value(&[])
                    };
                    let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                    let found = gradient.view(-1).double_value(&[index]);
                    assert!((slope - found).abs() < 1e-7, "{loss:?} {input:?}: {slope} {found}");
                }
            }
        }
    }

    #[test]
    fn the_last_layer_decides_what_the_loss_reads() {
        let loss = Loss::CategoricalCrossEntropy;
        assert_eq!(input(&loss, 10, "softmax").unwrap(), LossInput::Logits);
        let open = loss.clone().from_logits();
        assert_eq!(input(&open, 10, "dense").unwrap(), LossInput::Logits);
        assert!(input(&open, 10, "softmax").unwrap_err().to_string().contains("from_logits"));
        let message = input(&loss, 10, "dense").unwrap_err().to_string();
        assert!(message.contains("ends in Softmax, got dense"), "{message}");
        assert!(input(&loss, 1, "dense").is_err());
        let binary = input(&Loss::BinaryCrossEntropy, 1, "sigmoid").unwrap();
        assert_eq!(binary, LossInput::BinaryLogits);
        assert_eq!(input(&Loss::MeanSquaredError, 3, "softmax").unwrap(), LossInput::Values);
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let refused = |loss: Loss| input(&loss, 3, "softmax").unwrap_err().to_string();
        let loss = Loss::categorical_cross_entropy;
        assert!(refused(loss().label_smoothing(1.0)).contains("label_smoothing"));
        assert!(refused(loss().class_weights([1.0, 2.0])).contains("each of 3 classes"));
        assert!(refused(loss().class_weights([1.0, -2.0, 1.0])).contains("class_weights"));
        assert!(refused(Loss::mean_squared_error().label_smoothing(0.1)).contains("no label"));
        let map = Loss::CategoricalCrossEntropy.input(&[8, 4, 4], "conv2d", "Conv2d::new(8, 3)");
        assert!(map.unwrap_err().to_string().contains("Flatten"));
    }

    #[test]
    fn one_output_predicts_one_of_two_classes() {
        let scores = Tensor::from_slice(&[-0.1f32, 0.2, 0.7]).view([3, 1]);
        let named = |input| Vec::<i64>::try_from(predicted_class(input, &scores)).unwrap();
        assert_eq!(named(LossInput::BinaryLogits), [0, 1, 1]);
        assert_eq!(named(LossInput::BinaryProbabilities), [0, 0, 1]);
    }
}
