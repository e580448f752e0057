//! Images in memory, as bytes.

use super::Image;
use crate::error::{Error, Result};
use crate::runtime;
use ndarray::{ArcArray, Array2, Axis, Ix4};
use std::sync::Arc;

/// Images, their labels, and the names of the classes. Cloning shares the images.
#[derive(Clone)]
pub struct Split {
    images: ArcArray<u8, Ix4>,
    labels: Arc<Vec<usize>>,
    class_names: Arc<Vec<String>>,
    name: String,
}

impl Split {
    /// A split of your own: images `u8 [n, height, width, channels]`, a label for each (or none at
    /// all), and the names of the classes.
    ///
    /// # Errors
    ///
    /// If the numbers of images and labels differ, or a label has no class.
    pub fn new(
        name: impl Into<String>,
        images: impl Into<ArcArray<u8, Ix4>>,
        labels: Vec<usize>,
        classes: Vec<String>,
    ) -> Result<Split> {
        let (name, images) = (name.into(), images.into());
        let n = images.len_of(Axis(0));
        if !labels.is_empty() && labels.len() != n {
            let got = format!("{} labels for {n} images", labels.len());
            return Err(Error::invalid(name, "a label for each image, or none", got, ""));
        }
        if let Some(label) = labels.iter().find(|&&label| label >= classes.len()) {
            let expected = format!("labels below {}", classes.len());
            return Err(Error::invalid(name, expected, label.to_string(), ""));
        }
        Ok(Split { images, labels: Arc::new(labels), class_names: Arc::new(classes), name })
    }

    /// The images, `u8 [n, height, width, channels]`. No pixels are copied.
    pub fn images(&self) -> ArcArray<u8, Ix4> {
        self.images.clone()
    }

    /// The labels; empty where they are not known, as in a competition's test file.
    pub fn labels(&self) -> Vec<usize> {
        self.labels.to_vec()
    }

    /// The names of the classes; a label is an index into this list.
    pub fn class_names(&self) -> Vec<String> {
        self.class_names.to_vec()
    }

    /// The name, such as `CIFAR-10 train`.
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.images.len_of(Axis(0))
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One image, with its label.
    ///
    /// # Panics
    ///
    /// If there is no image of that number.
    pub fn image(&self, number: usize) -> Image {
        assert!(
            number < self.len(),
            "image({number}): {} has {} images, numbered from 0",
            self.name,
            self.len()
        );
        let label = self.labels.get(number).copied();
        Image {
            pixels: self.images.index_axis(Axis(0), number).to_shared(),
            label,
            class_name: label.map(|label| self.class_names[label].clone()),
        }
    }

    /// The first `count` images, or all where there are fewer.
    pub fn take(&self, count: usize) -> Split {
        self.select(&(0..count.min(self.len())).collect::<Vec<_>>())
    }

    /// `count` different random images. Each call draws others.
    ///
    /// # Errors
    ///
    /// If there are fewer.
    pub fn sample(&self, count: usize) -> Result<Split> {
        if count > self.len() {
            let expected = format!("at most {} images of {}", self.len(), self.name);
            return Err(Error::invalid("Split::sample", expected, count.to_string(), ""));
        }
        let mut rng = runtime::seed::rng("sample");
        Ok(self.select(&runtime::seed::choose(self.len(), count, &mut rng)))
    }

    /// The same images in random order.
    pub fn shuffle(&self) -> Split {
        let mut rng = runtime::seed::rng("shuffle");
        self.select(&runtime::seed::choose(self.len(), self.len(), &mut rng))
    }

    /// Two random parts. The second one holds `fraction` of the images, as a validation set. Both parts
    /// have the classes in the same proportions (a stratified split).
    ///
    /// # Errors
    ///
    /// If `fraction` is not between 0 and 1, or leaves one part without images.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let (train, validation) = datasets::shapes()?.train.split(0.1)?;
    /// assert_eq!((train.len(), validation.len()), (4_500, 500));
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn split(&self, fraction: f64) -> Result<(Split, Split)> {
        let mut rng = runtime::seed::rng("split");
        let order = runtime::seed::choose(self.len(), self.len(), &mut rng);
        // Without labels all images are of one class.
        let mut groups = vec![Vec::new(); self.class_names.len().max(1)];
        for &index in &order {
            groups[self.labels.get(index).copied().unwrap_or(0)].push(index);
        }
        let mut held = vec![false; self.len()];
        // Rounding errors are carried over to the next class, so that the total is right.
        let (mut due, mut done) = (0.0, 0);
        for group in &groups {
            due += fraction * group.len() as f64;
            let count = (due.round() as usize).saturating_sub(done).min(group.len());
            done += count;
            group[..count].iter().for_each(|&index| held[index] = true);
        }
        if !(fraction > 0.0 && fraction < 1.0) || done == 0 || done == self.len() {
            let expected = format!("a fraction of {} images that leaves some for both", self.len());
            let hint = "0.1 holds out every tenth image.";
            return Err(Error::invalid("Split::split", expected, fraction.to_string(), hint));
        }
        let part = |wanted: bool, name: &str| {
            let indices: Vec<usize> =
                order.iter().copied().filter(|&index| held[index] == wanted).collect();
            let part = self.select(&indices);
            Split { name: format!("{}{name}", self.name), ..part }
        };
        Ok((part(false, ""), part(true, " held out")))
    }

    /// Only the images of these classes. Their labels become indices into `names`.
    ///
    /// # Errors
    ///
    /// If there is no such class, one is named twice, or there are no labels.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let pair = datasets::shapes()?.test.filter_classes(&["star", "heart"])?;
    /// assert_eq!((pair.len(), pair.class_names()), (200, vec!["star".into(), "heart".into()]));
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn filter_classes(&self, names: &[&str]) -> Result<Split> {
        let op = "Split::filter_classes";
        if self.labels.is_empty() && !self.is_empty() {
            return Err(Error::invalid(op, "images with labels", "none have any", ""));
        }
        let mut new_label = vec![None; self.class_names.len()];
        for (label, name) in names.iter().enumerate() {
            let index = self.class_names.iter().position(|class| class == name);
            match index.map(|index| &mut new_label[index]) {
                Some(slot @ None) => *slot = Some(label),
                _ => {
                    let expected =
                        format!("names out of {}, each once", self.class_names.join(", "));
                    return Err(Error::invalid(op, expected, format!("{name:?}"), ""));
                }
            }
        }
        let kept: Vec<usize> =
            (0..self.len()).filter(|&index| new_label[self.labels[index]].is_some()).collect();
        let labels = kept.iter().filter_map(|&index| new_label[self.labels[index]]).collect();
        Ok(Split {
            labels: Arc::new(labels),
            class_names: Arc::new(names.iter().map(|&name| name.to_owned()).collect()),
            ..self.select(&kept)
        })
    }

    /// The images of both, these first.
    ///
    /// # Errors
    ///
    /// If images or classes differ in kind, or only one of the two has labels.
    pub fn concatenate(&self, other: &Split) -> Result<Split> {
        let kind = |split: &Split| {
            let shape = split.images.shape()[1..].to_vec();
            let labeled = !split.labels.is_empty() || split.is_empty();
            (shape, split.class_names.clone(), labeled)
        };
        let (own, others) = (kind(self), kind(other));
        if own != others {
            let text = |(shape, classes, labeled): (Vec<usize>, Arc<Vec<String>>, bool)| {
                let labels = if labeled { "with labels" } else { "without labels" };
                format!("images {shape:?} {labels}, classes {}", classes.join(", "))
            };
            return Err(Error::invalid("Split::concatenate", text(own), text(others), ""));
        }
        let images = ndarray::concatenate(Axis(0), &[self.images.view(), other.images.view()])
            .expect("both have images of the same shape");
        Ok(Split {
            images: images.into(),
            labels: Arc::new([&self.labels[..], &other.labels[..]].concat()),
            ..self.clone()
        })
    }

    /// The labels as one-hot rows `f32 [n, classes]`, or no rows if there are no labels. [`Split::from_one_hot`] turns them back.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let one_hot = datasets::shapes()?.test.take(3).one_hot();
    /// assert_eq!(one_hot.shape(), [3, 10]);
    /// assert_eq!(one_hot.sum(), 3.0);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn one_hot(&self) -> Array2<f32> {
        let mut rows = Array2::zeros((self.labels.len(), self.class_names.len()));
        self.labels.iter().enumerate().for_each(|(row, &label)| rows[[row, label]] = 1.0);
        rows
    }

    /// A split whose labels come as rows `f32 [n, classes]`: each image is of the class with the
    /// largest number in its row, so rows of probabilities will do.
    ///
    /// # Errors
    ///
    /// As for [`Split::new`]; also if there are not as many columns as classes, or a number is NaN.
    pub fn from_one_hot(
        name: impl Into<String>,
        images: impl Into<ArcArray<u8, Ix4>>,
        one_hot: &Array2<f32>,
        classes: Vec<String>,
    ) -> Result<Split> {
        let (name, columns) = (name.into(), one_hot.len_of(Axis(1)));
        if columns != classes.len() || columns == 0 {
            let expected = format!("a column for each of {} classes", classes.len());
            return Err(Error::invalid(name, expected, format!("{columns} columns"), ""));
        }
        let mut labels = Vec::with_capacity(one_hot.len_of(Axis(0)));
        for (number, row) in one_hot.outer_iter().enumerate() {
            let mut best = 0;
            for (column, &value) in row.iter().enumerate() {
                if value.is_nan() {
                    let got = format!("NaN in row {number}");
                    return Err(Error::invalid(name, "numbers in every row", got, ""));
                }
                if value > row[best] {
                    best = column;
                }
            }
            labels.push(best);
        }
        Split::new(name, images, labels, classes)
    }

    /// The images with these indices, in this order.
    pub(crate) fn select(&self, indices: &[usize]) -> Split {
        let labels = if self.labels.is_empty() {
            Vec::new()
        } else {
            indices.iter().map(|&index| self.labels[index]).collect()
        };
        Split {
            images: self.images.select(Axis(0), indices).into(),
            labels: Arc::new(labels),
            class_names: self.class_names.clone(),
            name: self.name.clone(),
        }
    }
}

impl std::fmt::Debug for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (n, height, width, channels) = self.images.dim();
        let labels = if self.labels.is_empty() { "no labels" } else { "labeled" };
        write!(f, "{}: {n} images of {height} × {width} × {channels}, {labels}", self.name)
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
    fn a_sample_keeps_images_and_labels_together() {
        let split = split(vec![0, 1, 0, 1]).unwrap();
        let sample = split.sample(3).unwrap();
        for (image, label) in sample.images().outer_iter().zip(sample.labels()) {
            assert_eq!(usize::from(image[[0, 0, 0]]) % 2, label);
        }
        assert!(split.sample(5).unwrap_err().to_string().contains("at most 4 images of digits"));
    }

    #[test]
    fn wrong_labels_are_refused_and_none_are_welcome() {
        assert!(split(vec![0, 1]).unwrap_err().to_string().contains("2 labels for 4 images"));
        assert!(split(vec![0, 1, 2, 0]).unwrap_err().to_string().contains("labels below 2"));
        let unlabeled = split(vec![]).unwrap();
        assert_eq!(unlabeled.image(3).label(), None);
        assert!(unlabeled.take(2).labels().is_empty());
    }

    /// Ten of the first class, thirty of the second, each image with a number of its own.
    fn uneven() -> Split {
        let images = Array4::from_shape_fn((40, 1, 1, 1), |(n, ..)| n as u8);
        let labels = (0..40).map(|n| usize::from(n >= 10)).collect();
        Split::new("uneven", images, labels, vec!["few".into(), "many".into()]).unwrap()
    }

    fn numbers(split: &Split) -> Vec<u8> {
        split.images().iter().copied().collect()
    }

    #[test]
    fn a_split_is_stratified_and_loses_nothing() {
        let (rest, held) = uneven().split(0.3).unwrap();
        let count = |split: &Split, class| split.labels().iter().filter(|&&it| it == class).count();
        assert_eq!((count(&held, 0), count(&held, 1)), (3, 9));
        assert_eq!((count(&rest, 0), count(&rest, 1)), (7, 21));
        let mut all = [numbers(&rest), numbers(&held)].concat();
        assert!(!all.is_sorted(), "both are mixed");
        all.sort();
        assert_eq!(all, (0..40).collect::<Vec<u8>>());
        for (image, label) in held.images().outer_iter().zip(held.labels()) {
            assert_eq!(usize::from(image[[0, 0, 0]] >= 10), label);
        }
        let (rest, held) = split(vec![]).unwrap().split(0.5).unwrap();
        assert_eq!((rest.len(), held.len(), held.labels()), (2, 2, vec![]));
        for fraction in [0.0, 1.0, -1.0, 0.01, f64::NAN, f64::INFINITY] {
            let error = uneven().split(fraction).unwrap_err().to_string();
            assert!(error.contains("leaves some for both"), "{error}");
        }
    }

    #[test]
    fn kept_classes_get_new_numbers() {
        let few = uneven().filter_classes(&["many"]).unwrap();
        assert_eq!(
            (few.len(), few.labels()[0], few.class_names()),
            (30, 0, vec!["many".to_owned()])
        );
        let turned = uneven().filter_classes(&["many", "few"]).unwrap();
        assert_eq!((turned.len(), turned.labels()[0], turned.labels()[39]), (40, 1, 0));
        let refuse = |names: &[&str]| uneven().filter_classes(names).unwrap_err().to_string();
        assert!(refuse(&["lots"]).contains("names out of few, many, each once, got \"lots\""));
        assert!(refuse(&["few", "few"]).contains("each once"));
        assert!(split(vec![]).unwrap().filter_classes(&["a"]).is_err());
    }

    #[test]
    fn what_is_put_together_is_of_one_kind() {
        let (a, b) = (uneven().take(3), uneven().filter_classes(&["many"]).unwrap());
        let both = uneven().concatenate(&a).unwrap();
        assert_eq!((both.len(), numbers(&both)[42], both.labels()[42]), (43, 2, 0));
        let error = a.concatenate(&b).unwrap_err().to_string();
        assert!(error.contains("classes few, many, got images [1, 1, 1]"), "{error}");
        let unlabeled = Split::new("x", a.images(), vec![], a.class_names()).unwrap();
        assert!(a.concatenate(&unlabeled).is_err());
        assert_eq!(unlabeled.concatenate(&unlabeled).unwrap().len(), 6);
    }

    #[test]
    fn one_hot_rows_go_there_and_back() {
        let rows = uneven().one_hot();
        assert_eq!((rows[[9, 0]], rows[[9, 1]], rows[[10, 1]]), (1.0, 0.0, 1.0));
        let back =
            Split::from_one_hot("back", uneven().images(), &rows, uneven().class_names()).unwrap();
        assert_eq!(back.labels(), uneven().labels());
        assert_eq!(split(vec![]).unwrap().one_hot().shape(), [0, 2]);
        let refuse = |rows: &Array2<f32>| {
            let split =
                Split::from_one_hot("back", uneven().images(), rows, uneven().class_names());
            split.unwrap_err().to_string()
        };
        assert!(refuse(&Array2::zeros((40, 3))).contains("3 columns"));
        assert!(refuse(&Array2::from_elem((40, 2), f32::NAN)).contains("NaN in row 0"));
        assert!(refuse(&Array2::zeros((2, 2))).contains("2 labels for 40 images"));
    }

    #[test]
    #[should_panic(expected = "image(4): digits has 4 images, numbered from 0")]
    fn a_number_outside_is_told() {
        split(vec![]).unwrap().image(4);
    }
}
