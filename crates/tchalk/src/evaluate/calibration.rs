//! Calibration: do the probabilities match the accuracy?

use super::checks::{checked_probabilities, labels_of};
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::plot::{Figure, HistogramPanel, Line, LinePanel, figure_content};
use crate::text::thousands;
use crate::train::Predictions;

const BINS: usize = 10;

/// The images with about the same confidence: the probability of the predicted class.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationBin {
    /// The confidence is above this,
    pub low: f64,
    /// and at most this.
    pub high: f64,
    /// The number of images.
    pub count: usize,
    /// The mean confidence; not a number without images.
    pub confidence: f64,
    /// The accuracy; not a number without images.
    pub accuracy: f64,
}

/// The confidence of a network beside its accuracy.
///
/// A well calibrated network is right on 80 % of the images that it predicts with a probability of 80 %.
#[derive(Clone, PartialEq)]
pub struct Calibration {
    name: String,
    bins: Vec<CalibrationBin>,
}

impl Predictions {
    /// Confidence and accuracy in ten equal bins of confidence.
    ///
    /// # Errors
    ///
    /// If there are no images, the set has no labels, or these are not probabilities.
    pub fn calibration(&self) -> Result<Calibration> {
        self.calibration_in(BINS)
    }

    /// Confidence and accuracy in `bins` equal bins of confidence.
    ///
    /// # Errors
    ///
    /// As for [`Predictions::calibration`], or if `bins` is 0.
    pub fn calibration_in(&self, bins: usize) -> Result<Calibration> {
        const OP: &str = "Predictions::calibration";
        let labels = labels_of(OP, self)?;
        if bins == 0 {
            return Err(Error::invalid(OP, "at least 1 bin", "0", ""));
        }
        let rows = checked_probabilities(OP, self)?;
        let mut sums = vec![(0usize, 0.0f64, 0usize); bins];
        for ((label, class), row) in labels.into_iter().zip(self.classes()).zip(rows.rows()) {
            let confidence = f64::from(row[class]);
            // A bin includes its upper end and not its lower end, as in Guo et al., On Calibration of
            // Modern Neural Networks (2017).
            let bin = (confidence * bins as f64).ceil() as usize;
            let sum = &mut sums[bin.clamp(1, bins) - 1];
            *sum = (sum.0 + 1, sum.1 + confidence, sum.2 + usize::from(label == class));
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
    /// The bins, the lowest confidence first.
    pub fn bins(&self) -> Vec<CalibrationBin> {
        self.bins.clone()
    }

    /// The expected calibration error: the mean distance of confidence and accuracy, 0 to 1, weighted by the
    /// number of images in each bin.
    pub fn error(&self) -> f64 {
        let filled = self.bins.iter().filter(|bin| bin.count > 0);
        let sum: f64 =
            filled.map(|bin| bin.count as f64 * (bin.accuracy - bin.confidence).abs()).sum();
        sum / self.count() as f64
    }

    /// The mean confidence minus the accuracy: positive for an overconfident network.
    pub fn overconfidence(&self) -> f64 {
        let filled = self.bins.iter().filter(|bin| bin.count > 0);
        let sum: f64 = filled.map(|bin| bin.count as f64 * (bin.confidence - bin.accuracy)).sum();
        sum / self.count() as f64
    }

    fn count(&self) -> usize {
        self.bins.iter().map(|bin| bin.count).sum()
    }

    /// The reliability curve, and the number of images in each bin.
    ///
    /// # Errors
    ///
    /// None for a result of [`Predictions::calibration`].
    pub fn figure(&self) -> Result<Figure> {
        let points = self.bins.iter().map(|bin| (bin.confidence, bin.accuracy));
        let points = points.filter(|(confidence, _)| confidence.is_finite()).collect();
        let curve = LinePanel::new("accuracy")
            .x_label("confidence, 0 to 1")
            .y_range(0.0, 1.0)
            .line(Line::new("this network", points))
            .line(
                Line::new("perfect calibration", vec![(0.0, 0.0), (1.0, 1.0)]).reference().dashed(),
            );
        let counts = self.bins.iter().map(|bin| bin.count as f64);
        let counts =
            HistogramPanel::new("images").x_label("confidence, 0 to 1").counts(0.0, 1.0, counts);
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
        let verdict = if self.overconfidence() > 0.0 { "overconfident" } else { "underconfident" };
        write!(
            f,
            "{}: expected calibration error {:.2} % on {} images; {verdict} by {:.2} % on average",
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
    fn the_error_is_that_of_a_computation_by_hand() {
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
    fn a_network_with_one_class_is_perfectly_calibrated() {
        let calibration = predictions_of_rows(&[0, 0], &[&[1.0], &[1.0]]).calibration().unwrap();
        assert_eq!(calibration.error(), 0.0);
        assert_eq!(calibration.bins()[9].count, 2);
        assert!(calibration.figure().is_ok());
    }
}
