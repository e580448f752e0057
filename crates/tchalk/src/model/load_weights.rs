//! Loads weights by name into an existing network.

use super::Model;
use super::file::TensorFile;
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::files::expand_home;
use crate::layers::shape_text;
use crate::table::Table;
use std::collections::HashSet;
use std::path::Path;
use tch::{Tensor, no_grad};

/// The result of [`Model::load_weights`]: which tensors were loaded, and which were not.
#[derive(Clone, Default, PartialEq)]
pub struct LoadReport {
    file: String,
    matched: Vec<String>,
    missing: Vec<String>,
    unexpected: Vec<String>,
    misshaped: Vec<(String, String, String)>,
}

impl LoadReport {
    /// The weights that were loaded from the file.
    pub fn matched(&self) -> Vec<String> {
        self.matched.clone()
    }

    /// The weights of the network that the file does not hold. They are unchanged.
    pub fn missing(&self) -> Vec<String> {
        self.missing.clone()
    }

    /// The tensors of the file that are no weight of the network.
    pub fn unexpected(&self) -> Vec<String> {
        self.unexpected.clone()
    }

    /// The weights that the file holds in another shape or kind. They are unchanged.
    pub fn misshaped(&self) -> Vec<String> {
        self.misshaped.iter().map(|(name, ..)| name.clone()).collect()
    }

    /// Whether every weight was loaded and every tensor used.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.misshaped.is_empty()
    }

    /// A row for each tensor that was not loaded, and the number of loaded ones.
    pub fn table(&self) -> Table {
        let missing = self.missing.iter().map(|name| {
            [name.clone(), "missing".into(), "in the network, not in the file: kept".into()]
        });
        let unexpected = self.unexpected.iter().map(|name| {
            [name.clone(), "unexpected".into(), "in the file, not in the network: left out".into()]
        });
        let misshaped = self.misshaped.iter().map(|(name, expected, got)| {
            [name.clone(), "another shape".into(), format!("expected {expected}, got {got}: kept")]
        });
        let filled = match self.matched.len() {
            1 => "1 weight".into(),
            n => format!("{n} weights"),
        };
        Table::new(["tensor", "state", "what it means"])
            .rows(misshaped.chain(missing).chain(unexpected))
            .footer(format!("{filled} filled from {}", self.file))
    }
}

impl std::fmt::Debug for LoadReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_complete() {
            write!(f, "all {} weights filled from {}", self.matched.len(), self.file)
        } else {
            write!(f, "{:?}", self.table())
        }
    }
}

impl Show for LoadReport {
    fn content(&self) -> Content {
        match self.is_complete() {
            true => Content::text(format!("{self:?}")),
            false => self.table().content(),
        }
    }
}

impl Model {
    /// Loads the weights by name from a safetensors file, and reports which tensors matched. Weights
    /// that the file does not hold, or holds in another shape, are unchanged. Numbers of 16 or 64 bits
    /// become `f32`.
    ///
    /// # Errors
    ///
    /// If there is no such file, it is damaged, or none of its tensors matches.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let layers = |units| Sequential::new().input_shape([4]).add(Dense::new(3)).add(Dense::new(units));
    /// let (ten, two) = (layers(10).build(Device::Cpu)?, layers(2).build(Device::Cpu)?);
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("weights.safetensors");
    /// ten.save_weights(&path)?;
    /// let report = two.load_weights(&path)?;
    /// assert_eq!(report.matched(), ["dense.weight", "dense.bias"]);
    /// assert_eq!(report.misshaped(), ["dense_1.weight", "dense_1.bias"]);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn load_weights(&self, path: impl AsRef<Path>) -> Result<LoadReport> {
        let path = expand_home(path);
        let mut file = TensorFile::open(&path)?;
        let weights = self.inner.program.weights().into_iter();
        let weights: Vec<_> = weights.map(|weight| (weight.name, weight.tensor)).collect();
        let (report, matched) = compare(&file, &weights);
        if matched.is_empty() && !weights.is_empty() {
            return Err(nothing_matches(&file, &weights[0].0));
        }
        // The whole file is read before any weight changes.
        let names = report.matched.iter();
        let read = names.map(|name| file.read(name)).collect::<Result<Vec<Tensor>>>()?;
        let _alone = self.inner.program.training();
        no_grad(|| {
            for (weight, value) in matched.iter().zip(&read) {
                weight.shallow_clone().copy_(value);
            }
        });
        Ok(report)
    }
}

/// Which of the weights the file has, and the tensors of those it has in the same shape.
fn compare<'a>(
    file: &TensorFile,
    weights: &'a [(String, Tensor)],
) -> (LoadReport, Vec<&'a Tensor>) {
    let mut report =
        LoadReport { file: file.path().display().to_string(), ..LoadReport::default() };
    let mut matched = Vec::new();
    for (name, weight) in weights {
        let size: Vec<usize> = weight.size().iter().map(|&n| n as usize).collect();
        match file.info(name) {
            None => report.missing.push(name.clone()),
            Some((shape, Some(_))) if shape == size => {
                report.matched.push(name.clone());
                matched.push(weight);
            }
            Some((shape, kind)) => {
                let kind =
                    kind.map_or(format!(" of kind {}", file.kind_name(name)), |_| String::new());
                let got = format!("{}{kind}", shape_text(&shape));
                report.misshaped.push((name.clone(), shape_text(&size), got));
            }
        }
    }
    let known: HashSet<&String> = weights.iter().map(|(name, _)| name).collect();
    report.unexpected = file.names().into_iter().filter(|name| !known.contains(name)).collect();
    (report, matched)
}

fn nothing_matches(file: &TensorFile, first_weight: &str) -> Error {
    let names = file.names();
    let first = names.first().map_or("none".into(), |name| format!("{name:?}"));
    let problem = format!(
        "none of its {} tensors has the name and the shape of a weight; the first is {first}, \
                 the network's first is {first_weight:?}",
        names.len(),
    );
    let hint = "weight_names() lists the names that the network expects.";
    Error::bad_file(file.path(), problem, hint)
}
