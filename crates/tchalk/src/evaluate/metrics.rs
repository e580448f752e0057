//! Loss, accuracy and top-k accuracy of predictions.

use super::checks::{checked_probabilities, labels_of};
use crate::error::{Error, Result};
use crate::train::{Evaluation, Predictions};

/// Lower probabilities are taken for this one, so that every loss is finite.
const MIN_PROBABILITY: f64 = 1e-12;

impl Predictions {
    /// Loss (cross-entropy) and accuracy of these predictions; the network does not run again.
    ///
    /// # Errors
    ///
    /// If there are no images or no labels, or these are not probabilities.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// # let test = datasets::shapes()?.test.take(100).to_tensors(Device::Cpu);
    /// # let layers = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10));
    /// # let model = layers.add(Softmax).build(Device::Cpu)?;
    /// let predictions = model.predict(&test)?;
    /// assert_eq!(Some(predictions.evaluate()?.accuracy), predictions.accuracy());
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    pub fn evaluate(&self) -> Result<Evaluation> {
        const OP: &str = "Predictions::evaluate";
        let labels = labels_of(OP, self)?;
        let rows = checked_probabilities(OP, self)?;
        Ok(Evaluation::from_probabilities(&rows, &labels, Vec::new()))
    }

    /// The loss of each image: the negative logarithm of its label's probability, at most 27.6.
    ///
    /// # Errors
    ///
    /// If the set has no labels, or these are not probabilities.
    pub fn losses(&self) -> Result<Vec<f64>> {
        const OP: &str = "Predictions::losses";
        let labels = self.require_labels(OP)?;
        let rows = checked_probabilities(OP, self)?;
        let rows = labels.iter().zip(rows.rows());
        let of_label = rows.map(|(&label, row)| row.get(label).copied().unwrap_or(0.0));
        Ok(of_label.map(|p| -f64::from(p).clamp(MIN_PROBABILITY, 1.0).ln()).collect())
    }

    /// The top-k accuracy: the fraction of images whose label is among the `k` most probable classes. Of
    /// equally probable classes the first comes first.
    ///
    /// ```
    /// use tchalk::prelude::*;
    /// let test = datasets::shapes()?.test.take(20).to_tensors(Device::Cpu);
    /// let even = Predictions::from_probabilities(ndarray::Array2::from_elem((20, 10), 0.1), &test)?;
    /// assert_eq!(even.top_k(10)?, 1.0);
    /// # Ok::<(), tchalk::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there are no images, the set has no labels, or `k` is 0.
    pub fn top_k(&self, k: usize) -> Result<f64> {
        const OP: &str = "Predictions::top_k";
        let labels = labels_of(OP, self)?;
        if k == 0 {
            return Err(Error::invalid(OP, "k of at least 1", "0", ""));
        }
        let rows = self.probabilities();
        let found = labels.iter().zip(rows.rows()).filter(|&(&label, ref row)| {
            let Some(&own) = row.get(label) else { return false };
            let before = |(class, &p): (usize, &f32)| p > own || (p == own && class < label);
            row.iter().enumerate().filter(|&pair| before(pair)).count() < k
        });
        Ok(found.count() as f64 / labels.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use crate::evaluate::testing::predictions_of_rows;

    #[test]
    fn of_equal_probabilities_the_first_class_comes_first() {
        let even = predictions_of_rows(&[0, 1, 2], &[&[0.4, 0.3, 0.3][..]; 3]);
        assert_eq!(even.top_k(1).unwrap(), 1.0 / 3.0);
        assert_eq!(even.top_k(2).unwrap(), 2.0 / 3.0);
        assert_eq!(even.top_k(9).unwrap(), 1.0);
        assert!(even.top_k(0).is_err());
    }
}
