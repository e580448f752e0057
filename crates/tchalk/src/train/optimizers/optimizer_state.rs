//! An optimizer at work: its rate, its steps, and what it remembers of each weight.

use super::optimizer::{Optimizer, OptimizerOptions, Slots, check_learning_rate, type_name};
use crate::error::Result;
use crate::train::catch_panic::lock;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use tch::{Tensor, no_grad};

/// An optimizer at work on the weights of one network.
pub(crate) struct OptimizerState {
    /// Shared with the networks that learn alike: what is remembered of weights is not in it.
    optimizer: Arc<Mutex<Box<dyn Optimizer>>>,
    /// What the optimizer said of itself at the beginning.
    options: OptimizerOptions,
    /// The rate that schedules start from; callbacks may change it.
    learning_rate: f64,
    /// Steps made since `compile`.
    steps: u64,
    /// By the weights' names, so that layers may be frozen and freed in between.
    slots: HashMap<String, Slots>,
}

impl OptimizerState {
    /// Checks the optimizer's numbers; `paths` are the names of all the network's weights.
    pub(crate) fn new(optimizer: Box<dyn Optimizer>, paths: &[String]) -> Result<OptimizerState> {
        optimizer.check()?;
        check_learning_rate("Optimizer::learning_rate", optimizer.learning_rate())?;
        let options = optimizer.options();
        options.check()?;
        options.check_paths(paths)?;
        let rate = optimizer.learning_rate();
        let optimizer = Arc::new(Mutex::new(optimizer));
        Ok(OptimizerState {
            optimizer,
            options,
            learning_rate: rate,
            steps: 0,
            slots: HashMap::new(),
        })
    }

    /// The same optimizer for another network of the same form, with nothing remembered yet.
    pub(crate) fn restarted(&self) -> OptimizerState {
        let (optimizer, options) = (self.optimizer.clone(), self.options.clone());
        let rate = lock(&self.optimizer).learning_rate();
        OptimizerState { optimizer, options, learning_rate: rate, steps: 0, slots: HashMap::new() }
    }

    pub(crate) fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    pub(crate) fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    /// The optimizer in words and numbers.
    pub(crate) fn summary(&self) -> OptimizerSummary {
        let optimizer = lock(&self.optimizer);
        let OptimizerOptions { decay, weight_decay, momentum, .. } = self.options;
        let name = type_name(&format!("{optimizer:?}"));
        OptimizerSummary {
            name,
            learning_rate: optimizer.learning_rate(),
            decay,
            weight_decay,
            momentum,
        }
    }

    /// What the optimizer's own decay leaves of `rate` at the coming step.
    pub(crate) fn decayed_learning_rate(&self, learning_rate: f64) -> f64 {
        learning_rate / (1.0 + self.options.decay * self.steps as f64)
    }

    /// One step: changes each weight in place, with the gradient at the same place. `rate` is what a
    /// schedule makes of [`OptimizerState::rate`].
    pub(crate) fn step(
        &mut self,
        weights: &[(String, Tensor)],
        gradients: &[Tensor],
        learning_rate: f64,
    ) {
        let rate = self.decayed_learning_rate(learning_rate);
        let options = &self.options;
        let optimizer = lock(&self.optimizer);
        no_grad(|| {
            let clipped = options.clip.map(|clip| clip.apply(gradients));
            let gradients = clipped.as_deref().unwrap_or(gradients);
            for ((name, weight), gradient) in weights.iter().zip(gradients) {
                let rate = rate * options.learning_rate_factor(name);
                if options.weight_decay > 0.0 {
                    let mut weight = weight.shallow_clone();
                    weight *= 1.0 - rate * options.weight_decay;
                }
                if !self.slots.contains_key(name) {
                    self.slots.insert(name.clone(), Slots::default());
                }
                let memory = self.slots.get_mut(name).expect("it was just put there");
                optimizer.update(weight, gradient, memory, rate);
                memory.updates += 1;
            }
        });
        self.steps += 1;
    }

    /// Forgets what was remembered of the weights; the rate stays.
    pub(crate) fn reset(&mut self) {
        self.slots.clear();
    }

    /// Everything that has to be kept for training to go on later.
    pub(crate) fn state_dict(&self) -> StateDict {
        let mut names: Vec<&String> = self.slots.keys().collect();
        names.sort();
        let mut remembered = StateDict {
            learning_rate: self.learning_rate,
            steps: self.steps,
            ..Default::default()
        };
        for name in names {
            let memory = &self.slots[name];
            remembered.updates.insert(name.clone(), memory.updates);
            for (i, tensor) in memory.tensors.iter().enumerate() {
                remembered.tensors.insert(format!("{i}/{name}"), tensor.copy());
            }
        }
        remembered
    }

    /// Takes up what [`OptimizerState::state`] gave; `weights` say where the tensors belong.
    pub(crate) fn load_state_dict(
        &mut self,
        from: &StateDict,
        weights: &[(String, Tensor)],
    ) -> std::result::Result<(), String> {
        let mut restored = HashMap::new();
        for (name, weight) in weights {
            let Some(&updates) = from.updates.get(name) else { continue };
            let mut memory = Slots { updates, tensors: Vec::new() };
            while let Some(saved) = from.tensors.get(&format!("{}/{name}", memory.tensors.len())) {
                if saved.size() != weight.size() {
                    return Err(format!(
                        "what the optimizer remembers of {name} has another shape"
                    ));
                }
                let mut tensor = weight.detach().zeros_like();
                no_grad(|| tensor.copy_(saved));
                memory.tensors.push(tensor);
            }
            restored.insert(name.clone(), memory);
        }
        (self.learning_rate, self.steps, self.slots) = (from.learning_rate, from.steps, restored);
        Ok(())
    }
}

/// What an optimizer is called, and the numbers it was given.
#[derive(Default)]
pub(crate) struct OptimizerSummary {
    pub(crate) name: String,
    /// The rate it began with.
    pub(crate) learning_rate: f64,
    pub(crate) decay: f64,
    pub(crate) weight_decay: f64,
    pub(crate) momentum: f64,
}

/// What an optimizer at work has to keep for later.
#[derive(Default)]
pub(crate) struct StateDict {
    pub(crate) learning_rate: f64,
    pub(crate) steps: u64,
    /// How often each weight has been changed, by name.
    pub(crate) updates: BTreeMap<String, u64>,
    /// What is remembered of each weight, by number and name: `0/dense.weight`.
    pub(crate) tensors: BTreeMap<String, Tensor>,
}

impl std::fmt::Debug for OptimizerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} after {} steps", lock(&self.optimizer), self.steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::{Adam, AdamW, RmsProp, Sgd};
    use tch::{Device, Kind};

    fn optimizers() -> Vec<Box<dyn Optimizer>> {
        vec![
            Box::new(Sgd::new(0.1)),
            Box::new(Sgd::new(0.1).momentum(0.9)),
            Box::new(Sgd::new(0.1).momentum(0.9).nesterov().clip_value(0.3)),
            Box::new(RmsProp::new(0.01).decay(0.1)),
            Box::new(RmsProp::new(0.01).momentum(0.5)),
            Box::new(Adam::new(0.01).weight_decay(0.1)),
            Box::new(AdamW::new(0.01).global_clip_norm(1.0)),
        ]
    }

    fn weights(kind: Kind) -> Vec<(String, Tensor)> {
        let values = [
            Tensor::linspace(-1.0, 1.0, 60, (kind, Device::Cpu)).view([3, 4, 5]),
            Tensor::linspace(0.5, 2.0, 3, (kind, Device::Cpu)),
        ];
        ["a.weight", "a.bias"].map(str::to_owned).into_iter().zip(values).collect()
    }

    fn walk(
        descent: &mut OptimizerState,
        weights: &[(String, Tensor)],
        steps: std::ops::Range<i32>,
    ) {
        for step in steps {
            let gradients: Vec<Tensor> = weights
                .iter()
                .map(|(_, weight)| (weight * (1.0 + 0.1 * f64::from(step))).sin())
                .collect();
            let rate = descent.learning_rate();
            descent.step(weights, &gradients, rate);
        }
    }

    #[test]
    fn the_one_loop_and_tensor_operations_agree() {
        for (one, other) in optimizers().into_iter().zip(optimizers()) {
            let name = format!("{one:?}");
            let (fused, plain) = (weights(Kind::Float), weights(Kind::Double));
            walk(&mut OptimizerState::new(one, &[]).unwrap(), &fused, 0..20);
            walk(&mut OptimizerState::new(other, &[]).unwrap(), &plain, 0..20);
            for ((_, a), (_, b)) in fused.iter().zip(&plain) {
                let distance = (a - b).abs().max().double_value(&[]);
                assert!(distance < 2e-6, "{name}: {distance:e}");
            }
        }
    }

    #[test]
    fn a_saved_descent_goes_on_to_the_same_numbers() {
        for (one, other) in optimizers().into_iter().zip(optimizers()) {
            let name = format!("{one:?}");
            let (unbroken, broken) = (weights(Kind::Float), weights(Kind::Float));
            let mut descent = OptimizerState::new(one, &[]).unwrap();
            walk(&mut descent, &unbroken, 0..4);
            for ((_, from), (_, to)) in unbroken.iter().zip(&broken) {
                to.shallow_clone().copy_(from);
            }
            let mut again = OptimizerState::new(other, &[]).unwrap();
            again.load_state_dict(&descent.state_dict(), &broken).unwrap();
            walk(&mut descent, &unbroken, 4..9);
            walk(&mut again, &broken, 4..9);
            assert_eq!(unbroken, broken, "{name}");
        }
    }

    #[test]
    fn parts_learn_at_their_own_rate_and_frozen_ones_not_at_all() {
        let weights = weights(Kind::Float);
        let before: Vec<Tensor> = weights.iter().map(|(_, w)| w.copy()).collect();
        let optimizer = Sgd::new(0.1).learning_rate_at("a.bias", 0.0).learning_rate_at("a", 0.5);
        let names: Vec<String> = weights.iter().map(|(name, _)| name.clone()).collect();
        let mut descent = OptimizerState::new(Box::new(optimizer), &names).unwrap();
        let gradients: Vec<Tensor> = before.iter().map(Tensor::ones_like).collect();
        descent.step(&weights, &gradients, 0.1);
        assert!(weights[0].1.allclose(&(&before[0] - 0.05), 1e-6, 1e-6, false));
        assert_eq!(weights[1].1, before[1]);
    }
}
