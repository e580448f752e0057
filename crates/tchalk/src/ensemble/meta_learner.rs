//! The meta-learner of a stack: a multinomial logistic regression on the members' log-probabilities.

use super::softmax::softmax;
use ndarray::Array2;
use tch::{Device, Kind, Tensor};

/// A weight for each member and a bias for each class. The logit of a class is the weighted sum of its
/// log-probabilities, plus its bias.
///
/// With equal weights that sum to 1 and without biases this is the geometric mean. So few parameters can
/// be fitted to a few hundred examples.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MetaLearner {
    pub(super) weights: Vec<f64>,
    pub(super) biases: Vec<f64>,
}

/// Lower probabilities are taken for this one.
const MIN_PROBABILITY: f64 = 1e-7;
/// The strength of the L2 penalty on the distance from the geometric mean.
const L2_PENALTY: f64 = 1.0;
/// Newton's method usually takes about six steps.
const MAX_STEPS: usize = 100;

impl MetaLearner {
    /// The parameters that minimize the cross-entropy plus a small L2 penalty. The loss is convex, so
    /// Newton's method always finds its only minimum.
    pub(super) fn fit(members: &[Array2<f32>], labels: &[usize]) -> MetaLearner {
        let regression = Regression::new(members, labels);
        let theta = regression.minimize();
        let numbers = |from: i64, n: i64| {
            Vec::<f64>::try_from(theta.narrow(0, from, n)).expect("a tensor of one dimension")
        };
        let (members, classes) = (regression.members, regression.classes);
        MetaLearner { weights: numbers(0, members), biases: numbers(members, classes) }
    }

    /// The probabilities `[examples, classes]` for the probabilities of the members.
    pub(super) fn predict(&self, members: &[Array2<f32>]) -> Array2<f32> {
        let mut logits = Array2::<f32>::zeros(members[0].dim());
        for (one, &weight) in members.iter().zip(&self.weights) {
            logits.zip_mut_with(one, |logit, &p| {
                *logit += weight as f32 * p.max(MIN_PROBABILITY as f32).ln();
            });
        }
        for mut row in logits.rows_mut() {
            row.iter_mut().zip(&self.biases).for_each(|(logit, &bias)| *logit += bias as f32);
        }
        softmax(logits)
    }
}

/// The data of the regression. Its parameters `theta` are the weights, then the biases.
struct Regression {
    members: i64,
    classes: i64,
    /// Log-probabilities `[examples, members, classes]`.
    inputs: Tensor,
    /// One-hot labels `[examples, classes]`.
    targets: Tensor,
    /// The parameters of the geometric mean.
    start: Tensor,
}

impl Regression {
    fn new(outputs: &[Array2<f32>], labels: &[usize]) -> Regression {
        let (members, classes) = (outputs.len() as i64, outputs[0].ncols() as i64);
        let inputs: Vec<Tensor> = outputs.iter().map(log_probabilities).collect();
        let labels: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
        let zeros = |n| Tensor::zeros([n], (Kind::Double, Device::Cpu));
        Regression {
            members,
            classes,
            inputs: Tensor::stack(&inputs, 1),
            targets: Tensor::from_slice(&labels).one_hot(classes).to_kind(Kind::Double),
            start: Tensor::cat(&[zeros(members) + 1.0 / members as f64, zeros(classes)], 0),
        }
    }

    fn logits(&self, theta: &Tensor) -> Tensor {
        let weights = theta.narrow(0, 0, self.members).view([1, -1, 1]);
        let biases = theta.narrow(0, self.members, self.classes);
        (&self.inputs * weights).sum_dim_intlist(1i64, false, Kind::Double) + biases
    }

    fn loss(&self, theta: &Tensor) -> f64 {
        let of_label = self.logits(theta).log_softmax(1, Kind::Double) * &self.targets;
        let penalty = (theta - &self.start).square().sum(Kind::Double) * (L2_PENALTY / 2.0);
        (penalty - of_label.sum(Kind::Double)).double_value(&[])
    }

    /// Newton's step: the inverse of the Hessian times the gradient.
    fn newton_step(&self, theta: &Tensor) -> Tensor {
        let sum = |x: &Tensor, axes: &[i64]| x.sum_dim_intlist(axes, false, Kind::Double);
        let p = self.logits(theta).softmax(1, Kind::Double);
        let error = &p - &self.targets;
        let by_weight = sum(&(&self.inputs * error.unsqueeze(1)), &[0, 2]);
        let gradient = Tensor::cat(&[by_weight, sum(&error, &[0])], 0);
        let gradient = gradient + (theta - &self.start) * L2_PENALTY;
        // The Hessian, block by block: weights by weights, weights by biases, biases by biases.
        let weighted = &self.inputs * p.unsqueeze(1);
        let mean = sum(&weighted, &[2]); // [examples, members]
        let flat = |x: &Tensor| x.transpose(0, 1).reshape([self.members, -1]);
        let ww = flat(&weighted).matmul(&flat(&self.inputs).tr()) - mean.tr().matmul(&mean);
        let wb = sum(&weighted, &[0]) - mean.tr().matmul(&p);
        let bb = sum(&p, &[0]).diag(0) - p.tr().matmul(&p);
        let upper = Tensor::cat(&[ww, wb.shallow_clone()], 1);
        let lower = Tensor::cat(&[wb.tr(), bb], 1);
        let identity = Tensor::eye(self.members + self.classes, (Kind::Double, Device::Cpu));
        let hessian = Tensor::cat(&[upper, lower], 0) + identity * L2_PENALTY;
        Tensor::linalg_solve(&hessian, &gradient, true)
    }

    /// Newton's method with a backtracking line search.
    fn minimize(&self) -> Tensor {
        let mut theta = self.start.copy();
        let mut loss = self.loss(&theta);
        for _ in 0..MAX_STEPS {
            let step = self.newton_step(&theta);
            let mut length = 1.0;
            let next = loop {
                let next = &theta - &step * length;
                let reached = self.loss(&next);
                if reached < loss {
                    break Some((next, reached));
                }
                length /= 2.0;
                if length < 1e-6 {
                    break None;
                }
            };
            let Some((next, reached)) = next else { break };
            let decrease = loss - reached;
            (theta, loss) = (next, reached);
            if decrease < 1e-9 * loss.abs().max(1.0) {
                break;
            }
        }
        theta
    }
}

fn log_probabilities(probabilities: &Array2<f32>) -> Tensor {
    let (rows, columns) = probabilities.dim();
    let logs = probabilities.iter().map(|&p| f64::from(p).max(MIN_PROBABILITY).ln());
    Tensor::from_slice(&logs.collect::<Vec<f64>>()).view([rows as i64, columns as i64])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probabilities of three classes: `answer` gives each example's predicted class and its probability.
    fn member(examples: usize, answer: impl Fn(usize) -> (usize, f32)) -> Array2<f32> {
        let rows = (0..examples).flat_map(|i| {
            let (class, p) = answer(i);
            (0..3).map(move |c| if c == class { p } else { (1.0 - p) / 2.0 })
        });
        Array2::from_shape_vec((examples, 3), rows.collect()).unwrap()
    }

    fn loss(probabilities: &Array2<f32>, labels: &[usize]) -> f64 {
        let of = labels.iter().enumerate().map(|(i, &label)| f64::from(probabilities[[i, label]]));
        of.map(|p| -p.max(1e-7).ln()).sum::<f64>() / labels.len() as f64
    }

    #[test]
    fn good_members_get_weight_and_random_ones_do_not() {
        let labels: Vec<usize> = (0..300).map(|i| i % 3).collect();
        // Right nine times in ten; the other is random.
        let good = member(300, |i| (if i % 10 == 0 { (i + 1) % 3 } else { i % 3 }, 0.9));
        let random = member(300, |i| ((i * 7 + i / 11) % 3, 0.8));
        let learner = MetaLearner::fit(&[good.clone(), random.clone()], &labels);
        assert!(learner.weights[0] > 0.8 && learner.weights[1].abs() < 0.2, "{learner:?}");
        let combined = learner.predict(&[good.clone(), random.clone()]);
        assert!(loss(&combined, &labels) <= loss(&good, &labels) + 1e-3);
        assert!(loss(&combined, &labels) < loss(&random, &labels));
    }

    #[test]
    fn the_fitted_parameters_minimize_the_loss() {
        let labels: Vec<usize> = (0..90).map(|i| (i * i) % 3).collect();
        let a = member(90, |i| ((i * i + i / 7) % 3, 0.7));
        let b = member(90, |i| ((i * i + i / 5) % 3, 0.6));
        let members = [a, b];
        let best = MetaLearner::fit(&members, &labels);
        let loss_with_penalty = |learner: &MetaLearner| {
            let penalty = learner.weights.iter().map(|w| (w - 0.5).powi(2));
            let penalty = penalty.chain(learner.biases.iter().map(|b| b * b)).sum::<f64>();
            90.0 * loss(&learner.predict(&members), &labels) + penalty / 2.0
        };
        for at in 0..5 {
            for by in [-0.05, 0.05] {
                let mut other = best.clone();
                let number = match at {
                    0 | 1 => &mut other.weights[at],
                    _ => &mut other.biases[at - 2],
                };
                *number += by;
                assert!(loss_with_penalty(&other) > loss_with_penalty(&best), "{at} {by}");
            }
        }
    }

    #[test]
    fn a_class_that_no_member_predicts_gets_a_bias() {
        let labels = vec![0; 50];
        let wrong = member(50, |_| (1, 1.0));
        let learner = MetaLearner::fit(std::slice::from_ref(&wrong), &labels);
        let predicted = learner.predict(&[wrong]);
        assert!(
            predicted.iter().all(|p| p.is_finite()) && predicted[[0, 0]] > predicted[[0, 1]],
            "{learner:?}"
        );
    }
}
