//! Two networks on the same images: where they differ.

use super::labels_of;
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::plot::{Caption, Figure, image_grid};
use crate::runtime;
use crate::table::Table;
use crate::text::thousands;
use crate::train::{McNemar, Predictions};

/// Two networks on the same images.
#[derive(Clone)]
pub struct Comparison {
    first: Predictions,
    second: Predictions,
    names: [String; 2],
    truth: Vec<usize>,
    paired: McNemar,
}

impl Predictions {
    /// These answers and another network's, for the same images.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let test = datasets::shapes()?.test.take(20).to_tensors(Device::Cpu);
    /// let always = |class| ndarray::Array2::from_shape_fn((20, 10), |(_, c)| {
    ///     if c == class { 1.0 } else { 0.0 }
    /// });
    /// let (a, b) = (Predictions::from_probabilities(always(0), &test)?, Predictions::from_probabilities(always(1), &test)?);
    /// let comparison = a.compare(&b)?.names("circles", "rings");
    /// assert_eq!(comparison.differing(), 20);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there are no images or no labels, or the images are not the same.
    pub fn compare(&self, other: &Predictions) -> Result<Comparison> {
        const OP: &str = "Predictions::compare";
        let truth = labels_of(OP, self)?;
        if self.set_name() != other.set_name() || truth != other.require_labels(OP)? {
            let told = |predictions: &Predictions| {
                format!("{} of {}", thousands(predictions.len()), predictions.set_name())
            };
            return Err(Error::invalid(
                OP,
                format!("predictions for the same images, {}", told(self)),
                told(other),
                "Let both networks predict the same set.",
            ));
        }
        let names = ["the first".to_owned(), "the second".to_owned()];
        let right = |predictions: &Predictions| -> Vec<bool> {
            predictions.classes().iter().zip(&truth).map(|(said, truth)| said == truth).collect()
        };
        let paired = McNemar::from_correct(&right(self), &right(other));
        Ok(Comparison { first: self.clone(), second: other.clone(), names, truth, paired })
    }
}

impl Comparison {
    /// What the two are called.
    pub fn names(mut self, first: impl Into<String>, second: impl Into<String>) -> Comparison {
        self.names = [first.into(), second.into()];
        self
    }

    /// How many images both got right.
    pub fn both_right(&self) -> usize {
        self.paired.both_correct
    }

    /// How many images neither got right.
    pub fn both_wrong(&self) -> usize {
        self.paired.neither_correct()
    }

    /// How many images only the first got right.
    pub fn only_first(&self) -> usize {
        self.paired.only_first
    }

    /// How many images only the second got right.
    pub fn only_second(&self) -> usize {
        self.paired.only_second
    }

    /// How many images they say different things about.
    pub fn differing(&self) -> usize {
        self.places().len()
    }

    /// How likely so unequal a result is between networks that are equally good, by McNemar's exact
    /// test (two-sided): of the images that only one got right, each belongs to either of them
    /// with the same probability. Below 0.05 the difference is hardly chance.
    pub fn p_value(&self) -> f64 {
        self.paired.p_value()
    }

    fn places(&self) -> Vec<usize> {
        let (a, b) = (self.first.classes(), self.second.classes());
        (0..a.len()).filter(|&i| a[i] != b[i]).collect()
    }

    /// Random images that they say different things about: what it is, then both answers. Another
    /// call shows others.
    ///
    /// # Errors
    ///
    /// If they never differ, there are no rows or columns, or the inputs are no images.
    pub fn image_grid(&self, rows: usize, columns: usize) -> Result<Figure> {
        let mut places = self.places();
        if places.is_empty() {
            let got = "two that always say the same";
            let expected = "networks that differ";
            return Err(Error::invalid("Comparison::image_grid", expected, got, ""));
        }
        runtime::seed::shuffle(&mut places, &mut runtime::seed::host_rng("comparison"));
        places.truncate(rows * columns);
        let (a, b) = (self.first.classes(), self.second.classes());
        let names = self.first.class_names();
        let mark = |said: usize, truth: usize| if said == truth { "✔" } else { "✘" };
        let captions: Vec<Caption> = places
            .iter()
            .map(|&i| {
                let truth = self.truth[i];
                let answer = |said: usize| format!("{}\u{a0}{}", mark(said, truth), names[said]);
                Caption::new(format!("{}:\n{}\n{}", names[truth], answer(a[i]), answer(b[i])))
            })
            .collect();
        let figure = image_grid(&self.first.images(&places)?, &captions, columns)?;
        let [first, second] = &self.names;
        let differing = thousands(self.differing());
        let title = format!("{differing} images on which they differ: {first}, then {second}");
        Ok(figure.title(title))
    }

    /// The counts as a table.
    pub fn table(&self) -> Table {
        let [first, second] = &self.names;
        let n = self.truth.len();
        let row = |what: String, count: usize| {
            let part = format!("{:.2} %", 100.0 * count as f64 / n as f64);
            [what, thousands(count), part]
        };
        Table::new(["", "images", "of all"])
            .rows([
                row(format!("{first} right"), self.both_right() + self.only_first()),
                row(format!("{second} right"), self.both_right() + self.only_second()),
                row("both right".into(), self.both_right()),
                row(format!("only {first} right"), self.only_first()),
                row(format!("only {second} right"), self.only_second()),
                row("both wrong".into(), self.both_wrong()),
                row("they say different things".into(), self.differing()),
            ])
            .align_right(1)
            .align_right(2)
            .footer(format!(
                "If both were equally good, chance would make a difference at least this large with \
                 a probability of {} (McNemar's exact test).",
                match self.p_value() {
                    p if p < 0.001 => "less than 0.001".to_owned(),
                    p => format!("{p:.3}"),
                }
            ))
    }
}

/// The counts, and images on which they differ.
impl Show for Comparison {
    fn content(&self) -> Content {
        let table = self.table().content();
        let html = table.as_html().unwrap_or_default();
        let images = self.image_grid(2, 10).ok().and_then(|figure| figure.content().as_html());
        Content::html(table.plain(), html + &images.unwrap_or_default())
    }
}

impl std::fmt::Debug for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.table())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::certain_predictions;

    #[test]
    fn each_image_is_counted_once() {
        let truth = [0, 0, 0, 0, 1, 1];
        let (a, b) = (
            certain_predictions(&truth, &[0, 0, 1, 1, 1, 1], 3),
            certain_predictions(&truth, &[0, 1, 0, 2, 1, 0], 3),
        );
        let comparison = a.compare(&b).unwrap();
        let counts = [
            comparison.both_right(),
            comparison.only_first(),
            comparison.only_second(),
            comparison.both_wrong(),
        ];
        assert_eq!(counts, [2, 2, 1, 1]);
        assert_eq!(comparison.differing(), 4, "both wrong, but differently, counts");
        assert!(comparison.image_grid(2, 2).unwrap().overlaps().is_empty());
        assert!(a.compare(&a).unwrap().image_grid(1, 1).is_err());
    }

    #[test]
    fn other_images_are_refused() {
        let message = certain_predictions(&[0, 1], &[0, 1], 2)
            .compare(&certain_predictions(&[0], &[0], 2))
            .unwrap_err();
        assert!(message.to_string().contains("1 of little images"), "{message}");
    }
}
