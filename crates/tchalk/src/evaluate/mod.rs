//! How good are the predictions of one network?
//!
//! | question | answer |
//! |---|---|
//! | Which classes are confused? | [`ConfusionMatrix`], [`Predictions::most_confused`] |
//! | How good is each class? | [`ClassificationReport`] |
//! | Can the probabilities be trusted? | [`Calibration`] |
//! | Loss, accuracy, top-k accuracy | [`Predictions::evaluate`], [`Predictions::top_k`] |
//! | Which images are worst, and how sure was the network? | [`Predictions::top_losses`], [`Predictions::probability_bars`] |
//!
//! [`crate::compare`] compares several networks.
//!
//! [`Predictions::most_confused`]: crate::train::Predictions::most_confused
//! [`Predictions::evaluate`]: crate::train::Predictions::evaluate
//! [`Predictions::top_k`]: crate::train::Predictions::top_k
//! [`Predictions::top_losses`]: crate::train::Predictions::top_losses
//! [`Predictions::probability_bars`]: crate::train::Predictions::probability_bars
//!
//! ```
//! use tchalk::prelude::*;
//! let test = datasets::shapes()?.test.take(50).to_tensors(Device::Cpu);
//! let model = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10));
//! let model = model.add(Softmax).build(Device::Cpu)?;
//! let predictions = model.predict(&test)?;
//! let matrix = predictions.confusion_matrix()?;
//! assert_eq!(matrix.counts().sum(), 50);
//! let report = predictions.classification_report()?;
//! assert_eq!(report.accuracy(), predictions.accuracy().unwrap());
//! # Ok::<(), tchalk::Error>(())
//! ```

mod calibration;
mod checks;
mod classification_report;
mod confusion_matrix;
mod images;
mod metrics;
#[cfg(test)]
pub(crate) mod testing;

pub use calibration::{Calibration, CalibrationBin};
pub(crate) use checks::{check_not_empty, checked_probabilities};
pub use classification_report::{ClassScore, ClassificationReport};
pub use confusion_matrix::{ConfusedPair, ConfusedPairs, ConfusionMatrix};

#[cfg(test)]
mod tests {
    use super::testing::{predictions_of_rows, set};
    use crate::train::Predictions;
    use ndarray::Array2;

    #[test]
    fn without_labels_evaluations_are_refused() {
        let table = Array2::from_elem((3, 2), 0.5);
        let blind = Predictions::from_probabilities(table, &set(3, Vec::new(), 2)).unwrap();
        let messages = [
            blind.confusion_matrix().unwrap_err(),
            blind.classification_report().unwrap_err(),
            blind.calibration().unwrap_err(),
            blind.top_losses(3).unwrap_err(),
            blind.most_confused(3).unwrap_err(),
            blind.top_k(1).unwrap_err(),
            blind.wrong().unwrap_err(),
        ];
        for message in messages {
            let message = message.to_string();
            assert!(message.contains("a set with labels"), "{message}");
        }
        assert!(blind.probability_bars(3).is_ok(), "bars need no labels");
    }

    #[test]
    fn logits_are_not_probabilities() {
        let logits = predictions_of_rows(&[0, 1], &[&[2.0, -1.0], &[3.0, 4.0]]);
        assert!(logits.calibration().unwrap_err().to_string().contains("Softmax"));
        assert!(logits.top_losses(1).unwrap_err().to_string().contains("sum to 1"));
        assert!(logits.classification_report().is_ok(), "classes need no probabilities");
    }

    #[test]
    fn labels_without_a_class_are_refused() {
        let x = tch::Tensor::zeros([2, 3, 8, 8], (tch::Kind::Float, tch::Device::Cpu));
        for label in [5i64, -1] {
            let y = tch::Tensor::from_slice(&[0, label]);
            let set = crate::data::TensorSet::new(&x, &y, &["a", "b"]).unwrap();
            let predictions =
                Predictions::from_probabilities(Array2::from_elem((2, 2), 0.5), &set).unwrap();
            let message = predictions.classification_report().unwrap_err().to_string();
            assert!(message.contains(&format!("got label {label}")), "{message}");
        }
    }
}
