//! Two splits of one kind of images, and where they came from.

use super::Split;

/// An image set in two splits: one to learn from, one to tell how well it was learned.
#[derive(Clone)]
pub struct Dataset {
    /// The images to learn from.
    pub train: Split,
    /// The images to be tested on.
    pub test: Split,
    name: String,
    source: String,
}

impl Dataset {
    /// Two splits with the same classes, and a sentence on where they came from.
    pub fn new(
        name: impl Into<String>,
        source: impl Into<String>,
        train: Split,
        test: Split,
    ) -> Dataset {
        Dataset { train, test, name: name.into(), source: source.into() }
    }

    /// What it is called: `CIFAR-10`.
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// Where it came from, in a sentence: a built-in sample never passes for the real thing.
    pub fn source(&self) -> String {
        self.source.clone()
    }

    /// The names of the classes; a label is a place in this list.
    pub fn classes(&self) -> Vec<String> {
        self.train.classes()
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
