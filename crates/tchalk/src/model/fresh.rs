//! A network of the same form that begins anew.

use super::Model;
use crate::error::Result;
use crate::runtime;
use tch::no_grad;

impl Model {
    /// A network of the same layers whose weights are drawn anew; those of frozen layers are copied. So
    /// the same thing can be trained once more, differently, on the same frozen base. Compile it
    /// before training, as a new network.
    ///
    /// # Errors
    ///
    /// If there is no memory for the weights.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let model = Sequential::new().input_shape([2]).add(Dense::new(3)).add(Dense::new(1));
    /// let model = model.build(Device::Cpu)?;
    /// model.freeze_at("dense")?;
    /// let fresh = model.fresh()?;
    /// assert_eq!(fresh.weight("dense.weight")?, model.weight("dense.weight")?);
    /// assert_ne!(fresh.weight("dense_1.weight")?, model.weight("dense_1.weight")?);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn fresh(&self) -> Result<Model> {
        let fresh = self.copy()?;
        // As for every new model, see `from_graph`.
        tch::manual_seed(runtime::seed::derive("weights"));
        for cell in fresh.inner.program.cells().filter(|cell| !cell.is_frozen()) {
            for (spec, mut weight) in cell.specs.iter().zip(cell.tensors()) {
                no_grad(|| weight.copy_(&spec.initializer.fill(&spec.shape)));
            }
        }
        Ok(fresh)
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    #[test]
    fn what_is_free_begins_anew_and_what_is_frozen_stays() {
        let layers = Sequential::new().input_shape([3, 8, 8]).add(Conv2d::new(4, 3)).name("base");
        let base = layers.build(Device::Cpu).unwrap();
        base.freeze();
        let model = Sequential::new().add(&base).add(BatchNorm2d::new()).add(Flatten);
        let model = model.add(Dense::new(2)).build(Device::Cpu).unwrap();
        let changed = Tensor::full([2], 7.0, (Kind::Float, Device::Cpu));
        model.set_weight("dense.bias", &changed).unwrap();
        let fresh = model.fresh().unwrap();
        assert_eq!(fresh.trainable_count(), model.trainable_count());
        let weight = |model: &Model, name: &str| model.weight(name).unwrap();
        assert_eq!(weight(&fresh, "base/conv2d.weight"), weight(&model, "base/conv2d.weight"));
        assert_ne!(weight(&fresh, "dense.weight"), weight(&model, "dense.weight"));
        assert_eq!(weight(&fresh, "dense.bias").double_value(&[0]), 0.0);
        assert!(weight(&fresh, "dense.weight").size() == [2, 144]);
        assert_eq!(weight(&model, "dense.bias"), changed);
    }
}
