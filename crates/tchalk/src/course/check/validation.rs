//! May one trust what is measured on this set?

use super::Checklist;
use crate::data::TensorSet;
use crate::model::Model;
use crate::text::thousands;
use crate::train::Note;

/// Looks at a set that is to tell how good a network is: whether the network has learned from its
/// images, whether it is the test set, whether it is large enough to tell good from better.
///
/// ```
/// use tchalk::prelude::*;
/// let strokes = datasets::strokes()?;
/// let model = Sequential::new().input_shape([1, 28, 28]).add(Flatten).add(Dense::new(10));
/// let model = model.add(Softmax).build(Device::Cpu)?;
/// let list = check::validation(&model, &strokes.test.to_tensors(Device::Cpu));
/// assert!(format!("{list:?}").contains("a test set"));
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn validation(model: &Model, set: &TensorSet) -> Checklist {
    let mut list = Checklist::new("your validation set");
    if set.is_empty() || set.labels().is_none() {
        list.wrong(
            "labels",
            "without labels nobody can tell how good the answers are. Use images with labels that \
             were held back: split(0.1) makes two sets of one.",
        );
        return list;
    }
    let notes = model.leakage_notes(set);
    match notes.iter().find(|note| note.is_leak()) {
        Some(note) => list.wrong(
            "new images",
            format!(
                "{note}. Hold images back before training: split(0.1), or .validation_split(0.1) in \
                 Fit."
            ),
        ),
        None => list.right("new images", "none of them was learned from."),
    }
    if notes.contains(&Note::ChosenOnThisSet) {
        list.odd(
            "choice",
            "this set also chose between the epochs, so its accuracy is a little too good. For the \
             last word use images that chose nothing.",
        );
    }
    if set.name().ends_with(" test") {
        list.odd(
            "test set",
            "this is a test set. To watch it is harmless; but if you choose by it (when to stop, which \
             network to keep), it has become a part of the training, and no images are left that \
             could tell you the truth. Hold 10 % of the training set back, and choose by those.",
        );
    }
    let count = set.len();
    // Half the width of the 95 % interval of an accuracy of 99 %.
    let margin = 100.0 * 1.96 * (0.99f64 * 0.01 / count as f64).sqrt();
    let text = format!(
        "{} images tell an accuracy of 99 % to within ± {margin:.2} points",
        thousands(count)
    );
    match margin > 0.5 {
        true => list.odd("size", format!("{text}: too few to choose between good networks.")),
        false => list.right("size", format!("{text}.")),
    }
    list
}
