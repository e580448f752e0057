//! The base that comes with the library: small, of VGG16's form, trained by this project.

use super::architecture::{Architecture, NetworkBuilder};
use super::{Application, Weights, built_in_base, vgg16, weights};
use crate::display::{Notice, Show};
use crate::error::{Error, Result};
use crate::layers::{Conv2d, MaxPool2d, Padding, Relu};
use crate::model::{Model, Symbol};
use crate::text::thousands;
use safetensors::SafeTensors;
use tch::{Device, Kind, Tensor, no_grad};

/// Five blocks of two convolutions and a pooling, with VGG16's names; there is no top.
pub(super) const BUILT_IN_BASE: Architecture =
    Architecture { name: "built_in_base", min_size: 32, features, top: |_, x| Ok(x) };

/// The side of the images that it was trained on.
pub(super) const INPUT_SIZE: usize = 32;

/// The filters of the convolutions in each block.
const BLOCKS: [usize; 5] = [32, 64, 96, 128, 160];

/// What `cargo xtask train-base` has made: the weights in half precision, the evidence in the header.
static FILE: &[u8] = include_bytes!("built_in_base.safetensors");

fn features(net: &mut NetworkBuilder, mut x: Symbol) -> Result<Symbol> {
    for (block, filters) in (1..).zip(BLOCKS) {
        for i in 1..=2 {
            let layer = Conv2d::new(filters, 3).padding(Padding::Same).activation(Relu);
            let layer = layer.kernel_initializer(net.initializer());
            x = net.layer(&format!("block{block}_conv{i}"), layer, &x)?;
        }
        x = net.layer(&format!("block{block}_pool"), MaxPool2d::new(2), &x)?;
    }
    Ok(x)
}

/// Fills the network with the weights of the crate's own file.
pub(super) fn load_built_in_weights(model: &Model) {
    let file = SafeTensors::deserialize(FILE).expect("the crate's own file is whole");
    for weight in model.inner().program.weights() {
        let value = file.tensor(&weight.name).expect("the crate's own file holds every weight");
        let shape: Vec<i64> = value.shape().iter().map(|&n| n as i64).collect();
        let value = Tensor::from_data_size(value.data(), &shape, Kind::Half);
        no_grad(|| weight.tensor.shallow_clone().copy_(&value));
    }
}

/// What was noted under this word when the base was trained.
fn file_metadata(word: &str) -> String {
    let (_, header) = SafeTensors::read_metadata(FILE).expect("the crate's own file is whole");
    let notes = header.metadata().as_ref().and_then(|notes| notes.get(word).cloned());
    notes.unwrap_or_else(|| panic!("the crate's own file notes {word:?}"))
}

/// On what it was trained, how well, and what follows from that.
pub(super) fn provenance() -> String {
    let file = SafeTensors::deserialize(FILE).expect("the crate's own file is whole");
    let count: usize =
        file.iter().map(|(_, weight)| weight.shape().iter().product::<usize>()).sum();
    let accuracy: f64 = file_metadata("test accuracy").parse().expect("the accuracy is a number");
    format!(
        "a small network of VGG16's form with {} parameters, which this project trained on {}. A \
         classifier trained with it was right about {:.1} % of {}. It has seen the labels of CIFAR-10's \
         training images: what is reached with it on CIFAR-10 is no transfer from other images.",
        thousands(count),
        file_metadata("trained on"),
        100.0 * accuracy,
        file_metadata("tested on"),
    )
}

impl Application {
    /// Refuses weights that the network cannot have, and a base in place of what it does not resemble.
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
            Weights::ImageNet if weights::published(name).is_none() => {
                let hint = "Leave weights(…) out: it comes with its own.";
                return refused("Weights::BuiltIn, Random or a file", "Weights::ImageNet", hint);
            }
            _ => {}
        }
        if !self.or_built_in {
            return Ok(());
        }
        let op = format!("{op}.or_built_in()");
        let refused = |expected: &str, got: &str| {
            let hint = "The built-in base stands in for vgg16().without_top() alone.";
            Err(Error::invalid(op.clone(), expected, got, hint))
        };
        if name != vgg16::VGG16.name {
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

    /// The built-in base in place of this network, which is said on the page.
    pub(super) fn build_fallback(self, why: &Error, device: Device) -> Result<Model> {
        let why = why.short_message();
        let base = Application {
            input_shape: self.input_shape.or(Some(vec![3, 224, 224])),
            preprocessing: self.preprocessing,
            ..built_in_base()
        };
        let source = format!(
            "This is the built-in base, not VGG16, because VGG16's weights could not be had ({why}). It \
             is {}",
            provenance()
        );
        let model = base.build(device)?;
        model.set_source(source.clone());
        Notice(source).show();
        Ok(model)
    }
}
