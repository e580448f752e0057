//! The built-in samples.

use crate::data::{Dataset, Split, shapes as drawn_shapes, strokes as drawn_strokes};
use crate::error::Result;
use ndarray::Array4;

/// The built-in shapes: 5,000 + 1,000 images of ten shapes, drawn by the library in a second, the same on
/// every machine. They have the format of CIFAR-10: color, 32 by 32 pixels.
///
/// # Errors
///
/// None; it returns a `Result` like the other sets.
///
/// ```
/// let shapes = tchalk::datasets::shapes()?;
/// assert_eq!((shapes.train.len(), shapes.test.len()), (5_000, 1_000));
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn shapes() -> Result<Dataset> {
    let classes = drawn_shapes::CLASSES.map(str::to_owned).to_vec();
    let source =
        "These are the built-in shapes, drawn by the library: not photos, and not CIFAR-10.";
    draw_dataset("shapes", source, drawn_shapes::draw, [5_000, 1_000], classes)
}

/// The built-in digits: 6,000 + 1,000 digits, drawn by the library stroke by stroke, the same on every
/// machine. They have the format of MNIST: gray, white on black, 28 by 28 pixels.
///
/// # Errors
///
/// None; it returns a `Result` like the other sets.
///
/// ```
/// let strokes = tchalk::datasets::strokes()?;
/// assert_eq!(strokes.train.images().shape(), [6_000, 28, 28, 1]);
/// assert_eq!(strokes.class_names()[7], "7");
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn strokes() -> Result<Dataset> {
    let source = "These are the built-in strokes, digits drawn by the library: nobody wrote them, \
                  and they are not MNIST.";
    draw_dataset("strokes", source, drawn_strokes::draw, [6_000, 1_000], digit_classes())
}

/// The digits as class names.
pub(crate) fn digit_classes() -> Vec<String> {
    ('0'..='9').map(String::from).collect()
}

/// A sample that `draw` draws, with this many images for training and for testing.
fn draw_dataset(
    name: &str,
    source: &str,
    draw: fn(usize, u64) -> (Array4<u8>, Vec<usize>),
    [train, test]: [usize; 2],
    classes: Vec<String>,
) -> Result<Dataset> {
    let split = |part: &str, count, stream| {
        let (images, labels) = draw(count, stream);
        Split::new(format!("{name} {part}"), images, labels, classes.clone())
    };
    Ok(Dataset::new(name, source, split("train", train, 0)?, split("test", test, 1)?))
}

/// A sample whose source says that it stands in for another set.
pub(super) fn stand_in_for(sample: Dataset, name: &str, why: &str) -> Dataset {
    let source = format!("{} They stand in for {name}, because {why}.", sample.source());
    Dataset::new(sample.name(), source, sample.train, sample.test)
}
