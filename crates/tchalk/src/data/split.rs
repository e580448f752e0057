//! Pictures of one kind in memory, as bytes.

use super::Picture;
use crate::error::{Error, Result};
use crate::runtime;
use ndarray::{ArcArray, Axis, Ix4};
use std::sync::Arc;

/// Pictures, their labels, and the names of the classes. Cloning shares the pictures.
#[derive(Clone)]
pub struct Split {
    images: ArcArray<u8, Ix4>,
    labels: Arc<Vec<usize>>,
    classes: Arc<Vec<String>>,
    name: String,
}

impl Split {
    /// A split of your own: pictures `u8 [n, height, width, channels]`, a label for each (or none at
    /// all), and the names of the classes.
    ///
    /// # Errors
    ///
    /// If the numbers of pictures and labels differ, or a label has no class.
    pub fn new(
        name: impl Into<String>,
        images: impl Into<ArcArray<u8, Ix4>>,
        labels: Vec<usize>,
        classes: Vec<String>,
    ) -> Result<Split> {
        let (name, images) = (name.into(), images.into());
        let n = images.len_of(Axis(0));
        if !labels.is_empty() && labels.len() != n {
            let got = format!("{} labels for {n} pictures", labels.len());
            return Err(Error::invalid(name, "a label for each picture, or none", got, ""));
        }
        if let Some(label) = labels.iter().find(|&&label| label >= classes.len()) {
            let expected = format!("labels below {}", classes.len());
            return Err(Error::invalid(name, expected, label.to_string(), ""));
        }
        Ok(Split { images, labels: Arc::new(labels), classes: Arc::new(classes), name })
    }

    /// The pictures, `u8 [n, height, width, channels]`. No pixels are copied.
    pub fn images(&self) -> ArcArray<u8, Ix4> {
        self.images.clone()
    }

    /// The labels; empty where they are not known, as in a competition's test file.
    pub fn labels(&self) -> Vec<usize> {
        self.labels.to_vec()
    }

    /// The names of the classes; a label is a place in this list.
    pub fn classes(&self) -> Vec<String> {
        self.classes.to_vec()
    }

    /// What it is called: `CIFAR-10 train`.
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// How many pictures.
    pub fn len(&self) -> usize {
        self.images.len_of(Axis(0))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One picture, with its label.
    ///
    /// # Panics
    ///
    /// If there is no picture of that number, like indexing a slice.
    pub fn image(&self, number: usize) -> Picture {
        assert!(
            number < self.len(),
            "image({number}): {} has {} pictures, numbered from 0",
            self.name,
            self.len()
        );
        let label = self.labels.get(number).copied();
        Picture {
            pixels: self.images.index_axis(Axis(0), number).to_shared(),
            label,
            class: label.map(|label| self.classes[label].clone()),
        }
    }

    /// The first `count` pictures, or all where there are fewer.
    pub fn take(&self, count: usize) -> Split {
        self.pick(&(0..count.min(self.len())).collect::<Vec<_>>())
    }

    /// `count` different pictures at random. Another call draws others.
    ///
    /// # Errors
    ///
    /// If there are fewer.
    pub fn sample(&self, count: usize) -> Result<Split> {
        if count > self.len() {
            let expected = format!("at most {} pictures of {}", self.len(), self.name);
            return Err(Error::invalid("Split::sample", expected, count.to_string(), ""));
        }
        let mut rng = runtime::seed::host_rng("sample");
        Ok(self.pick(&runtime::seed::choose(self.len(), count, &mut rng)))
    }

    /// The same pictures in a random order.
    pub fn shuffle(&self) -> Split {
        let mut rng = runtime::seed::host_rng("shuffle");
        self.pick(&runtime::seed::choose(self.len(), self.len(), &mut rng))
    }

    fn pick(&self, places: &[usize]) -> Split {
        let labels = if self.labels.is_empty() {
            Vec::new()
        } else {
            places.iter().map(|&place| self.labels[place]).collect()
        };
        Split {
            images: self.images.select(Axis(0), places).into(),
            labels: Arc::new(labels),
            classes: self.classes.clone(),
            name: self.name.clone(),
        }
    }
}

impl std::fmt::Debug for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (n, height, width, channels) = self.images.dim();
        let labels = if self.labels.is_empty() { "no labels" } else { "labelled" };
        write!(f, "{}: {n} pictures of {height} × {width} × {channels}, {labels}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array4;

    fn split(labels: Vec<usize>) -> Result<Split> {
        let images = Array4::from_shape_fn((4, 2, 2, 1), |(n, ..)| n as u8);
        Split::new("digits", images, labels, vec!["a".into(), "b".into()])
    }

    #[test]
    fn a_sample_keeps_pictures_and_labels_together() {
        let split = split(vec![0, 1, 0, 1]).unwrap();
        let sample = split.sample(3).unwrap();
        for (image, label) in sample.images().outer_iter().zip(sample.labels()) {
            assert_eq!(usize::from(image[[0, 0, 0]]) % 2, label);
        }
        assert!(split.sample(5).unwrap_err().to_string().contains("at most 4 pictures of digits"));
    }

    #[test]
    fn wrong_labels_are_refused_and_none_are_welcome() {
        assert!(split(vec![0, 1]).unwrap_err().to_string().contains("2 labels for 4 pictures"));
        assert!(split(vec![0, 1, 2, 0]).unwrap_err().to_string().contains("labels below 2"));
        let unlabelled = split(vec![]).unwrap();
        assert_eq!(unlabelled.image(3).label(), None);
        assert!(unlabelled.take(2).labels().is_empty());
    }

    #[test]
    #[should_panic(expected = "image(4): digits has 4 pictures, numbered from 0")]
    fn a_number_outside_is_told() {
        split(vec![]).unwrap().image(4);
    }
}
