//! A ready-made network: its settings, and how it is built.

use super::architecture::{Architecture, NetworkBuilder};
use super::built_in_base::{self, BUILT_IN_BASE};
use super::vgg16::VGG16;
use super::weight_file::WeightFile;
use super::weight_lookup::{Lookup, find_file, find_imagenet_weights};
use super::weights::{
    IMAGENET_CLASSES, Preprocessing, TORCHVISION, Weights, image_size_from_note, published,
};
use crate::display::{Message, Show};
use crate::error::{Error, Result};
use crate::layers::{Layer, Softmax};
use crate::model::{CallLayer, Input, Model, Symbol};
use std::path::Path;
use tch::{Device, Tensor, no_grad};

/// A ready-made network before it is built.
///
/// With its top, a network ends in [`Softmax`] and predicts probabilities; without, its output is the last
/// feature maps. The inputs are images with values from 0 to 1. The first layer, `preprocessing`, converts
/// them to what the weights were trained with.
///
/// ```
/// use tchalk::prelude::*;
/// let net = applications::squeezenet1_1().weights(Weights::Random).without_top();
/// let net = net.input_shape([3, 64, 64]).build(Device::Cpu)?;
/// assert_eq!(net.output_shape(), [512, 3, 3]);
/// assert_eq!(net.parameter_count(), 722_496);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Application {
    pub(super) architecture: Architecture,
    weights: Weights,
    top: bool,
    input_shape: Option<Vec<usize>>,
    classes: usize,
    preprocessing: Preprocessing,
    /// Whether the built-in base may replace it.
    or_built_in: bool,
}

impl Application {
    pub(super) fn new(architecture: Architecture) -> Application {
        Application {
            architecture,
            weights: Weights::ImageNet,
            top: true,
            input_shape: None,
            classes: IMAGENET_CLASSES,
            preprocessing: Preprocessing::FromWeights,
            or_built_in: false,
        }
    }

    pub(super) fn built_in_base() -> Application {
        let application = Application::new(BUILT_IN_BASE);
        Application { weights: Weights::BuiltIn, top: false, ..application }
    }

    /// The source of the weights; [`Weights::ImageNet`] by default.
    pub fn weights(mut self, weights: Weights) -> Application {
        self.weights = weights;
        self
    }

    /// Without the layers after the last feature maps `[channels, height, width]`.
    pub fn without_top(mut self) -> Application {
        self.top = false;
        self
    }

    /// The shape of one image, `[3, height, width]`. The default is `[3, 224, 224]`, or the size in the
    /// metadata of the weights. With random weights there may be another number of channels.
    pub fn input_shape(mut self, shape: impl Into<Vec<usize>>) -> Application {
        self.input_shape = Some(shape.into());
        self
    }

    /// The number of classes of the top; ImageNet's 1,000 by default.
    pub fn classes(mut self, classes: usize) -> Application {
        self.classes = classes;
        self
    }

    /// What happens to images before the first layer: `false` for nothing, or a [`Preprocessing`]. The
    /// default is what the weights were trained with.
    pub fn preprocessing(mut self, preprocessing: impl Into<Preprocessing>) -> Application {
        self.preprocessing = preprocessing.into();
        self
    }

    /// If VGG16's weights are neither in the bundle nor in the cache and cannot be downloaded, builds the
    /// [built-in base](super::built_in_base()) in its place. [`build`](Application::build) and
    /// [`Model::source`] say so. Only for [`vgg16`](super::vgg16()) without its top.
    ///
    /// ```no_run
    /// use tchalk::prelude::*;
    /// let base = applications::vgg16()
    ///     .weights(Weights::ImageNet)
    ///     .without_top()
    ///     .input_shape([3, 32, 32])
    ///     .or_built_in()
    ///     .build(Device::Cpu)?;
    /// println!("{}: {}", base.name(), base.source());
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn or_built_in(mut self) -> Application {
        self.or_built_in = true;
        self
    }

    /// The call that makes it, for messages.
    fn repr(&self) -> String {
        format!("applications::{}()", self.architecture.name)
    }

    /// Builds the network on `device` and reads its weights.
    ///
    /// # Errors
    ///
    /// If the images are too small or have another number of channels than the weights; if there is no file
    /// of weights, it cannot be downloaded, is damaged, or belongs to another network. With
    /// [`or_built_in`](Application::or_built_in) missing weights are not an error.
    pub fn build(self, device: Device) -> Result<Model> {
        self.check_weights()?;
        let path = match &self.weights {
            Weights::Random | Weights::BuiltIn => None,
            Weights::File(path) => Some(find_file(&self.repr(), path)?),
            Weights::ImageNet => {
                let names = self.published_names()?;
                match find_imagenet_weights(&self.repr(), self.architecture.name, &names)? {
                    Lookup::Found(path) => Some(path),
                    Lookup::Missing(error) if self.or_built_in => {
                        return self.build_fallback(&error, device);
                    }
                    Lookup::Missing(error) => return Err(error),
                }
            }
        };
        match path {
            Some(path) => self.build_from_file(&path, device),
            None => self.build_without_file(device),
        }
    }

    fn build_from_file(self, path: &Path, device: Device) -> Result<Model> {
        let mut file = WeightFile::open(path)?;
        let note = file.metadata("input");
        let preprocessing = match self.preprocessing {
            Preprocessing::FromWeights => {
                note.and_then(Preprocessing::from_note).unwrap_or(TORCHVISION)
            }
            other => other,
        };
        let side = note.and_then(image_size_from_note).unwrap_or(self.default_size());
        let (model, builder) = self.build_untrained(side, preprocessing, device)?;
        load_weights(&model, &builder, &mut file, path)?;
        let trained = match self.weights {
            Weights::ImageNet => "trained on ImageNet by others and ",
            _ => "",
        };
        model.set_source(format!("The weights were {trained}read from {}.", path.display()));
        Ok(model)
    }

    fn build_without_file(self, device: Device) -> Result<Model> {
        let preprocessing = match self.preprocessing {
            Preprocessing::FromWeights => Preprocessing::None,
            other => other,
        };
        let (model, _) = self.build_untrained(self.default_size(), preprocessing, device)?;
        if self.weights == Weights::BuiltIn {
            built_in_base::load_built_in_weights(&model);
            model.set_source(format!("This is the built-in base: {}", built_in_base::provenance()));
        }
        Ok(model)
    }

    /// The default width and height of the images.
    fn default_size(&self) -> usize {
        match self.architecture.name == BUILT_IN_BASE.name {
            true => built_in_base::INPUT_SIZE,
            false => 224,
        }
    }

    /// Refuses weights that do not belong to the network, and fallbacks for other networks than VGG16.
    pub(super) fn check_weights(&self) -> Result<()> {
        let (op, name) = (self.repr(), self.architecture.name);
        let own = name == BUILT_IN_BASE.name;
        let refused = |expected: &str, got: &str, hint: &str| {
            Err(Error::invalid(op.clone(), expected, got, hint))
        };
        match self.weights {
            Weights::BuiltIn if !own => {
                let hint = "applications::built_in_base() has weights that come with the library.";
                return refused("weights of this network", "Weights::BuiltIn", hint);
            }
            Weights::ImageNet if published(name).is_none() => {
                let hint = "Leave out weights(…): it has its own.";
                return refused("Weights::BuiltIn, Random or a file", "Weights::ImageNet", hint);
            }
            _ => {}
        }
        if !self.or_built_in {
            return Ok(());
        }
        let op = format!("{op}.or_built_in()");
        let refused = |expected: &str, got: &str| {
            let hint = "The built-in base replaces only vgg16().without_top().";
            Err(Error::invalid(op.clone(), expected, got, hint))
        };
        if name != VGG16.name {
            return refused("vgg16()", name);
        }
        if self.top {
            return refused("a network without its top", "one with it");
        }
        if self.weights != Weights::ImageNet {
            return refused("Weights::ImageNet", &format!("Weights::{:?}", self.weights));
        }
        match &self.input_shape {
            Some(shape) => self.check_input_shape(shape),
            None => Ok(()),
        }
    }

    /// The built-in base in place of this network; a notice tells the reader.
    pub(super) fn build_fallback(self, error: &Error, device: Device) -> Result<Model> {
        let reason = error.short_message();
        let base = Application {
            input_shape: self.input_shape.or(Some(vec![3, 224, 224])),
            preprocessing: self.preprocessing,
            ..Application::built_in_base()
        };
        let source = format!(
            "This is the built-in base, not VGG16, because VGG16's weights are not available ({reason}). \
             It is {}",
            built_in_base::provenance()
        );
        let model = base.build(device)?;
        model.set_source(source.clone());
        Message(source).show();
        Ok(model)
    }

    /// The names of the network's weights in published files.
    fn published_names(&self) -> Result<Vec<String>> {
        // The names do not depend on the image's size. Symbols have no weights, so this is fast.
        let mut builder = NetworkBuilder::new(self.classes);
        let side = self.architecture.min_size.max(32);
        let input = Input::new("input", [3, side, side]);
        self.layers(&mut builder, input)?;
        Ok(builder.weight_names())
    }

    /// The network's own layers after `x`, up to the logits.
    fn layers(&self, builder: &mut NetworkBuilder, x: Symbol) -> Result<Symbol> {
        let x = (self.architecture.features)(builder, x)?;
        if self.top { (self.architecture.top)(builder, x) } else { Ok(x) }
    }

    /// The network with random weights. `default_size` is the width and height of the images, unless
    /// `input_shape` sets them.
    pub(super) fn build_untrained(
        &self,
        default_size: usize,
        preprocessing: Preprocessing,
        device: Device,
    ) -> Result<(Model, NetworkBuilder)> {
        let shape = self.input_shape.clone().unwrap_or(vec![3, default_size, default_size]);
        self.check_input_shape(&shape)?;
        let mut builder = NetworkBuilder::new(self.classes);
        let input = Input::new("input", shape);
        let mut x = input.clone();
        if let Some(layer) = preprocessing.layer() {
            x = layer.named("preprocessing").call(&x)?;
        }
        x = self.layers(&mut builder, x)?;
        if self.top {
            x = Softmax.named("softmax").call(&x)?;
        }
        Ok((Model::new(self.architecture.name, &input, &x, device)?, builder))
    }

    fn check_input_shape(&self, shape: &[usize]) -> Result<()> {
        let smallest = self.architecture.min_size;
        let op = format!("{}.input_shape({shape:?})", self.repr());
        let &[channels, height, width] = shape else {
            let hint = "Try .input_shape([3, 224, 224]).";
            return Err(Error::invalid(
                op,
                "images [channels, height, width]",
                format!("{shape:?}"),
                hint,
            ));
        };
        if channels != 3 && self.weights != Weights::Random {
            let hint = "Gray images can be repeated in three equal channels.";
            let got = format!("{channels} channels");
            return Err(Error::invalid(op, "3 channels, like the weights", got, hint));
        }
        if height < smallest || width < smallest {
            let expected = format!("images of at least {smallest} by {smallest} pixels");
            let hint = format!("Resize::new({smallest}, {smallest}) makes small images larger.");
            return Err(Error::invalid(op, expected, format!("{height} by {width}"), hint));
        }
        if self.top && self.classes != IMAGENET_CLASSES && self.weights == Weights::ImageNet {
            let op = format!("{}.classes({})", self.repr(), self.classes);
            let hint = "Use without_top() and your own top, or weights(Weights::Random).";
            let expected = format!("the {IMAGENET_CLASSES} classes of ImageNet");
            return Err(Error::invalid(op, expected, self.classes.to_string(), hint));
        }
        Ok(())
    }
}

/// Reads all weights of the network from the file. Other tensors of the file are ignored.
fn load_weights(
    model: &Model,
    builder: &NetworkBuilder,
    open: &mut WeightFile,
    path: &Path,
) -> Result<()> {
    let weights = model.inner().program.weights();
    let shape = |tensor: &Tensor| tensor.size().iter().map(|&n| n as usize).collect::<Vec<_>>();
    let needed = || weights.iter().map(|it| (builder.published_name(&it.name), it));
    // All shapes are checked before any weight is changed.
    for (theirs, weight) in needed() {
        let (ours, shape) = (&weight.name, shape(&weight.tensor));
        let hint = format!("Are these the weights of {}?", model.name());
        match open.shape(&theirs) {
            Some(found) if without_trailing_ones(&found) == without_trailing_ones(&shape) => {}
            Some(found) => {
                let problem =
                    format!("{theirs:?} has the shape {found:?}, and {shape:?} is needed");
                return Err(Error::bad_file(path, problem, hint));
            }
            None => {
                let problem = format!("it holds no {theirs:?}, for the weight {ours:?}");
                return Err(Error::bad_file(path, problem, hint));
            }
        }
    }
    for (theirs, weight) in needed() {
        let value = open.read(&theirs)?.f_view(weight.tensor.size().as_slice())?;
        no_grad(|| weight.tensor.shallow_clone().copy_(&value));
    }
    Ok(())
}

/// A shape without the ones at its end: a 1 × 1 convolution and a dense layer have the same numbers.
fn without_trailing_ones(shape: &[usize]) -> &[usize] {
    let ones = shape.iter().rev().take_while(|&&n| n == 1).count();
    &shape[..shape.len() - ones]
}
