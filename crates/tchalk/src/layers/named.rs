//! A layer with a name of its own.

/// A layer or a merge under a name of your own.
///
/// ```
/// use tchalk::prelude::*;
/// let layers = Sequential::new().input_shape([3, 8, 8]).add(Flatten);
/// let model = layers.add(Dense::new(10).named("scores")).build(Device::Cpu)?;
/// assert_eq!(model.weight_names(), ["scores.weight", "scores.bias"]);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Named<T> {
    pub(crate) name: String,
    pub(crate) layer: T,
}

impl<T> Named<T> {
    /// `layer` under the name `name`.
    pub fn new(name: impl Into<String>, layer: T) -> Named<T> {
        Named { name: name.into(), layer }
    }
}
