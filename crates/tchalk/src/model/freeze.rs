//! Keeping what has been learned: layers that training leaves alone.

use super::{Model, Step};
use crate::error::{Error, Result};

impl Model {
    /// Freezes all layers: training does not change their weights, and they always run as in use,
    /// dropout and batch normalization included. So what a frozen part gives can be computed once.
    /// (Keras lets dropout go on in frozen layers.)
    ///
    /// Other networks that use the same layers see them frozen, too. After freezing or setting free,
    /// compile again.
    pub fn freeze(&self) {
        self.set_frozen(true, |_| true);
    }

    /// Sets all layers free again, frozen by whatever call.
    pub fn unfreeze(&self) {
        self.set_frozen(false, |_| true);
    }

    /// Freezes one layer or one model inside: `"vgg16"`, `"vgg16/block1_conv1"`.
    ///
    /// # Errors
    ///
    /// If there is no layer of that path.
    pub fn freeze_at(&self, path: &str) -> Result<()> {
        self.step_index("Model::freeze_at", path)?;
        self.set_frozen(true, |step| is_at_path(step, path));
        Ok(())
    }

    /// Sets one layer or one model inside free again.
    ///
    /// # Errors
    ///
    /// If there is no layer of that path.
    pub fn unfreeze_at(&self, path: &str) -> Result<()> {
        self.step_index("Model::unfreeze_at", path)?;
        self.set_frozen(false, |step| is_at_path(step, path));
        Ok(())
    }

    /// Freezes a layer and all that lead to it; leaves the others as they are.
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
        let place = self.step_index("Model::freeze_until", path)?;
        let program = &self.inner.program;
        let leading = program.needed(&[], &[place]);
        for (step, _) in program.steps.iter().zip(leading).filter(|(_, leads)| *leads) {
            if let Some(cell) = step.built_layer() {
                cell.set_frozen(true);
            }
        }
        Ok(())
    }

    /// The place of a path, or the error that says which there are.
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
            if let Some(cell) = step.built_layer() {
                cell.set_frozen(frozen);
            }
        }
    }
}

/// Whether a step is this layer, or stands in this model.
fn is_at_path(step: &Step, path: &str) -> bool {
    step.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The first few and the last.
fn shortened_list(paths: &[String]) -> String {
    match paths {
        [first, second, third, .., last] if paths.len() > 4 => {
            format!("{first:?}, {second:?}, {third:?}, …, {last:?}")
        }
        _ => paths.iter().map(|path| format!("{path:?}")).collect::<Vec<_>>().join(", "),
    }
}
