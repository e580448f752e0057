//! Ready-made networks, with weights that others have trained.
//!
//! ```no_run
//! use tchalk::prelude::*;
//! let base = applications::vgg16()
//!     .weights(Weights::ImageNet)
//!     .without_top()
//!     .input_shape([3, 32, 32])
//!     .build(Device::Cpu)?;
//! base.freeze();
//! assert_eq!((base.parameter_count(), base.trainable_count()), (14_714_688, 0));
//! # Ok::<(), tchalk::Error>(())
//! ```
//!
//! | network | parameters | smallest image | top-1 on ImageNet |
//! |---|---|---|---|
//! | [`vgg16`] | 138,357,544 | 32 | 71.6 % |
//! | [`resnet18`] | 11,699,112 | 1 | 69.8 % |
//! | [`resnet50`] | 25,610,152 | 1 | 76.1 % |
//! | [`mobilenet_v2`] | 3,538,984 | 1 | 71.9 % |
//! | [`squeezenet1_0`] | 1,248,424 | 21 | 58.1 % |
//! | [`squeezenet1_1`] | 1,235,496 | 17 | 58.2 % |
//!
//! [`built_in_base`] is none of these: a small base that comes with the library, for where no weights
//! can be had.
//!
//! The accuracies are those that torchvision states for its weights. Parameters are counted as Keras
//! does, with the running means and variances of normalizations.

mod architecture;
mod built_in_base;
mod mobilenet_v2;
mod pickle;
mod pickle_machine;
mod pickle_opcode;
mod pickle_value;
mod prediction;
mod resnet;
mod safetensors_subset;
mod squeezenet;
mod torch_file;
mod vgg16;
mod weight_file;
mod weight_lookup;
mod weights;

pub use prediction::Prediction;
pub use weights::{Preprocessing, Weights};

use crate::error::{Error, Result};
use crate::layers::{Layer, Softmax};
use crate::model::{CallLayer, Input, Model, Symbol};
use architecture::{Architecture, NetworkBuilder};
use std::path::Path;
use tch::{Device, Tensor, no_grad};
use weight_file::WeightFile;
use weight_lookup::Lookup;
use weights::{TORCHVISION, image_size_from_note};

/// VGG16 (Simonyan and Zisserman 2014). Its layers have Keras's names, `block1_conv1` to
/// `block5_pool`, with the rectifier inside the convolution.
pub fn vgg16() -> Application {
    Application::new(vgg16::VGG16)
}

/// ResNet-18 (He et al. 2015). Its layers have torchvision's names: `layer1.0.conv1`, …
pub fn resnet18() -> Application {
    Application::new(resnet::RESNET18)
}

/// ResNet-50 (He et al. 2015). Its layers have torchvision's names: `layer1.0.conv1`, …
pub fn resnet50() -> Application {
    Application::new(resnet::RESNET50)
}

/// SqueezeNet 1.0 (Iandola et al. 2016). Its layers have torchvision's names: `features.3.squeeze`, …
pub fn squeezenet1_0() -> Application {
    Application::new(squeezenet::SQUEEZENET1_0)
}

/// SqueezeNet 1.1: as accurate as 1.0, with less than half the work.
pub fn squeezenet1_1() -> Application {
    Application::new(squeezenet::SQUEEZENET1_1)
}

/// MobileNetV2 (Sandler et al. 2018). Its layers have torchvision's names: `features.1.conv.0.0`, …
pub fn mobilenet_v2() -> Application {
    Application::new(mobilenet_v2::MOBILENET_V2)
}

/// The base that comes with the library: a small network of VGG16's form, for where VGG16's weights
/// cannot be had. Five blocks of two convolutions, 877,344 parameters, with VGG16's names from
/// `block1_conv1` to `block5_pool`; it has no top. This project trained it on CIFAR-10's training
/// images; [`Model::source`] says how well, and on what.
///
/// It takes images `[3, height, width]` of at least 32 by 32 pixels with values from 0 to 1, 32 by 32
/// where nothing else is said. With [`Weights::Random`] it is the same network before it learned.
///
/// ```
/// use tchalk::prelude::*;
/// let base = applications::built_in_base().build(Device::Cpu)?;
/// assert_eq!(base.output_shape(), [160, 1, 1]);
/// println!("{}", base.source());
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn built_in_base() -> Application {
    let application = Application::new(built_in_base::BUILT_IN_BASE);
    Application { weights: Weights::BuiltIn, top: false, ..application }
}

/// A ready-made network before it is built.
///
/// Built with its top, a network ends in [`Softmax`] and gives probabilities; without, it gives its
/// last feature maps. Images come with values from 0 to 1; a first layer, `preprocessing`, brings
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
    architecture: Architecture,
    weights: Weights,
    top: bool,
    input_shape: Option<Vec<usize>>,
    classes: usize,
    preprocessing: Preprocessing,
    /// Whether the built-in base may stand in.
    or_built_in: bool,
}

impl Application {
    fn new(architecture: Architecture) -> Application {
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

    /// Where the weights come from; from the beginning [`Weights::ImageNet`].
    pub fn weights(mut self, weights: Weights) -> Application {
        self.weights = weights;
        self
    }

    /// Leaves out what follows the last feature maps `[channels, height, width]`.
    pub fn without_top(mut self) -> Application {
        self.top = false;
        self
    }

    /// The shape of one image, `[3, height, width]`; from the beginning `[3, 224, 224]`, or what
    /// the file of weights speaks of. With random weights there may be another number of channels.
    pub fn input_shape(mut self, shape: impl Into<Vec<usize>>) -> Application {
        self.input_shape = Some(shape.into());
        self
    }

    /// How many classes the top tells apart; from the beginning ImageNet's 1,000.
    pub fn classes(mut self, classes: usize) -> Application {
        self.classes = classes;
        self
    }

    /// What happens to images before the first layer: `false` for nothing, or a
    /// [`Preprocessing`] of your own. From the beginning, what the weights were trained with.
    pub fn preprocessing(mut self, preprocessing: impl Into<Preprocessing>) -> Application {
        self.preprocessing = preprocessing.into();
        self
    }

    /// Where VGG16's weights are neither in the bundle nor in the cache nor to be had from the network,
    /// the [built-in base](built_in_base()) takes its place: [`build`](Application::build) says so on the
    /// page, and [`Model::source`] afterwards. For [`vgg16`] without its top alone.
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
    /// If the images are too small or have another number of channels than the weights; if there
    /// is no file of weights, or it cannot be fetched, is damaged, or is that of another network.
    /// With [`or_built_in`](Application::or_built_in) weights that cannot be had are no error.
    pub fn build(self, device: Device) -> Result<Model> {
        self.check_weights()?;
        // The names of the weights don't depend on the image's size, and the size may depend on
        // the file, so a draft is made first.
        let mut file = match &self.weights {
            Weights::Random | Weights::BuiltIn => None,
            Weights::File(path) => Some(weight_lookup::find_file(&self.repr(), path)?),
            Weights::ImageNet => {
                let names = self.published_names()?;
                match weight_lookup::find_imagenet_weights(
                    &self.repr(),
                    self.architecture.name,
                    &names,
                )? {
                    Lookup::Found(path) => Some(path),
                    Lookup::Missing(why) if self.or_built_in => {
                        return self.build_fallback(&why, device);
                    }
                    Lookup::Missing(why) => return Err(why),
                }
            }
        }
        .map(|path| Ok::<_, Error>((WeightFile::open(&path)?, path)))
        .transpose()?;
        let note = file.as_ref().and_then(|(open, _)| open.metadata("input"));
        let preprocessing = match self.preprocessing {
            Preprocessing::FromWeights => match &file {
                Some(_) => note.and_then(Preprocessing::from_note).unwrap_or(TORCHVISION),
                None => Preprocessing::None,
            },
            other => other,
        };
        let own = self.architecture.name == built_in_base::BUILT_IN_BASE.name;
        let usual = if own { built_in_base::INPUT_SIZE } else { 224 };
        let side = note.and_then(image_size_from_note).unwrap_or(usual);
        let (model, builder) = self.build_untrained([3, side, side], preprocessing, device)?;
        if let Some((open, path)) = &mut file {
            load_weights(&model, &builder, open, path)?;
            let trained = match self.weights {
                Weights::ImageNet => "trained on ImageNet by others and ",
                _ => "",
            };
            model.set_source(format!("The weights were {trained}read from {}.", path.display()));
        }
        if self.weights == Weights::BuiltIn {
            built_in_base::load_built_in_weights(&model);
            model.set_source(format!("This is the built-in base: {}", built_in_base::provenance()));
        }
        Ok(model)
    }

    /// What published files call the weights that the network needs.
    fn published_names(&self) -> Result<Vec<String>> {
        // Without their numbers: a network of symbols has none.
        let mut builder = NetworkBuilder::new(self.classes);
        let side = self.architecture.min_size.max(32);
        let input = Input::new("input", [3, side, side]);
        self.layers(&mut builder, input)?;
        Ok(builder.weight_names())
    }

    /// The network's own layers behind `x`, up to the scores.
    fn layers(&self, builder: &mut NetworkBuilder, x: Symbol) -> Result<Symbol> {
        let x = (self.architecture.features)(builder, x)?;
        if self.top { (self.architecture.top)(builder, x) } else { Ok(x) }
    }

    /// The network with fresh weights.
    fn build_untrained(
        &self,
        usual: [usize; 3],
        preprocessing: Preprocessing,
        device: Device,
    ) -> Result<(Model, NetworkBuilder)> {
        let shape = self.input_shape.clone().unwrap_or(usual.to_vec());
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
            return Err(Error::invalid(op, "images [channels, height, width]", "others", hint));
        };
        if channels != 3 && self.weights != Weights::Random {
            let hint = "Gray images can be given as three equal channels.";
            let got = format!("{channels} channels");
            return Err(Error::invalid(op, "3 channels, as the weights have", got, hint));
        }
        if height < smallest || width < smallest {
            let expected = format!("images of at least {smallest} by {smallest} pixels");
            let hint = format!("Resize::new({smallest}, {smallest}) makes small images larger.");
            return Err(Error::invalid(op, expected, format!("{height} by {width}"), hint));
        }
        if self.top && self.classes != IMAGENET_CLASSES && self.weights == Weights::ImageNet {
            let op = format!("{}.classes({})", self.repr(), self.classes);
            let hint = "Use without_top() and a top of your own, or weights(Weights::Random).";
            let expected = format!("the {IMAGENET_CLASSES} classes of ImageNet");
            return Err(Error::invalid(op, expected, self.classes.to_string(), hint));
        }
        Ok(())
    }
}

/// How many classes ImageNet has.
const IMAGENET_CLASSES: usize = 1000;

/// Reads all weights of the network from the file; tensors that it does not need are left alone.
fn load_weights(
    model: &Model,
    builder: &NetworkBuilder,
    open: &mut WeightFile,
    path: &Path,
) -> Result<()> {
    let weights = model.inner().program.weights();
    let shape = |tensor: &Tensor| tensor.size().iter().map(|&n| n as usize).collect::<Vec<_>>();
    let wanted = || weights.iter().map(|it| (builder.published_name(&it.name), it));
    // All of them are looked at before any is changed.
    for (theirs, weight) in wanted() {
        let (ours, shape) = (&weight.name, shape(&weight.tensor));
        let hint = format!("Are these the weights of {}?", model.name());
        match open.shape(&theirs) {
            Some(found) if without_trailing_ones(&found) == without_trailing_ones(&shape) => {}
            Some(found) => {
                let problem = format!("{theirs:?} has the shape {found:?}, needed is {shape:?}");
                return Err(Error::bad_file(path, problem, hint));
            }
            None => {
                let problem = format!("it holds no {theirs:?}, for the weight {ours:?}");
                return Err(Error::bad_file(path, problem, hint));
            }
        }
    }
    for (theirs, weight) in wanted() {
        let value = open.read(&theirs)?.f_view(weight.tensor.size().as_slice())?;
        no_grad(|| weight.tensor.shallow_clone().copy_(&value));
    }
    Ok(())
}

/// A shape without the ones at its end: a 1 × 1 convolution and a dense layer hold the same numbers.
fn without_trailing_ones(shape: &[usize]) -> &[usize] {
    let ones = shape.iter().rev().take_while(|&&n| n == 1).count();
    &shape[..shape.len() - ones]
}

#[cfg(test)]
mod tests;
