//! Principal component analysis: the directions in which pictures differ most.

use super::observations::{Rows, rows_of};
use super::spectrum::{self, Wanted};
use super::{Embedding, Observations};
use crate::data::Split;
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::plot::{Caption, Figure, image_grid};
use crate::table::Table;
use ndarray::{Array2, Array3, Array4};
use tch::{Device, Kind, Tensor, no_grad};

/// Finds the directions in which examples differ most: the principal components.
///
/// A picture of 32 × 32 pixels in three colours is a point in a space of 3,072 dimensions. The first
/// component is the direction along which a set of such points is spread out most, the second the
/// one among all at right angles to the first, and so on. A few dozen of them hold most of what
/// makes one picture different from another.
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
    wanted: Wanted,
}

impl Pca {
    /// The first `components` directions.
    pub fn new(components: usize) -> Pca {
        Pca { wanted: Wanted::Number(components) }
    }

    /// As many directions as keep this fraction of the variance, such as 0.95.
    pub fn with_variance(fraction: f64) -> Pca {
        Pca { wanted: Wanted::Variance(fraction) }
    }

    fn written(&self) -> String {
        match self.wanted {
            Wanted::Number(components) => format!("Pca::new({components})"),
            Wanted::Variance(fraction) => format!("Pca::with_variance({fraction:?})"),
        }
    }

    /// Finds the directions for these examples.
    ///
    /// Pictures count with values in \[0, 1\]. The computation runs on the GPU where there is one (a
    /// [`TensorSet`](crate::data::TensorSet) or tensor stays where it is). Its signs are settled: in
    /// each component the entry of the largest size is positive.
    ///
    /// # Errors
    ///
    /// If there are fewer than two examples, not as many examples or numbers as components, the
    /// fraction is not between 0 and 1, the values are not finite, or the reader presses stop.
    pub fn fit(&self, examples: &impl Observations) -> Result<FittedPca> {
        self.fit_rows(&rows_of(&self.written(), examples, 2)?)
    }

    /// [`Pca::fit`], and the same examples along the directions found.
    ///
    /// # Errors
    ///
    /// As [`Pca::fit`].
    pub fn fit_transform(&self, examples: &impl Observations) -> Result<Embedding> {
        let rows = rows_of(&self.written(), examples, 2)?;
        self.fit_rows(&rows)?.project(rows)
    }

    fn fit_rows(&self, rows: &Rows) -> Result<FittedPca> {
        let most = rows.len().min(rows.width());
        match self.wanted {
            Wanted::Number(components) if components == 0 || components > most => {
                let expected = format!(
                    "1 to {most} components for {} examples of {} numbers",
                    rows.len(),
                    rows.width()
                );
                return Err(Error::invalid(self.written(), expected, components.to_string(), ""));
            }
            Wanted::Variance(fraction) if !(fraction > 0.0 && fraction <= 1.0) => {
                let hint = "0.95 keeps 95 % of the variance.";
                let got = fraction.to_string();
                return Err(Error::invalid(
                    self.written(),
                    "a fraction above 0 up to 1",
                    got,
                    hint,
                ));
            }
            _ => {}
        }
        let found = spectrum::leading(rows, self.wanted, &self.written())?;
        Ok(FittedPca {
            mean: found.mean.to_device(Device::Cpu),
            components: found.components.to_device(Device::Cpu),
            variances: found.variances,
            total: found.total,
            shape: rows.about.shape,
            name: rows.about.name.clone(),
            examples: rows.len(),
        })
    }
}

/// The principal components of some examples: what [`Pca::fit`] returns.
pub struct FittedPca {
    mean: Tensor,
    components: Tensor,
    variances: Vec<f64>,
    total: f64,
    shape: Option<[usize; 3]>,
    name: String,
    examples: usize,
}

impl Clone for FittedPca {
    fn clone(&self) -> FittedPca {
        FittedPca {
            mean: self.mean.shallow_clone(),
            components: self.components.shallow_clone(),
            variances: self.variances.clone(),
            name: self.name.clone(),
            ..*self
        }
    }
}

impl FittedPca {
    /// How many components there are.
    pub fn len(&self) -> usize {
        self.variances.len()
    }

    /// Whether there are none; never so.
    pub fn is_empty(&self) -> bool {
        self.variances.is_empty()
    }

    /// The components, `f32 [components, numbers]`: directions of length 1 at right angles.
    pub fn components(&self) -> Array2<f32> {
        to_array(&self.components)
    }

    /// The mean example, `f32 [1, numbers]`: where all directions start from.
    pub fn mean(&self) -> Array2<f32> {
        to_array(&self.mean.unsqueeze(0))
    }

    /// The variance along each component, largest first.
    pub fn explained_variance(&self) -> Vec<f64> {
        self.variances.clone()
    }

    /// The same as fractions of the variance of all the data.
    pub fn explained_variance_ratio(&self) -> Vec<f64> {
        let total = if self.total > 0.0 { self.total } else { 1.0 };
        self.variances.iter().map(|variance| variance / total).collect()
    }

    /// Where these examples lie along the components: `[n, components]`.
    ///
    /// # Errors
    ///
    /// If they are of another shape than those that the components were found for.
    pub fn transform(&self, examples: &impl Observations) -> Result<Embedding> {
        self.project(rows_of("FittedPca::transform", examples, 1)?)
    }

    fn project(&self, rows: Rows) -> Result<Embedding> {
        let written = |shape: Option<[usize; 3]>, width: usize| match shape {
            Some([height, width, channels]) => {
                format!("pictures of {height} × {width} × {channels}")
            }
            None => format!("rows of {width} numbers"),
        };
        let width = self.mean.size()[0] as usize;
        let fits = match (self.shape, rows.about.shape) {
            (Some(own), Some(other)) => own == other,
            _ => width == rows.width(),
        };
        if !fits {
            let (expected, got) =
                (written(self.shape, width), written(rows.about.shape, rows.width()));
            return Err(Error::invalid("FittedPca::transform", expected, got, ""));
        }
        let device = rows.matrix.device();
        let projected = no_grad(|| {
            let directions = self.components.to_device(device).tr();
            let mean = self.mean.to_device(device);
            let parts = rows.parts().into_iter().map(|(start, count)| {
                let part = rows.part(start, count) * rows.scale - &mean;
                part.matmul(&directions)
            });
            Tensor::cat(&parts.collect::<Vec<_>>(), 0).to_device(Device::Cpu)
        });
        let axes = self.explained_variance_ratio().into_iter().enumerate();
        let axes = axes.map(|(i, ratio)| format!("component {}, {}", i + 1, percent(ratio)));
        Ok(Embedding::of(to_array(&projected), rows.about).with_axes(axes.collect()).named("PCA"))
    }

    /// The pictures that points along the components stand for: what so many numbers keep of a
    /// picture.
    ///
    /// # Errors
    ///
    /// If the components were not found for pictures, or the points have other dimensions.
    pub fn inverse_transform(&self, points: &Embedding) -> Result<Split> {
        const OP: &str = "FittedPca::inverse_transform";
        let Some([height, width, channels]) = self.shape else {
            return Err(Error::invalid(OP, "components of pictures", "components of rows", ""));
        };
        if points.dimensions() != self.len() {
            let expected = format!("points of {} dimensions", self.len());
            return Err(Error::invalid(OP, expected, points.dimensions().to_string(), ""));
        }
        let places = points.points();
        let numbers = places.as_standard_layout();
        let numbers = numbers.as_slice().expect("the standard layout is contiguous");
        let pictures = no_grad(|| {
            let places = Tensor::from_slice(numbers).view([-1, self.len() as i64]);
            let pictures = places.matmul(&self.components) + &self.mean;
            (pictures.clamp(0.0, 1.0) * 255.0).round().to_kind(Kind::Uint8)
        });
        let bytes = Vec::<u8>::try_from(pictures.contiguous().view(-1))?;
        let images = Array4::from_shape_vec((points.len(), height, width, channels), bytes)
            .expect("a row for each point");
        let name = format!("{} from {} components", points.name(), self.len());
        Split::new(name, images, points.labels(), points.classes())
    }

    /// The first components as pictures, with the fraction of the variance that each explains.
    /// Middle grey is no change; opposite colours are changes in opposite directions.
    ///
    /// # Errors
    ///
    /// If the components were not found for pictures, or there is nothing to draw.
    pub fn component_grid(&self, rows: usize, columns: usize) -> Result<Figure> {
        const OP: &str = "FittedPca::component_grid";
        let Some([height, width, channels @ (1 | 3)]) = self.shape else {
            let hint = "Fit it on a Split or a TensorSet of pictures.";
            return Err(Error::invalid(OP, "components of pictures", "components of rows", hint));
        };
        let shown = (rows * columns).min(self.len());
        let components = self.components();
        let pictures: Vec<_> = components
            .outer_iter()
            .take(shown)
            .map(|component| {
                let largest = component.iter().fold(f32::MIN_POSITIVE, |a, b| a.max(b.abs()));
                let byte = |value: &f32| (127.5 + 127.5 * value / largest).round() as u8;
                let bytes = component.iter().map(byte).collect();
                let picture = Array3::from_shape_vec((height, width, channels), bytes);
                picture.expect("a component is a picture").into_shared()
            })
            .collect();
        let ratios = self.explained_variance_ratio();
        let captions: Vec<Caption> = ratios[..shown]
            .iter()
            .enumerate()
            .map(|(i, &ratio)| Caption::new(format!("{}: {}", i + 1, percent(ratio))))
            .collect();
        let together: f64 = ratios[..shown].iter().sum();
        let title =
            format!("{} - {shown} components, {} of the variance", self.name, percent(together));
        Ok(image_grid(&pictures, &captions, columns)?.title(title.trim_start_matches(" - ")))
    }
}

impl std::fmt::Debug for FittedPca {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kept = self.explained_variance_ratio().iter().sum();
        write!(
            f,
            "PCA: {} components of {} examples, {} of the variance",
            self.len(),
            crate::plot::thousands(self.examples as f64),
            percent(kept)
        )
    }
}

impl Show for FittedPca {
    fn content(&self) -> Content {
        const FEW: usize = 10;
        let mut sum = 0.0;
        let ratios = self.explained_variance_ratio();
        let rows = ratios.iter().zip(&self.variances).enumerate().map(|(i, (&ratio, variance))| {
            sum += ratio;
            [(i + 1).to_string(), format!("{variance:.4}"), percent(ratio), percent(sum)]
        });
        let rows: Vec<_> = rows.collect();
        let mut shown: Vec<_> = rows.iter().take(FEW).cloned().collect();
        if rows.len() > FEW + 1 {
            shown.push(["…", "…", "…", "…"].map(str::to_owned));
        }
        if rows.len() > FEW {
            shown.extend(rows.last().cloned());
        }
        Table::new(["component", "variance", "of the whole", "together"])
            .rows(shown)
            .align_right(0)
            .align_right(1)
            .align_right(2)
            .align_right(3)
            .footer(format!("{self:?}"))
            .content()
    }
}

/// `29.1 %`, `0.43 %`.
pub(super) fn percent(fraction: f64) -> String {
    let percent = 100.0 * fraction;
    if percent < 0.95 { format!("{percent:.2} %") } else { format!("{percent:.1} %") }
}

fn to_array(tensor: &Tensor) -> Array2<f32> {
    let size = tensor.size();
    let numbers = Vec::<f32>::try_from(tensor.contiguous().view(-1)).expect("f32 on the CPU");
    Array2::from_shape_vec((size[0] as usize, size[1] as usize), numbers).expect("the sizes match")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

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
    fn more_numbers_than_examples_are_no_trouble() {
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
    fn all_components_give_the_pictures_back() {
        let shapes = crate::datasets::shapes().unwrap().train.take(20);
        let pca = Pca::new(20).fit(&shapes).unwrap();
        let back = pca.inverse_transform(&pca.transform(&shapes).unwrap()).unwrap();
        let distance = |(a, b): (&u8, &u8)| i32::from(*a).abs_diff(i32::from(*b));
        let worst = back.images().iter().zip(shapes.images().iter()).map(distance).max();
        assert!(worst.unwrap() <= 1, "{worst:?}");
        assert_eq!(back.labels(), shapes.labels());
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

    #[test]
    fn the_table_shows_the_first_and_the_last() {
        let shapes = crate::datasets::shapes().unwrap().train.take(60);
        let pca = Pca::new(30).fit(&shapes).unwrap();
        let text = pca.content().plain();
        assert!(text.contains("…") && text.contains("30"), "{text}");
        assert!(format!("{pca:?}").starts_with("PCA: 30 components of 60 examples"));
    }
}
