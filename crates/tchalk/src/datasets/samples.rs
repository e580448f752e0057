//! The built-in samples.

use crate::data::{Dataset, Split, shapes as drawn_shapes, strokes as drawn_strokes};
use crate::error::Result;

/// The built-in sample: 5,000 + 1,000 pictures of ten shapes, drawn by the library in a second, the
/// same on every machine. It has CIFAR-10's form: colour, 32 by 32 pixels.
///
/// # Errors
///
/// None today; the result is one so that all sets are called alike.
///
/// ```
/// let shapes = tchalk::datasets::shapes()?;
/// assert_eq!((shapes.train.len(), shapes.test.len()), (5_000, 1_000));
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn shapes() -> Result<Dataset> {
    let classes = || drawn_shapes::CLASSES.map(str::to_owned).to_vec();
    let (images, labels) = drawn_shapes::draw(5_000, 0);
    let train = Split::new("shapes train", images, labels, classes())?;
    let (images, labels) = drawn_shapes::draw(1_000, 1);
    let test = Split::new("shapes test", images, labels, classes())?;
    let source =
        "These are the built-in shapes, drawn by the library: not photos, and not CIFAR-10.";
    Ok(Dataset::new("shapes", source, train, test))
}

/// The built-in digits: 6,000 + 1,000 digits, written by the library stroke by stroke, the same on
/// every machine. They have MNIST's form: grey, white on black, 28 by 28 pixels.
///
/// # Errors
///
/// None today; the result is one so that all sets are called alike.
///
/// ```
/// let strokes = tchalk::datasets::strokes()?;
/// assert_eq!(strokes.train.images().shape(), [6_000, 28, 28, 1]);
/// assert_eq!(strokes.classes()[7], "7");
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn strokes() -> Result<Dataset> {
    let (images, labels) = drawn_strokes::draw(6_000, 0);
    let train = Split::new("strokes train", images, labels, super::digits::classes())?;
    let (images, labels) = drawn_strokes::draw(1_000, 1);
    let test = Split::new("strokes test", images, labels, super::digits::classes())?;
    let source = "These are the built-in strokes, digits drawn by the library: nobody wrote them, \
                  and they are not MNIST.";
    Ok(Dataset::new("strokes", source, train, test))
}

/// The shapes in place of another set, which is said plainly.
pub(super) fn shapes_in_place_of(name: &str, why: &str) -> Result<Dataset> {
    in_place_of(shapes()?, name, why)
}

/// The strokes in place of another set, which is said plainly.
pub(super) fn strokes_in_place_of(name: &str, why: &str) -> Result<Dataset> {
    in_place_of(strokes()?, name, why)
}

fn in_place_of(sample: Dataset, name: &str, why: &str) -> Result<Dataset> {
    let source = format!("{} They stand in for {name}, because {why}.", sample.source());
    Ok(Dataset::new(sample.name(), source, sample.train, sample.test))
}
