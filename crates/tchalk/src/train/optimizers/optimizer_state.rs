//! The state of an optimizer: its learning rate, its steps, and the slots of each weight.

use super::optimizer::{Optimizer, OptimizerOptions, Slots, check_learning_rate, type_name};
use crate::error::Result;
use crate::train::catch_panic::lock;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use tch::{Tensor, no_grad};

/// An optimizer and its state for the weights of one network.
pub(crate) struct OptimizerState {
    /// Shared with networks that were compiled like this one. It holds no state.
    optimizer: Arc<Mutex<Box<dyn Optimizer>>>,
    /// The optimizer's options when the network was compiled.
    options: OptimizerOptions,
    /// Schedules multiply it; callbacks may change it.
    learning_rate: f64,
    /// Steps made since `compile`.
    steps: u64,
    /// By the names of the weights, so that layers can be frozen and unfrozen.
    slots: HashMap<String, Slots>,
}

impl OptimizerState {
    /// Checks the optimizer's numbers. `paths` are the names of all weights of the network.
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

    /// The initial state of the same optimizer, for another network of the same form.
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

    /// The name and the numbers of the optimizer.
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

    /// The learning rate of the next step, after the optimizer's own decay.
    pub(crate) fn decayed_learning_rate(&self, learning_rate: f64) -> f64 {
        learning_rate / (1.0 + self.options.decay * self.steps as f64)
    }

    /// One step: changes each weight in place, with the gradient of the same index. `learning_rate` is
    /// [`OptimizerState::learning_rate`] times the factor of the schedule.
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
                let slots = self.slots.get_mut(name).expect("it was just put there");
                optimizer.update(weight, gradient, slots, rate);
                slots.updates += 1;
            }
        });
        self.steps += 1;
    }

    /// Clears the slots of all weights. The learning rate stays.
    pub(crate) fn reset(&mut self) {
        self.slots.clear();
    }

    /// What a checkpoint needs.
    pub(crate) fn state_dict(&self) -> StateDict {
        let mut names: Vec<&String> = self.slots.keys().collect();
        names.sort();
        let mut state = StateDict {
            learning_rate: self.learning_rate,
            steps: self.steps,
            ..Default::default()
        };
        for name in names {
            let slots = &self.slots[name];
            state.updates.insert(name.clone(), slots.updates);
            for (i, tensor) in slots.tensors.iter().enumerate() {
                state.tensors.insert(format!("{i}/{name}"), tensor.copy());
            }
        }
        state
    }

    /// Loads what [`OptimizerState::state_dict`] returned, for these weights.
    pub(crate) fn load_state_dict(
        &mut self,
        from: &StateDict,
        weights: &[(String, Tensor)],
    ) -> std::result::Result<(), String> {
        let mut restored = HashMap::new();
        for (name, weight) in weights {
            let Some(&updates) = from.updates.get(name) else { continue };
            let mut slots = Slots { updates, tensors: Vec::new() };
            while let Some(saved) = from.tensors.get(&format!("{}/{name}", slots.tensors.len())) {
                if saved.size() != weight.size() {
                    return Err(format!("the optimizer's state of {name} has another shape"));
                }
                let mut tensor = weight.detach().zeros_like();
                no_grad(|| tensor.copy_(saved));
                slots.tensors.push(tensor);
            }
            restored.insert(name.clone(), slots);
        }
        (self.learning_rate, self.steps, self.slots) = (from.learning_rate, from.steps, restored);
        Ok(())
    }
}

/// The name of an optimizer and its numbers.
#[derive(Default)]
pub(crate) struct OptimizerSummary {
    pub(crate) name: String,
    /// The initial learning rate.
    pub(crate) learning_rate: f64,
    pub(crate) decay: f64,
    pub(crate) weight_decay: f64,
    pub(crate) momentum: f64,
}

/// The state of an optimizer as a checkpoint keeps it.
#[derive(Default)]
pub(crate) struct StateDict {
    pub(crate) learning_rate: f64,
    pub(crate) steps: u64,
    /// The number of updates of each weight, by its name.
    pub(crate) updates: BTreeMap<String, u64>,
    /// The slots of each weight, by number and name: `0/dense.weight`.
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

    fn walk(state: &mut OptimizerState, weights: &[(String, Tensor)], steps: std::ops::Range<i32>) {
        for step in steps {
            let gradients: Vec<Tensor> = weights
                .iter()
                .map(|(_, weight)| (weight * (1.0 + 0.1 * f64::from(step))).sin())
                .collect();
            let rate = state.learning_rate();
            state.step(weights, &gradients, rate);
        }
    }

    #[test]
    fn the_fused_loop_and_tensor_operations_agree() {
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
    fn a_loaded_state_continues_with_the_same_numbers() {
        for (one, other) in optimizers().into_iter().zip(optimizers()) {
            let name = format!("{one:?}");
            let (unbroken, broken) = (weights(Kind::Float), weights(Kind::Float));
            let mut state = OptimizerState::new(one, &[]).unwrap();
            walk(&mut state, &unbroken, 0..4);
            for ((_, from), (_, to)) in unbroken.iter().zip(&broken) {
                to.shallow_clone().copy_(from);
            }
            let mut again = OptimizerState::new(other, &[]).unwrap();
            again.load_state_dict(&state.state_dict(), &broken).unwrap();
            walk(&mut state, &unbroken, 4..9);
            walk(&mut again, &broken, 4..9);
            assert_eq!(unbroken, broken, "{name}");
        }
    }

    #[test]
    fn parts_have_learning_rates_of_their_own() {
        let weights = weights(Kind::Float);
        let before: Vec<Tensor> = weights.iter().map(|(_, w)| w.copy()).collect();
        let optimizer = Sgd::new(0.1).learning_rate_at("a.bias", 0.0).learning_rate_at("a", 0.5);
        let names: Vec<String> = weights.iter().map(|(name, _)| name.clone()).collect();
        let mut state = OptimizerState::new(Box::new(optimizer), &names).unwrap();
        let gradients: Vec<Tensor> = before.iter().map(Tensor::ones_like).collect();
        state.step(&weights, &gradients, 0.1);
        assert!(weights[0].1.allclose(&(&before[0] - 0.05), 1e-6, 1e-6, false));
        assert_eq!(weights[1].1, before[1]);
    }
}
