//! Figures of images: with bars for the probabilities, and with the largest losses.

use super::checks::{check_not_empty, labels_of};
use crate::error::Result;
use crate::plot::{Caption, Figure, Mark, Panel, PredictionPanel, image_grid};
use crate::runtime;
use crate::train::Predictions;

impl Predictions {
    /// `count` random images, each beside a bar for the probability of each class (the ten most probable ones
    /// of many). Another call shows others.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let test = datasets::shapes()?.test.take(20).to_tensors(Device::Cpu);
    /// let even = Predictions::from_probabilities(ndarray::Array2::from_elem((20, 10), 0.1), &test)?;
    /// even.probability_bars(10)?;
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is nothing to draw, or the inputs are not images.
    pub fn probability_bars(&self, count: usize) -> Result<Figure> {
        check_not_empty("Predictions::probability_bars", self)?;
        let mut rng = runtime::seed::rng("probability_bars");
        let shown = runtime::seed::choose(self.len(), count.min(self.len()), &mut rng);
        let (rows, predicted, labels) = (self.probabilities(), self.classes(), self.labels());
        let names = self.class_names();
        let panels: Vec<Panel> = shown
            .iter()
            .zip(self.images(&shown)?)
            .map(|(&i, image)| {
                let label = labels.as_ref().map(|labels| labels[i]);
                let row = rows.row(i).to_vec();
                PredictionPanel::new(&image, &row, predicted[i], label, &names).into()
            })
            .collect();
        Ok(Figure::grid(panels, 2)?.title(self.set_name()))
    }

    /// The `count` images with the largest losses, the largest first: the predicted class, the label and the
    /// loss.
    ///
    /// # Errors
    ///
    /// If there is nothing to draw, the set has no labels, these are not probabilities, or the inputs are not
    /// images.
    pub fn top_losses(&self, count: usize) -> Result<Figure> {
        const OP: &str = "Predictions::top_losses";
        let labels = labels_of(OP, self)?;
        let losses = self.losses()?;
        let mut worst: Vec<usize> = (0..self.len()).collect();
        worst.sort_by(|&a, &b| losses[b].total_cmp(&losses[a]));
        worst.truncate(count);
        let (predicted, names) = (self.classes(), self.class_names());
        let captions: Vec<Caption> = worst
            .iter()
            .map(|&i| {
                let loss = format!("loss\u{a0}{:.2}", losses[i].max(0.0));
                let label = &names[labels[i]];
                match predicted[i] == labels[i] {
                    true => Caption::new(format!("{label}\n{loss}")).mark(Mark::Right),
                    false => {
                        let text = format!("{} ({label})\n{loss}", names[predicted[i]]);
                        Caption::new(text).mark(Mark::Wrong)
                    }
                }
            })
            .collect();
        let figure = image_grid(&self.images(&worst)?, &captions, 6)?;
        let title = format!("{}: the largest losses; predicted class (label)", self.set_name());
        Ok(figure.title(title))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::testing::{predictions_of_rows, set};
    use ndarray::Array2;

    #[test]
    fn the_largest_losses_come_first() {
        let predictions = predictions_of_rows(&[0, 0, 0], &[&[0.5, 0.5], &[0.0, 1.0], &[1.0, 0.0]]);
        let losses = predictions.losses().unwrap();
        assert!((losses[0] - 2.0f64.ln()).abs() < 1e-7 && losses[1] > 27.0, "{losses:?}");
        let figure = predictions.top_losses(2).unwrap();
        let text = figure.description();
        let position = |part: &str| text.find(part).unwrap();
        assert!(position("loss\u{a0}27.63") < position("loss\u{a0}0.69"), "{text}");
        assert!(figure.overlaps().is_empty());
    }

    #[test]
    fn bars_do_not_overlap_with_few_and_many_classes() {
        for classes in [1, 2, 10, 100] {
            let even = Array2::from_elem((12, classes), 1.0 / classes as f32);
            let labels = (0..12).map(|i| i % classes).collect();
            let predictions =
                Predictions::from_probabilities(even, &set(12, labels, classes)).unwrap();
            let figure = predictions.probability_bars(10).unwrap();
            assert!(figure.overlaps().is_empty(), "{classes}: {:?}", figure.overlaps());
        }
    }

    #[test]
    fn wrong_predictions_are_selected() {
        let predictions = predictions_of_rows(&[0, 1, 0], &[&[1.0, 0.0], &[1.0, 0.0], &[0.4, 0.6]]);
        let wrong = predictions.wrong().unwrap();
        assert_eq!((wrong.len(), wrong.labels().unwrap()), (2, vec![1, 0]));
        let figure = wrong.image_grid(1, 2).unwrap();
        assert!(figure.description().contains("the 2 wrong ones of 3"), "{figure:?}");
        let right = predictions_of_rows(&[0], &[&[1.0, 0.0]]).wrong().unwrap();
        let message = right.image_grid(1, 1).unwrap_err().to_string();
        assert!(message.contains("All of them were right"), "{message}");
    }
}
