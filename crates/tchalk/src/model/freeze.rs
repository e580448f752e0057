//! Frozen layers, which training does not change.

use super::{Model, Step};
use crate::error::{Error, Result};

impl Model {
    /// Freezes all layers: training does not change their weights, and they always run in inference
    /// mode, including dropout and batch normalization. So the output of a frozen part can be computed
    /// once and cached. (In Keras, dropout stays active in frozen layers.)
    ///
    /// The layers are frozen in all networks that use them. After freezing or unfreezing, compile again.
    pub fn freeze(&self) {
        self.set_frozen(true, |_| true);
    }

    /// Unfreezes all layers.
    pub fn unfreeze(&self) {
        self.set_frozen(false, |_| true);
    }

    /// Freezes one layer or one nested model: `"vgg16"`, `"vgg16/block1_conv1"`.
    ///
    /// # Errors
    ///
    /// If there is no layer of that path.
    pub fn freeze_at(&self, path: &str) -> Result<()> {
        self.step_index("Model::freeze_at", path)?;
        self.set_frozen(true, |step| is_at_path(step, path));
        Ok(())
    }

    /// Unfreezes one layer or one nested model.
    ///
    /// # Errors
    ///
    /// If there is no layer of that path.
    pub fn unfreeze_at(&self, path: &str) -> Result<()> {
        self.step_index("Model::unfreeze_at", path)?;
        self.set_frozen(false, |step| is_at_path(step, path));
        Ok(())
    }

    /// Freezes a layer and all layers that lead to it, and leaves the others unchanged.
    ///
    /// # Errors
    ///
    /// If there is no layer of that path.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let layers = Sequential::new().input_shape([3, 8, 8]).add(Conv2d::new(4, 3)).add(Relu);
    /// let model = layers.add(Flatten).add(Dense::new(2)).build(Device::Cpu)?;
    /// model.freeze_until("relu")?;
    /// assert_eq!(model.parameter_count() - model.trainable_count(), 3 * 9 * 4 + 4);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn freeze_until(&self, path: &str) -> Result<()> {
        let index = self.step_index("Model::freeze_until", path)?;
        let program = &self.inner.program;
        let leading = program.needed(&[], &[index]);
        for (step, _) in program.steps.iter().zip(leading).filter(|(_, leads)| *leads) {
            if let Some(built) = step.built_layer() {
                built.set_frozen(true);
            }
        }
        Ok(())
    }

    /// The step of a path, or an error that names existing paths.
    pub(crate) fn step_index(&self, op: &str, path: &str) -> Result<usize> {
        self.inner.program.find(path).ok_or_else(|| {
            let paths = self.layer_paths();
            let last = path.rsplit('/').next().unwrap_or(path);
            let near = paths.iter().find(|known| known.rsplit('/').next() == Some(last));
            let hint = match near {
                Some(near) => format!("There is {near:?}."),
                None => format!("layer_paths() lists them: {}.", shortened_list(&paths)),
            };
            Error::invalid(format!("{op}({path:?})"), "the path of a layer", "no such path", hint)
        })
    }

    fn set_frozen(&self, frozen: bool, which: impl Fn(&Step) -> bool) {
        for step in self.inner.program.steps.iter().filter(|step| which(step)) {
            if let Some(built) = step.built_layer() {
                built.set_frozen(frozen);
            }
        }
    }
}

/// Whether a step is this layer, or belongs to this nested model.
fn is_at_path(step: &Step, path: &str) -> bool {
    step.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The first three paths and the last one.
fn shortened_list(paths: &[String]) -> String {
    match paths {
        [first, second, third, .., last] if paths.len() > 4 => {
            format!("{first:?}, {second:?}, {third:?}, …, {last:?}")
        }
        _ => paths.iter().map(|path| format!("{path:?}")).collect::<Vec<_>>().join(", "),
    }
}
