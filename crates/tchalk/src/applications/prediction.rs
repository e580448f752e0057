//! The prediction for one photo.

use super::weights::{IMAGENET_CLASSES, published};
use crate::data::image_decoder::{AspectRatio, decode};
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::fetch::bundle::Bundle;
use crate::files::expand_home;
use crate::model::Model;
use crate::table::Table;
use std::collections::HashMap;
use std::path::Path;
use tch::{Kind, Tensor};

/// The prediction for one photo: a probability for each class.
#[derive(Clone, PartialEq)]
pub struct Prediction {
    probabilities: Vec<f32>,
    /// A name for each class; empty if they are unknown.
    class_names: Vec<String>,
}

impl Prediction {
    /// The index of the most probable class.
    pub fn class_index(&self) -> usize {
        self.ranking()[0]
    }

    /// The name of the most probable class, or `class` and its index if the names are unknown.
    pub fn class_name(&self) -> String {
        self.name(self.class_index())
    }

    /// The probabilities of all classes; they sum to 1.
    pub fn probabilities(&self) -> Vec<f32> {
        self.probabilities.clone()
    }

    /// The `count` most probable classes, the most probable first: index, name, probability.
    pub fn top_classes(&self, count: usize) -> Vec<(usize, String, f32)> {
        let shown = self.ranking().into_iter().take(count);
        shown.map(|class| (class, self.name(class), self.probabilities[class])).collect()
    }

    /// The `count` most probable classes as a table.
    pub fn top(&self, count: usize) -> Table {
        let rows = self.top_classes(count).into_iter().map(|(class, name, probability)| {
            [class.to_string(), name, format!("{:.1} %", 100.0 * probability)]
        });
        let table = Table::new(["class", "name", "probability"]).rows(rows);
        table.align_right(0).align_right(2)
    }

    fn name(&self, class: usize) -> String {
        self.class_names.get(class).cloned().unwrap_or_else(|| format!("class {class}"))
    }

    /// The classes, the most probable first; equally probable ones in their order.
    fn ranking(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.probabilities.len()).collect();
        order.sort_by(|&a, &b| self.probabilities[b].total_cmp(&self.probabilities[a]));
        order
    }
}

impl std::fmt::Debug for Prediction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let class = self.class_index();
        write!(f, "{}, {:.1} %", self.name(class), 100.0 * self.probabilities[class])
    }
}

impl Show for Prediction {
    fn content(&self) -> Content {
        self.top(5).content()
    }
}

impl Model {
    /// The prediction for the photo in a JPEG or PNG file.
    ///
    /// As usual for ImageNet, the photo is resized to 256/224 of the network's input size, and its center is
    /// cropped. The values are from 0 to 1; further preprocessing belongs to the network.
    ///
    /// # Errors
    ///
    /// If the file is not an image, or the network is not a classifier of images with 1 or 3 channels that
    /// ends in Softmax.
    pub fn predict_file(&self, path: impl AsRef<Path>) -> Result<Prediction> {
        let path = &expand_home(path);
        let op = format!("Model::predict_file({:?})", path.display());
        let (input, output) = (self.input_shape(), self.output_shape());
        let (&[channels @ (1 | 3), height, width], &[classes]) = (&input[..], &output[..]) else {
            let got = format!("one from {input:?} to {output:?}");
            let expected = "a network from images [3, height, width] to classes";
            return Err(Error::invalid(op, expected, got, "Build it with its top."));
        };
        if !self.inner().ends_in_softmax() {
            let hint = "Add Softmax as the last layer.";
            return Err(Error::invalid(
                op,
                "a network that predicts probabilities",
                "logits",
                hint,
            ));
        }
        let io = |error| Error::io(path, error, "Check the path.");
        let bytes = std::fs::read(path).map_err(io)?;
        let around = |side: usize| (side * 256).div_ceil(224);
        let size = [around(height), around(width)];
        let pixels = decode(&bytes, size, AspectRatio::Crop, path)?;
        let sizes = [size[0] as i64, size[1] as i64, 3];
        let image = Tensor::f_from_data_size(&pixels, &sizes, Kind::Uint8)?;
        let middle = |whole: usize, part: usize| ((whole - part) / 2) as i64;
        let x = image
            .narrow(0, middle(size[0], height), height as i64)
            .narrow(1, middle(size[1], width), width as i64)
            .permute([2, 0, 1])
            .unsqueeze(0)
            .to_kind(Kind::Float)
            / 255.0;
        let x = if channels == 1 { to_gray(&x) } else { x };
        let y = self.call(&x)?.to_device(tch::Device::Cpu).to_kind(Kind::Float);
        let probabilities = Vec::<f32>::try_from(y.contiguous().view(-1))?;
        Ok(Prediction { probabilities, class_names: class_names(&self.name(), classes)? })
    }
}

/// The luma of ITU-R BT.601.
fn to_gray(x: &Tensor) -> Tensor {
    let parts = Tensor::from_slice(&[0.299f32, 0.587, 0.114]).view([1, 3, 1, 1]);
    (x * parts).sum_dim_intlist(1i64, true, Kind::Float)
}

/// ImageNet's class names for a network that was trained on it, if the bundle has them.
fn class_names(network: &str, classes: usize) -> Result<Vec<String>> {
    if published(network).is_none() || classes != IMAGENET_CLASSES {
        return Ok(Vec::new());
    }
    const FILE: &str = "weights/imagenet_class_index.json";
    let Some(bundle) = Bundle::from_env()? else { return Ok(Vec::new()) };
    let Some(found) = bundle.read(&[FILE])? else { return Ok(Vec::new()) };
    // {"0": ["n01440764", "tench"], …}
    let listed: HashMap<String, (String, String)> =
        serde_json::from_slice(&found.bytes).map_err(|error| {
            Error::bad_file(&found.path, format!("it has no class names: {error}"), "")
        })?;
    let name =
        |class: usize| listed.get(&class.to_string()).map(|(_, name)| name.replace('_', " "));
    let names: Option<Vec<String>> = (0..classes).map(name).collect();
    names.ok_or_else(|| Error::bad_file(&found.path, "some classes have no name", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_probable_classes_come_first() {
        let prediction = Prediction {
            probabilities: vec![0.125, 0.5, 0.25, 0.125],
            class_names: ["a", "b", "c", "d"].map(String::from).to_vec(),
        };
        assert_eq!((prediction.class_index(), prediction.class_name()), (1, "b".into()));
        let top = prediction.top_classes(3);
        assert_eq!(top.iter().map(|(class, ..)| *class).collect::<Vec<_>>(), [1, 2, 0]);
        assert_eq!(format!("{prediction:?}"), "b, 50.0 %");
        assert!(format!("{:?}", prediction.top(2)).contains("25.0 %"));
        let nameless = Prediction { class_names: Vec::new(), ..prediction };
        assert_eq!(nameless.class_name(), "class 1");
    }
}
