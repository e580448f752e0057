//! Where two submissions say different things.

use super::Submission;
use crate::data::Split;
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::plot::{Caption, Figure, image_grid};
use crate::runtime;
use crate::table::Table;
use crate::text::thousands;
use crate::train::Predictions;
use ndarray::{ArcArray, Axis, Ix3};

/// The images about which two submissions say different things: how many there are, and ten of them.
///
/// No labels are needed. Where they are known, [`Predictions::compare`] says who is right.
#[derive(Clone)]
pub struct Differences {
    first: Vec<usize>,
    second: Vec<usize>,
    places: Vec<usize>,
    names: [String; 2],
    images: Images,
}

/// Where the images are to be had.
#[derive(Clone)]
enum Images {
    Predicted(Predictions),
    Split(Split),
    Unknown,
}

impl Differences {
    pub(super) fn of(first: &Submission, second: &Submission) -> Result<Differences> {
        const OP: &str = "Submission::differences";
        let (said, other) = (first.sound_labels(OP)?, second.sound_labels(OP)?);
        if said.len() != other.len() {
            let answers = |n: usize| format!("{} answers", thousands(n));
            let hint = "Both have to be for the same images.";
            return Err(Error::invalid(OP, answers(said.len()), answers(other.len()), hint));
        }
        let places = (0..said.len()).filter(|&i| said[i] != other[i]).collect();
        let predictions = first.predictions.as_ref().or(second.predictions.as_ref());
        let images = predictions.cloned().map_or(Images::Unknown, Images::Predicted);
        let names = ["the first".to_owned(), "the second".to_owned()];
        Ok(Differences { first: said, second: other, places, names, images })
    }

    /// What the two are called.
    pub fn names(mut self, first: impl Into<String>, second: impl Into<String>) -> Differences {
        self.names = [first.into(), second.into()];
        self
    }

    /// The images that the answers are for: `digits.test`. Answers of a network know theirs.
    ///
    /// # Errors
    ///
    /// If there are not as many as answers.
    pub fn images(mut self, images: &Split) -> Result<Differences> {
        if images.len() != self.first.len() {
            let expected = format!("{} images", thousands(self.first.len()));
            let got = format!("{} of {}", thousands(images.len()), images.name());
            return Err(Error::invalid("Differences::images", expected, got, ""));
        }
        self.images = Images::Split(images.clone());
        Ok(self)
    }

    /// How many images they say different things about.
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// The numbers of these images, counted from 1 as `ImageId` does.
    pub fn ids(&self) -> Vec<usize> {
        self.places.iter().map(|place| place + 1).collect()
    }

    fn sentence(&self) -> String {
        let [first, second] = &self.names;
        let (count, all) = (self.count(), self.first.len());
        match count {
            0 => format!("{first} and {second} say the same about all {}", thousands(all)),
            count => format!(
                "{first} and {second} differ on {} of {} images ({:.2} %)",
                thousands(count),
                thousands(all),
                100.0 * count as f64 / all as f64
            ),
        }
    }

    /// The first `rows` of them: the image's number, and what both say.
    pub fn table(&self, rows: usize) -> Table {
        let [first, second] = &self.names;
        let shown = self.places.iter().take(rows);
        let table = Table::new(["ImageId", first, second]).rows(shown.map(|&place| {
            [place + 1, self.first[place], self.second[place]].map(|number| number.to_string())
        }));
        (0..3).fold(table, Table::align_right).footer(self.sentence())
    }

    /// Random images of those about which they differ, with both answers. Another call shows others.
    ///
    /// # Errors
    ///
    /// If they never differ, there are no rows or columns, or the images are not known.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let test = datasets::strokes()?.test.take(30);
    /// let answer = |digit| Submission::from_labels(vec![digit; 30]);
    /// let differences = answer(4)?.differences(&answer(9)?)?.images(&test)?;
    /// assert_eq!(differences.count(), 30);
    /// differences.names("my network", "yours").image_grid(2, 5)?;
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn image_grid(&self, rows: usize, columns: usize) -> Result<Figure> {
        const OP: &str = "Differences::image_grid";
        if self.places.is_empty() {
            let expected = "submissions that differ";
            return Err(Error::invalid(OP, expected, "two that always say the same", ""));
        }
        let mut places = self.places.clone();
        runtime::seed::shuffle(&mut places, &mut runtime::seed::host_rng("differences"));
        places.truncate(rows * columns);
        let captions: Vec<Caption> = places
            .iter()
            .map(|&i| Caption::new(format!("{} / {}", self.first[i], self.second[i])))
            .collect();
        let [first, second] = &self.names;
        let (count, all) = (thousands(self.count()), thousands(self.first.len()));
        let title = format!("{count} of {all} images on which they differ: {first} / {second}");
        Ok(image_grid(&self.shown(OP, &places)?, &captions, columns)?.title(title))
    }

    fn shown(&self, op: &str, places: &[usize]) -> Result<Vec<ArcArray<u8, Ix3>>> {
        match &self.images {
            Images::Predicted(predictions) => predictions.images(places),
            Images::Split(split) => {
                let images = split.images();
                let image = |&place: &usize| images.index_axis(Axis(0), place).to_shared();
                Ok(places.iter().map(image).collect())
            }
            Images::Unknown => {
                let hint = "Give them: differences.images(&digits.test)?";
                Err(Error::invalid(op, "images", "answers from files alone", hint))
            }
        }
    }
}

impl std::fmt::Debug for Differences {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.count() {
            0 => f.write_str(&self.sentence()),
            _ => write!(f, "{:?}", self.table(10)),
        }
    }
}

/// Ten of the images, where they are known, or else a table.
impl Show for Differences {
    fn content(&self) -> Content {
        let figure = self.image_grid(2, 5).ok().and_then(|figure| figure.content().as_html());
        match figure {
            Some(html) => Content::html(format!("{self:?}"), html),
            None if self.count() == 0 => Content::text(self.sentence()),
            None => self.table(10).content(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course::kaggle::testing::read;
    use crate::plot::assert_tidy;

    fn answers(labels: &[usize]) -> Submission {
        Submission::from_labels(labels.to_vec()).unwrap()
    }

    #[test]
    fn they_are_counted_by_the_image_s_number() {
        let mixed = read("ImageId,Label\n3,3\n1,1\n2,7\n");
        let differences = answers(&[1, 2, 3]).differences(&mixed).unwrap().names("a", "b");
        assert_eq!((differences.count(), differences.ids()), (1, vec![2]));
        let text = format!("{differences:?}");
        assert!(text.contains("      2  2  7\n"), "{text}");
        assert!(text.ends_with("a and b differ on 1 of 3 images (33.33 %)"), "{text}");
        assert!(differences.image_grid(2, 5).unwrap_err().to_string().contains("&digits.test"));
        let same = mixed.differences(&mixed).unwrap();
        assert_eq!(format!("{same:?}"), "the first and the second say the same about all 3");
        assert!(same.image_grid(1, 1).unwrap_err().to_string().contains("always say the same"));
        let error = mixed.differences(&answers(&[1])).unwrap_err().to_string();
        assert!(error.contains("expected 3 answers, got 1 answers"), "{error}");
    }

    #[test]
    fn the_figure_is_tidy() {
        let test = crate::datasets::strokes().unwrap().test.take(40);
        let differences = answers(&[4; 40]).differences(&answers(&[9; 40])).unwrap();
        assert!(differences.clone().images(&test.take(39)).is_err());
        let differences = differences.names("trained on Kaggle's", "trained on MNIST");
        let figure = differences.images(&test).unwrap().image_grid(2, 5).unwrap();
        assert_tidy(&figure);
        assert!(figure.description().contains("4 / 9"), "{}", figure.description());
    }
}
