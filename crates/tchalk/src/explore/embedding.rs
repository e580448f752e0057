//! Points that stand for images: where PCA and t-SNE end.

use super::neighbors::nearest;
use super::observations::{Metadata, Observations, Rows};
use crate::data::TensorSet;
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::text::thousands;
use ndarray::{ArcArray2, Array2, Axis};
use std::sync::Arc;

/// Points, one for each example, with the labels and often the images that belong to them.
#[derive(Clone)]
pub struct Embedding {
    pub(super) points: ArcArray2<f32>,
    pub(super) metadata: Metadata,
    /// What made it: `PCA`, `t-SNE`.
    method: &'static str,
    /// What the axes are, where they mean something.
    pub(super) axes: Vec<String>,
    pub(super) note: String,
    divergence: Option<f64>,
}

impl Embedding {
    /// Points of your own, `[n, dimensions]`, with a label for each (or none at all) and the names
    /// of the classes.
    ///
    /// # Errors
    ///
    /// If the numbers of points and labels differ, or a label has no class.
    pub fn new(
        points: impl Into<ArcArray2<f32>>,
        labels: Vec<usize>,
        classes: Vec<String>,
    ) -> Result<Embedding> {
        const OP: &str = "Embedding::new";
        let points = points.into();
        if !labels.is_empty() && labels.len() != points.nrows() {
            let got = format!("{} labels for {} points", labels.len(), points.nrows());
            return Err(Error::invalid(OP, "a label for each point, or none", got, ""));
        }
        if let Some(label) = labels.iter().find(|&&label| label >= classes.len()) {
            let expected = format!("labels below {}", classes.len());
            return Err(Error::invalid(OP, expected, label.to_string(), ""));
        }
        let (labels, classes) = (Arc::new(labels), Arc::new(classes));
        Ok(Embedding::of(points, Metadata { labels, classes, ..Metadata::default() }))
    }

    pub(super) fn of(points: impl Into<ArcArray2<f32>>, metadata: Metadata) -> Embedding {
        let points = points.into();
        Embedding {
            points,
            metadata,
            method: "",
            axes: vec![],
            note: String::new(),
            divergence: None,
        }
    }

    /// Points that stand for the examples of a set.
    pub(crate) fn of_set(
        points: Array2<f32>,
        set: &TensorSet,
        name: String,
        note: String,
    ) -> Result<Embedding> {
        let metadata = Metadata { name, ..Metadata::of(set)? };
        Ok(Embedding::of(points, metadata).with_note(note))
    }

    pub(super) fn named(mut self, method: &'static str) -> Embedding {
        self.method = method;
        self
    }

    pub(super) fn with_axes(mut self, axes: Vec<String>) -> Embedding {
        self.axes = axes;
        self
    }

    pub(super) fn with_note(mut self, note: String) -> Embedding {
        self.note = note;
        self
    }

    pub(super) fn with_divergence(mut self, divergence: f64) -> Embedding {
        self.divergence = Some(divergence);
        self
    }

    /// The points, `f32 [n, dimensions]`.
    pub fn points(&self) -> Array2<f32> {
        self.points.to_owned()
    }

    /// The labels; empty where they are not known.
    pub fn labels(&self) -> Vec<usize> {
        self.metadata.labels.to_vec()
    }

    /// The names of the classes; a label is an index of this list.
    pub fn classes(&self) -> Vec<String> {
        self.metadata.classes.to_vec()
    }

    /// What it is: `CIFAR-10 train - t-SNE`.
    pub fn name(&self) -> String {
        let parts = [self.metadata.name.as_str(), self.method];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" - ")
    }

    /// How many points.
    pub fn len(&self) -> usize {
        self.points.nrows()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many numbers a point has.
    pub fn dimensions(&self) -> usize {
        self.points.ncols()
    }

    /// For a t-SNE map, how far it is from what it should show: the Kullback-Leibler divergence that
    /// t-SNE makes small. Comparable between maps of the same points at the same perplexity.
    pub fn divergence(&self) -> Option<f64> {
        self.divergence
    }

    /// The first `dimensions` of each point.
    pub fn first(&self, dimensions: usize) -> Embedding {
        let kept = dimensions.min(self.dimensions());
        let mut first = self.clone();
        first.points = self.points.slice_axis(Axis(1), (0..kept).into()).to_shared();
        first.axes.truncate(kept);
        first
    }

    /// How well the classes lie apart: of the `neighbors` nearest points of each point, the mean
    /// fraction that has the same label. 1 where each class keeps to itself; where all are mixed
    /// evenly, about one over the number of classes.
    ///
    /// # Errors
    ///
    /// If there are no labels, or not more points than `neighbors`.
    pub fn purity(&self, neighbors: usize) -> Result<f64> {
        let op = format!("Embedding::purity({neighbors})");
        let labels = &self.metadata.labels;
        if labels.is_empty() {
            return Err(Error::invalid(op, "points with labels", "points without", ""));
        }
        if neighbors == 0 || neighbors >= self.len() {
            let expected = format!("1 to {} neighbors", self.len().saturating_sub(1));
            return Err(Error::invalid(op, expected, neighbors.to_string(), "10 is usual."));
        }
        let found = nearest(&self.to_rows()?, neighbors, &op)?;
        let same =
            found.indices.chunks_exact(neighbors).zip(labels.iter()).map(|(row, &own)| {
                row.iter().filter(|&&index| labels[index as usize] == own).count()
            });
        Ok(same.sum::<usize>() as f64 / (self.len() * neighbors) as f64)
    }
}

impl std::fmt::Debug for Embedding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.name();
        let name = if name.is_empty() { "embedding" } else { &name };
        write!(f, "{name}: {} points in {} dimensions", thousands(self.len()), self.dimensions())?;
        if let Some(divergence) = self.divergence {
            write!(f, ", Kullback-Leibler divergence {divergence:.3}")?;
        }
        if !self.note.is_empty() {
            write!(f, "; {}", self.note)?;
        }
        Ok(())
    }
}

impl Observations for Embedding {
    fn to_rows(&self) -> Result<Rows> {
        let mut rows = self.points().to_rows()?;
        rows.metadata = self.metadata.clone();
        // A point is no image, even where it stands for one.
        rows.metadata.shape = None;
        Ok(rows)
    }
}

impl Show for Embedding {
    fn content(&self) -> Content {
        Content::text(format!("{self:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn pairs() -> Embedding {
        let points = array![[0.0f32, 0.0], [0.1, 0.0], [5.0, 5.0], [5.1, 5.0]];
        Embedding::new(points, vec![0, 0, 1, 0], vec!["a".into(), "b".into()]).unwrap()
    }

    #[test]
    fn purity_counts_neighbors_of_the_same_class() {
        // 0 and 1 have each other; 2 and 3 have each other, but are of two classes.
        assert_eq!(pairs().purity(1).unwrap(), 0.5);
        assert!(pairs().purity(4).unwrap_err().to_string().contains("1 to 3 neighbors"));
        let unlabeled = Embedding::new(array![[0.0f32], [1.0]], vec![], vec![]).unwrap();
        assert!(unlabeled.purity(1).unwrap_err().to_string().contains("without"));
    }

    #[test]
    fn labels_must_fit() {
        let refused = |labels| Embedding::new(array![[0.0f32], [1.0]], labels, vec!["a".into()]);
        assert!(refused(vec![0]).unwrap_err().to_string().contains("1 labels for 2 points"));
        assert!(refused(vec![0, 1]).unwrap_err().to_string().contains("labels below 1"));
    }

    #[test]
    fn the_first_dimensions_keep_everything_else() {
        let first = pairs().first(1);
        assert_eq!((first.dimensions(), first.labels()), (1, vec![0, 0, 1, 0]));
        assert_eq!(format!("{first:?}"), "embedding: 4 points in 1 dimensions");
    }
}
