//! A training set and a test set, and where they came from.

use super::Split;

/// An image set in two splits: one for training, one for testing.
#[derive(Clone)]
pub struct Dataset {
    /// The images for training.
    pub train: Split,
    /// The images for testing.
    pub test: Split,
    name: String,
    source: String,
}

impl Dataset {
    /// Two splits with the same classes, and a sentence that says where they came from.
    pub fn new(
        name: impl Into<String>,
        source: impl Into<String>,
        train: Split,
        test: Split,
    ) -> Dataset {
        Dataset { train, test, name: name.into(), source: source.into() }
    }

    /// The name, such as `CIFAR-10`.
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// A sentence that says where the images came from, and whether they are a built-in sample.
    pub fn source(&self) -> String {
        self.source.clone()
    }

    /// The names of the classes; a label is an index into this list.
    pub fn class_names(&self) -> Vec<String> {
        self.train.class_names()
    }
}

impl std::fmt::Debug for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {:?}; {:?}. {}", self.name, self.train, self.test, self.source)
    }
}

impl crate::display::Show for Dataset {
    fn content(&self) -> crate::display::Content {
        self.describe().content()
    }
}
