//! A single picture.

use crate::display::{Content, Show};
use crate::plot::{Caption, image_grid};
use ndarray::{ArcArray, Ix3};

/// One picture, with its label where that is known.
#[derive(Clone, PartialEq)]
pub struct Picture {
    pub(super) pixels: ArcArray<u8, Ix3>,
    pub(super) label: Option<usize>,
    pub(super) class: Option<String>,
}

impl Picture {
    /// The pixels, `u8 [height, width, channels]`.
    pub fn pixels(&self) -> ArcArray<u8, Ix3> {
        self.pixels.clone()
    }

    /// The label, as a place in the list of classes.
    pub fn label(&self) -> Option<usize> {
        self.label
    }

    /// The name of the class.
    pub fn class(&self) -> Option<String> {
        self.class.clone()
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (height, width, channels) = self.pixels.dim();
        let class = self.class.as_deref().unwrap_or("without a label");
        write!(f, "a picture, {height} × {width} × {channels}, {class}")
    }
}

impl Show for Picture {
    fn content(&self) -> Content {
        let caption = Caption::new(self.class.clone().unwrap_or_default());
        match image_grid(std::slice::from_ref(&self.pixels), &[caption], 1) {
            Ok(figure) => figure.content(),
            Err(error) => Content::text(error.to_string()),
        }
    }
}
