//! Whether probabilities can be believed.

use super::checks::{checked_probabilities, labels_of};
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::plot::{Figure, HistogramPanel, Line, LinePanel, figure_content};
use crate::text::thousands;
use crate::train::Predictions;

const BINS: usize = 10;

/// The images whose most probable class had about the same probability.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationBin {
    /// The probabilities are above this,
    pub low: f64,
    /// and at most this.
    pub high: f64,
    /// How many images.
    pub count: usize,
    /// The mean probability of the class that was said; not a number where there are no images.
    pub confidence: f64,
    /// The part that was right; not a number where there are no images.
    pub accuracy: f64,
}

/// How sure a network was, and how often it was right.
///
/// Of all images of which it is 80 % sure, it should get 80 % right.
#[derive(Clone, PartialEq)]
pub struct Calibration {
    name: String,
    bins: Vec<CalibrationBin>,
}

impl Predictions {
    /// How sure it was, and how often it was right, in ten equal steps of probability.
    ///
    /// # Errors
    ///
    /// If there are no images, the set has no labels, or these are no probabilities.
    pub fn calibration(&self) -> Result<Calibration> {
        self.calibration_in(BINS)
    }

    /// The same in `bins` equal steps of probability.
    ///
    /// # Errors
    ///
    /// As [`Predictions::calibration`], or if `bins` is 0.
    pub fn calibration_in(&self, bins: usize) -> Result<Calibration> {
        const OP: &str = "Predictions::calibration";
        let truth = labels_of(OP, self)?;
        if bins == 0 {
            return Err(Error::invalid(OP, "at least 1 bin", "0", ""));
        }
        let rows = checked_probabilities(OP, self)?;
        let mut sums = vec![(0usize, 0.0f64, 0usize); bins];
        for ((truth, said), row) in truth.into_iter().zip(self.classes()).zip(rows.rows()) {
            let confidence = f64::from(row[said]);
            // A bin is open below and closed above, as in Guo et al., On Calibration of Modern
            // Neural Networks (2017).
            let bin = (confidence * bins as f64).ceil() as usize;
            let sum = &mut sums[bin.clamp(1, bins) - 1];
            *sum = (sum.0 + 1, sum.1 + confidence, sum.2 + usize::from(truth == said));
        }
        let bins = sums.iter().enumerate().map(|(i, &(count, confidence, right))| CalibrationBin {
            low: i as f64 / bins as f64,
            high: (i + 1) as f64 / bins as f64,
            count,
            confidence: confidence / count as f64,
            accuracy: right as f64 / count as f64,
        });
        Ok(Calibration { name: self.set_name(), bins: bins.collect() })
    }
}

impl Calibration {
    /// The bins, from unsure to sure.
    pub fn bins(&self) -> Vec<CalibrationBin> {
        self.bins.clone()
    }

    /// The expected calibration error: how far confidence and accuracy are apart on average, 0 to 1,
    /// each bin as often as it has images.
    pub fn error(&self) -> f64 {
        let filled = self.bins.iter().filter(|bin| bin.count > 0);
        let sum: f64 =
            filled.map(|bin| bin.count as f64 * (bin.accuracy - bin.confidence).abs()).sum();
        sum / self.count() as f64
    }

    /// The mean confidence less the accuracy: above 0 for a network that is too sure of itself.
    pub fn overconfidence(&self) -> f64 {
        let filled = self.bins.iter().filter(|bin| bin.count > 0);
        let sum: f64 = filled.map(|bin| bin.count as f64 * (bin.confidence - bin.accuracy)).sum();
        sum / self.count() as f64
    }

    fn count(&self) -> usize {
        self.bins.iter().map(|bin| bin.count).sum()
    }

    /// The reliability curve, and how many images are behind each of its points.
    ///
    /// # Errors
    ///
    /// None for what [`Predictions::calibration`] made.
    pub fn figure(&self) -> Result<Figure> {
        let points = self.bins.iter().map(|bin| (bin.confidence, bin.accuracy));
        let points = points.filter(|(confidence, _)| confidence.is_finite()).collect();
        let curve = LinePanel::new("part that is right")
            .x_label("how sure it was, 0 to 1")
            .y_range(0.0, 1.0)
            .line(Line::new("this network", points))
            .line(Line::new("as sure as right", vec![(0.0, 0.0), (1.0, 1.0)]).reference().dashed());
        let counts = self.bins.iter().map(|bin| bin.count as f64);
        let counts = HistogramPanel::new("images")
            .x_label("how sure it was, 0 to 1")
            .counts(0.0, 1.0, counts);
        let title = format!(
            "{}: calibration error {:.1} % on {} images",
            self.name,
            100.0 * self.error(),
            thousands(self.count())
        );
        Ok(Figure::grid(vec![curve.into(), counts.into()], 2)?.title(title))
    }
}

impl Show for Calibration {
    fn content(&self) -> Content {
        figure_content(format!("{self:?}"), self.figure())
    }
}

impl std::fmt::Debug for Calibration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sure = if self.overconfidence() > 0.0 { "too sure" } else { "not sure enough" };
        write!(
            f,
            "{}: expected calibration error {:.2} % on {} images; on the whole {sure} by {:.2} %",
            self.name,
            100.0 * self.error(),
            thousands(self.count()),
            100.0 * self.overconfidence().abs()
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::evaluate::testing::predictions_of_rows;

    #[test]
    fn the_error_is_that_of_a_hand_computation() {
        // Confidences 0.75 and 0.75 (one right), 1.0 (right), 0.5 (wrong).
        let predictions = predictions_of_rows(
            &[0, 1, 0, 1],
            &[&[0.75, 0.25], &[0.75, 0.25], &[1.0, 0.0], &[0.5, 0.5]],
        );
        let calibration = predictions.calibration_in(4).unwrap();
        let bins = calibration.bins();
        assert_eq!(bins.iter().map(|bin| bin.count).collect::<Vec<_>>(), [0, 1, 2, 1]);
        assert_eq!((bins[2].confidence, bins[2].accuracy), (0.75, 0.5));
        // (1 · |0 − 0.5| + 2 · |0.5 − 0.75| + 1 · |1 − 1|) / 4
        assert!((calibration.error() - 0.25).abs() < 1e-12, "{calibration:?}");
        assert!((calibration.overconfidence() - 0.25).abs() < 1e-12);
        assert!(bins[0].accuracy.is_nan());
        assert!(calibration.figure().unwrap().overlaps().is_empty());
    }

    #[test]
    fn one_class_is_always_sure_and_right() {
        let calibration = predictions_of_rows(&[0, 0], &[&[1.0], &[1.0]]).calibration().unwrap();
        assert_eq!(calibration.error(), 0.0);
        assert_eq!(calibration.bins()[9].count, 2);
        assert!(calibration.figure().is_ok());
    }
}
