//! Principal component analysis: the directions in which images differ most.

use super::observations::{Rows, rows_of};
use super::spectrum::{self, ComponentCount};
use super::{Embedding, FittedPca, Observations};
use crate::error::{Error, Result};
use tch::Device;

/// Finds the directions in which examples differ most: the principal components.
///
/// An image of 32 × 32 pixels in three colors is a point in a space of 3,072 dimensions. The first
/// component is the direction along which a set of such points is spread out most, the second the
/// one among all at right angles to the first, and so on. A few dozen of them hold most of what
/// makes one image different from another.
///
/// ```
/// use tchalk::prelude::*;
/// let shapes = datasets::shapes()?.train.take(300);
/// let pca = Pca::new(5).fit(&shapes)?;
/// assert_eq!(pca.components().shape(), [5, 3072]);
/// assert!(pca.explained_variance()[0] > pca.explained_variance()[1]);
/// let points = pca.transform(&shapes)?;
/// assert_eq!(points.points().shape(), [300, 5]);
/// # Ok::<(), tchalk::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pca {
    components: ComponentCount,
}

impl Pca {
    /// The first `components` directions.
    pub fn new(components: usize) -> Pca {
        Pca { components: ComponentCount::Number(components) }
    }

    /// As many directions as keep this fraction of the variance, such as 0.95.
    pub fn with_variance(fraction: f64) -> Pca {
        Pca { components: ComponentCount::Variance(fraction) }
    }

    fn repr(&self) -> String {
        match self.components {
            ComponentCount::Number(components) => format!("Pca::new({components})"),
            ComponentCount::Variance(fraction) => format!("Pca::with_variance({fraction:?})"),
        }
    }

    /// Finds the directions for these examples.
    ///
    /// Images count with values in \[0, 1\]. The computation runs on the GPU where there is one (a
    /// [`TensorSet`](crate::data::TensorSet) or tensor stays where it is). Its signs are settled: in
    /// each component the entry of the largest size is positive.
    ///
    /// # Errors
    ///
    /// If there are fewer than two examples, not as many examples or numbers as components, the
    /// fraction is not between 0 and 1, the values are not finite, or the reader presses stop.
    pub fn fit(&self, examples: &impl Observations) -> Result<FittedPca> {
        self.fit_rows(&rows_of(&self.repr(), examples, 2)?)
    }

    /// [`Pca::fit`], and the same examples along the directions found.
    ///
    /// # Errors
    ///
    /// As [`Pca::fit`].
    pub fn fit_transform(&self, examples: &impl Observations) -> Result<Embedding> {
        let rows = rows_of(&self.repr(), examples, 2)?;
        self.fit_rows(&rows)?.project(rows)
    }

    fn fit_rows(&self, rows: &Rows) -> Result<FittedPca> {
        let most = rows.len().min(rows.width());
        match self.components {
            ComponentCount::Number(components) if components == 0 || components > most => {
                let expected = format!(
                    "1 to {most} components for {} examples of {} numbers",
                    rows.len(),
                    rows.width()
                );
                return Err(Error::invalid(self.repr(), expected, components.to_string(), ""));
            }
            ComponentCount::Variance(fraction) if !(fraction > 0.0 && fraction <= 1.0) => {
                let hint = "0.95 keeps 95 % of the variance.";
                let got = fraction.to_string();
                return Err(Error::invalid(self.repr(), "a fraction above 0 up to 1", got, hint));
            }
            _ => {}
        }
        let found = spectrum::leading_components(rows, self.components, &self.repr())?;
        Ok(FittedPca {
            mean: found.mean.to_device(Device::Cpu),
            components: found.components.to_device(Device::Cpu),
            variances: found.variances,
            total: found.total,
            shape: rows.metadata.shape,
            name: rows.metadata.name.clone(),
            examples: rows.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};
    use tch::{Kind, Tensor};

    fn line() -> Array2<f32> {
        array![[0.0, 0.0, 7.0], [1.0, -2.0, 7.0], [2.0, -4.0, 7.0], [3.0, -6.0, 7.0]]
    }

    #[test]
    fn points_on_a_line_have_one_direction() {
        let pca = Pca::with_variance(0.99).fit(&line()).unwrap();
        assert_eq!(pca.len(), 1);
        // The largest entry of (1, -2, 0) is turned positive.
        let root = 5f32.sqrt();
        for (got, expected) in pca.components().iter().zip([-1.0 / root, 2.0 / root, 0.0]) {
            assert!((got - expected).abs() < 1e-6);
        }
        // Steps of √5 along the line, four of them: variance 5 × 5 / 3.
        assert!((pca.explained_variance()[0] - 25.0 / 3.0).abs() < 1e-5);
        assert!((pca.explained_variance_ratio()[0] - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_examples_stay_as_they_are() {
        let x = Tensor::arange(12, (Kind::Float, Device::Cpu)).view([4, 3]).square();
        let before = x.copy();
        Pca::new(2).fit_transform(&x).unwrap();
        assert!(x.equal(&before));
    }

    #[test]
    fn more_numbers_than_examples_are_allowed() {
        let wide = Array2::from_shape_fn((4, 50), |(i, j)| ((i * 7 + j * 3) % 11) as f32);
        let pca = Pca::new(3).fit(&wide).unwrap();
        let tall = pca.components();
        let products = tall.dot(&tall.t());
        for ((i, j), product) in products.indexed_iter() {
            let expected = if i == j { 1.0 } else { 0.0 };
            assert!((product - expected).abs() < 1e-5, "{i} {j}: {product}");
        }
        assert!((pca.explained_variance_ratio().iter().sum::<f64>() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_set_and_its_tensors_have_the_same_components() {
        let shapes = crate::datasets::shapes().unwrap().train.take(60);
        let pca = Pca::new(4).fit(&shapes).unwrap();
        let other = Pca::new(4).fit(&shapes.to_tensors(Device::Cpu)).unwrap();
        let distance = (pca.components() - other.components()).mapv(f32::abs);
        assert!(distance.iter().all(|&distance| distance < 1e-3));
        // Components found for one are good for the other.
        let a = pca.transform(&shapes).unwrap().points();
        let b = pca.transform(&shapes.to_tensors(Device::Cpu)).unwrap().points();
        assert!((a - b).iter().all(|distance| distance.abs() < 1e-4));
    }

    #[test]
    fn mistakes_are_told() {
        let refused = |pca: Pca| pca.fit(&line()).unwrap_err().to_string();
        assert!(refused(Pca::new(4)).contains("1 to 3 components for 4 examples of 3 numbers"));
        assert!(refused(Pca::new(0)).contains("got 0"));
        assert!(refused(Pca::with_variance(95.0)).contains("0.95 keeps 95 %"));
        let one = Pca::new(1).fit(&array![[1.0f32, 2.0]]).unwrap_err().to_string();
        assert!(one.contains("at least 2 examples"), "{one}");
        let nan = Pca::new(1).fit(&array![[1.0f32, f32::NAN], [0.0, 1.0]]).unwrap_err();
        assert!(nan.to_string().contains("finite numbers"));
        let pca = Pca::new(1).fit(&line()).unwrap();
        let error = pca.transform(&array![[1.0f32, 2.0], [0.0, 1.0]]).unwrap_err().to_string();
        assert!(error.contains("expected rows of 3 numbers, got rows of 2 numbers"), "{error}");
        assert!(pca.component_grid(1, 1).is_err());
    }
}
