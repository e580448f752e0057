//! A network of the same layers with newly initialized weights.

use super::Model;
use crate::error::Result;
use crate::runtime;
use tch::no_grad;

impl Model {
    /// A network of the same layers with its own, newly initialized weights, as if it had just been
    /// built. Frozen layers keep their weights. The settings of `compile` are not copied.
    ///
    /// # Errors
    ///
    /// If there is not enough memory for the weights.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let model = Sequential::new().input_shape([2]).add(Dense::new(1)).build(Device::Cpu)?;
    /// let fresh = model.reinitialized()?;
    /// assert_ne!(fresh.weight("dense.weight")?, model.weight("dense.weight")?);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn reinitialized(&self) -> Result<Model> {
        let fresh = self.copy()?;
        let program = &fresh.inner.program;
        // As in `Model::from_graph`: the whole process shares libtorch's generator.
        tch::manual_seed(runtime::seed::derive("weights"));
        for built in program.built_layers().filter(|built| !built.is_frozen()) {
            for (spec, mut weight) in built.specs.iter().zip(built.tensors()) {
                no_grad(|| weight.copy_(&spec.initializer.fill(&spec.shape)));
            }
        }
        if program.built_layers().any(|built| !built.is_frozen() && !built.specs.is_empty()) {
            fresh.set_source(String::new());
        }
        Ok(fresh)
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    #[test]
    fn trainable_layers_are_reinitialized_and_frozen_ones_stay() {
        let base = Sequential::new().input_shape([1, 6, 6]).add(Conv2d::new(2, 3));
        let base = base.add(BatchNorm2d::new()).name("base").build(Device::Cpu).unwrap();
        base.freeze();
        let shared = Dense::new(8);
        let layers = Sequential::new().add(&base).add(Flatten).add(Dense::new(8));
        let model = layers.add(shared.clone()).add(shared).build(Device::Cpu).unwrap();
        model.set_weight("base/conv2d.bias", &Tensor::from_slice(&[1f32, 2.0])).unwrap();
        let fresh = model.reinitialized().unwrap();
        assert_eq!(fresh.weight_names(), model.weight_names());
        assert_eq!(fresh.trainable_count(), model.trainable_count());
        for name in model.weight_names() {
            let (old, new) = (model.weight(&name).unwrap(), fresh.weight(&name).unwrap());
            let same = name.starts_with("base/") || name.ends_with("bias");
            assert_eq!(old == new, same, "{name}");
        }
        // A change of one does not change the other.
        fresh.set_weight("base/conv2d.bias", &Tensor::from_slice(&[5f32, 5.0])).unwrap();
        let bias = model.weight("base/conv2d.bias").unwrap();
        assert_eq!(bias, Tensor::from_slice(&[1f32, 2.0]));
    }
}
