//! Can what is measured on this set be trusted?

use crate::course::checklist::{Checklist, Severity, Topic, topics};
use crate::course::finding::Finding;
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
/// assert!(list.has(check::Finding::TestSet));
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn validation(model: &Model, set: &TensorSet) -> Checklist {
    let mut list = Checklist::new("your validation set");
    if set.is_empty() || set.labels().is_none() {
        let text = "without labels nobody can tell how good the answers are. Use images with labels \
                    that were held back: split(0.1) makes two sets of one.";
        list.push(Finding::NoLabels, Severity::Problem, "labels", text);
        return list;
    }
    let notes = model.leakage_notes(set);
    let facts = Validation {
        chose_epochs: notes.contains(&Note::ChosenOnThisSet),
        leak: notes.into_iter().find(Note::is_leak),
        is_test_set: set.name().ends_with(" test"),
        images: set.len(),
    };
    list.examine(&facts, TOPICS);
    list
}

/// What the check looks at.
struct Validation {
    leak: Option<Note>,
    chose_epochs: bool,
    is_test_set: bool,
    images: usize,
}

impl Validation {
    /// Half the width of the 95 % interval of an accuracy of 99 %, in percentage points.
    fn margin(&self) -> f64 {
        100.0 * 1.96 * (0.99f64 * 0.01 / self.images as f64).sqrt()
    }

    fn margin_text(&self) -> String {
        let (images, margin) = (thousands(self.images), self.margin());
        format!("{images} images tell an accuracy of 99 % to within ± {margin:.2} points")
    }
}

const TOPICS: &[Topic<Validation>] = topics![|it: Validation|
    "new images" {
        Problem TrainedOn if it.leak.is_some() =>
            format!("{}. Hold images back before training: split(0.1), or .validation_split(0.1) \
                     in Fit.", it.leak.as_ref().map_or(String::new(), Note::to_string));
        Good NewImages => "none of them was learned from.";
    }
    "choice" {
        Advice ChoseEpochs if it.chose_epochs =>
            "this set also chose between the epochs, so its accuracy is a little too good. Measure \
             once more, at the end, on images that chose nothing.";
    }
    "test set" {
        Advice TestSet if it.is_test_set =>
            "this is a test set. To watch it is harmless; but if you choose by it (when to stop, \
             which network to keep), it has become a part of the training, and no images are left \
             that could tell you the truth. Hold 10 % of the training set back, and choose by \
             those.";
    }
    "size" {
        Advice FewImages if it.margin() > 0.5 =>
            format!("{}: too few to choose between good networks.", it.margin_text());
        Good EnoughImages => format!("{}.", it.margin_text());
    }
];
