//! What makes one answer of a stack's members: a small multinomial logistic regression.

use super::members::softmax;
use ndarray::Array2;
use tch::{Device, Kind, Tensor};

/// A weight for each member, and a bias for each class: the score of a class is the weighted sum of
/// the logarithms of its probabilities, and its bias.
///
/// With weights of one over the number of members and no biases this is the geometric mean; a member
/// with the weight 0 does not count. So few numbers can be fitted to a few hundred examples.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MetaLearner {
    pub(super) weights: Vec<f64>,
    pub(super) biases: Vec<f64>,
}

/// No probability is taken for less.
const MIN_PROBABILITY: f64 = 1e-7;
/// How strongly the numbers are drawn to the geometric mean: as much as one example more or less.
const L2_PENALTY: f64 = 1.0;
/// Newton's method needs about six steps.
const MAX_STEPS: usize = 100;

impl MetaLearner {
    /// The combiner under which the right classes are most probable, drawn a little to the geometric
    /// mean. That has one maximum (it is concave), which Newton's method finds whatever the data.
    pub(super) fn fit(members: &[Array2<f32>], labels: &[usize]) -> MetaLearner {
        let (count, classes) = (members.len() as i64, members[0].ncols() as i64);
        let logs: Vec<Tensor> = members.iter().map(log_probabilities).collect();
        let logs = Tensor::stack(&logs, 1); // [examples, members, classes]
        let labels: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
        let labels = Tensor::from_slice(&labels);
        let truth = labels.one_hot(classes).to_kind(Kind::Double);
        let zeros = |n| Tensor::zeros([n], (Kind::Double, Device::Cpu));
        let start = Tensor::cat(&[zeros(count) + 1.0 / count as f64, zeros(classes)], 0);

        let scores = |theta: &Tensor| {
            let (weights, biases) = (theta.narrow(0, 0, count), theta.narrow(0, count, classes));
            (&logs * weights.view([1, -1, 1])).sum_dim_intlist(1i64, false, Kind::Double) + biases
        };
        let loss = |theta: &Tensor| {
            let right = scores(theta).log_softmax(1, Kind::Double) * &truth;
            let drawn = (theta - &start).square().sum(Kind::Double) * (L2_PENALTY / 2.0);
            (drawn - right.sum(Kind::Double)).double_value(&[])
        };

        let mut theta = start.copy();
        let mut best = loss(&theta);
        for _ in 0..MAX_STEPS {
            let p = scores(&theta).softmax(1, Kind::Double);
            let wrong = (&p - &truth).unsqueeze(1);
            let by_weight =
                (&logs * &wrong).sum_dim_intlist([0i64, 2].as_slice(), false, Kind::Double);
            let by_bias = (&p - &truth).sum_dim_intlist(0i64, false, Kind::Double);
            let gradient = Tensor::cat(&[by_weight, by_bias], 0) + (&theta - &start) * L2_PENALTY;
            // The curvature, block by block: how the members' logarithms and the classes vary.
            let weighed = &logs * p.unsqueeze(1);
            let mean = weighed.sum_dim_intlist(2i64, false, Kind::Double); // [examples, members]
            let flat = |x: &Tensor| x.transpose(0, 1).reshape([count, -1]);
            let ww = flat(&weighed).matmul(&flat(&logs).tr()) - mean.tr().matmul(&mean);
            let wb = weighed.sum_dim_intlist(0i64, false, Kind::Double) - mean.tr().matmul(&p);
            let bb = p.sum_dim_intlist(0i64, false, Kind::Double).diag(0) - p.tr().matmul(&p);
            let upper = Tensor::cat(&[ww, wb.shallow_clone()], 1);
            let lower = Tensor::cat(&[wb.tr(), bb], 1);
            let ridge = Tensor::eye(count + classes, (Kind::Double, Device::Cpu)) * L2_PENALTY;
            let curvature = Tensor::cat(&[upper, lower], 0) + ridge;
            let step = Tensor::linalg_solve(&curvature, &gradient, true);
            // Shorter steps where a whole one goes too far.
            let mut length = 1.0;
            let next = loop {
                let next = &theta - &step * length;
                let reached = loss(&next);
                if reached < best {
                    break Some((next, reached));
                }
                length /= 2.0;
                if length < 1e-6 {
                    break None;
                }
            };
            let Some((next, reached)) = next else { break };
            let gained = best - reached;
            (theta, best) = (next, reached);
            if gained < 1e-9 * best.abs().max(1.0) {
                break;
            }
        }
        let numbers = |from: i64, n: i64| {
            Vec::<f64>::try_from(theta.narrow(0, from, n)).expect("a row of numbers")
        };
        MetaLearner { weights: numbers(0, count), biases: numbers(count, classes) }
    }

    /// The common probabilities `[examples, classes]`.
    pub(super) fn predict(&self, members: &[Array2<f32>]) -> Array2<f32> {
        let mut scores = Array2::<f32>::zeros(members[0].dim());
        for (one, &weight) in members.iter().zip(&self.weights) {
            scores.zip_mut_with(one, |score, &p| {
                *score += weight as f32 * p.max(MIN_PROBABILITY as f32).ln();
            });
        }
        for mut row in scores.rows_mut() {
            row.iter_mut().zip(&self.biases).for_each(|(score, &bias)| *score += bias as f32);
        }
        softmax(scores)
    }
}

fn log_probabilities(probabilities: &Array2<f32>) -> Tensor {
    let (rows, columns) = probabilities.dim();
    let values: Vec<f64> =
        probabilities.iter().map(|&p| f64::from(p).max(MIN_PROBABILITY).ln()).collect();
    Tensor::from_slice(&values).view([rows as i64, columns as i64])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A member that is right with this probability on every second of its surest answers.
    fn member(examples: usize, sure: impl Fn(usize) -> (usize, f32)) -> Array2<f32> {
        let rows = (0..examples).flat_map(|i| {
            let (class, p) = sure(i);
            (0..3).map(move |c| if c == class { p } else { (1.0 - p) / 2.0 })
        });
        Array2::from_shape_vec((examples, 3), rows.collect()).unwrap()
    }

    fn loss(probabilities: &Array2<f32>, labels: &[usize]) -> f64 {
        let of = labels.iter().enumerate().map(|(i, &label)| f64::from(probabilities[[i, label]]));
        of.map(|p| -p.max(1e-7).ln()).sum::<f64>() / labels.len() as f64
    }

    #[test]
    fn who_knows_counts_and_who_guesses_does_not() {
        let labels: Vec<usize> = (0..300).map(|i| i % 3).collect();
        // Right nine times of ten; the other says the same of everything, or anything.
        let good = member(300, |i| (if i % 10 == 0 { (i + 1) % 3 } else { i % 3 }, 0.9));
        let guess = member(300, |i| ((i * 7 + i / 11) % 3, 0.8));
        let combiner = MetaLearner::fit(&[good.clone(), guess.clone()], &labels);
        assert!(combiner.weights[0] > 0.8 && combiner.weights[1].abs() < 0.2, "{combiner:?}");
        let together = combiner.predict(&[good.clone(), guess.clone()]);
        assert!(loss(&together, &labels) <= loss(&good, &labels) + 1e-3);
        assert!(loss(&together, &labels) < loss(&guess, &labels));
    }

    #[test]
    fn what_is_found_is_the_maximum() {
        let labels: Vec<usize> = (0..90).map(|i| (i * i) % 3).collect();
        let a = member(90, |i| ((i * i + i / 7) % 3, 0.7));
        let b = member(90, |i| ((i * i + i / 5) % 3, 0.6));
        let members = [a, b];
        let best = MetaLearner::fit(&members, &labels);
        let penalized = |combiner: &MetaLearner| {
            let far = combiner.weights.iter().map(|w| (w - 0.5).powi(2));
            let far = far.chain(combiner.biases.iter().map(|b| b * b)).sum::<f64>();
            90.0 * loss(&combiner.predict(&members), &labels) + far / 2.0
        };
        for at in 0..5 {
            for by in [-0.05, 0.05] {
                let mut other = best.clone();
                let number = match at {
                    0 | 1 => &mut other.weights[at],
                    _ => &mut other.biases[at - 2],
                };
                *number += by;
                assert!(penalized(&other) > penalized(&best), "{at} {by}");
            }
        }
    }

    #[test]
    fn a_class_that_all_forget_gets_a_bias_and_certain_members_do_no_harm() {
        let labels = vec![0; 50];
        let wrong = member(50, |_| (1, 1.0));
        let combiner = MetaLearner::fit(std::slice::from_ref(&wrong), &labels);
        let said = combiner.predict(&[wrong]);
        assert!(said.iter().all(|p| p.is_finite()) && said[[0, 0]] > said[[0, 1]], "{combiner:?}");
    }
}
