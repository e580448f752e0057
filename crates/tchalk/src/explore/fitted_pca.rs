//! Principal components, found: what lies along them, and what they look like.

use super::observations::{Rows, rows_of};
use super::{Embedding, Observations, to_array};
use crate::data::{Split, to_bytes};
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::plot::{Caption, Figure, image_grid};
use crate::table::Table;
use crate::text::{fine_percent, thousands};
use ndarray::{Array2, Array3, Array4};
use tch::{Device, Tensor, no_grad};

/// The principal components of some examples: what [`Pca::fit`](super::Pca::fit) returns.
pub struct FittedPca {
    pub(super) mean: Tensor,
    pub(super) components: Tensor,
    pub(super) variances: Vec<f64>,
    pub(super) total: f64,
    pub(super) shape: Option<[usize; 3]>,
    pub(super) name: String,
    pub(super) examples: usize,
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

    pub(super) fn project(&self, rows: Rows) -> Result<Embedding> {
        let written = |shape: Option<[usize; 3]>, width: usize| match shape {
            Some([height, width, channels]) => {
                format!("images of {height} × {width} × {channels}")
            }
            None => format!("rows of {width} numbers"),
        };
        let width = self.mean.size()[0] as usize;
        let fits = match (self.shape, rows.metadata.shape) {
            (Some(own), Some(other)) => own == other,
            _ => width == rows.width(),
        };
        if !fits {
            let (expected, got) =
                (written(self.shape, width), written(rows.metadata.shape, rows.width()));
            return Err(Error::invalid("FittedPca::transform", expected, got, ""));
        }
        let device = rows.matrix.device();
        let projected = no_grad(|| {
            let directions = self.components.to_device(device).tr();
            let mean = self.mean.to_device(device);
            let chunks = rows.chunks().into_iter().map(|(start, count)| {
                let chunk = rows.chunk(start, count) * rows.scale - &mean;
                chunk.matmul(&directions)
            });
            Tensor::cat(&chunks.collect::<Vec<_>>(), 0).to_device(Device::Cpu)
        });
        let axes = self.explained_variance_ratio().into_iter().enumerate();
        let axes =
            axes.map(|(i, ratio)| format!("component {}, {}", i + 1, fine_percent(ratio, 1)));
        Ok(Embedding::of(to_array(&projected), rows.metadata)
            .with_axes(axes.collect())
            .named("PCA"))
    }

    /// The images that points along the components stand for: what so many numbers keep of a
    /// image.
    ///
    /// # Errors
    ///
    /// If the components were not found for images, or the points have other dimensions.
    pub fn inverse_transform(&self, points: &Embedding) -> Result<Split> {
        const OP: &str = "FittedPca::inverse_transform";
        let Some([height, width, channels]) = self.shape else {
            return Err(Error::invalid(OP, "components of images", "components of rows", ""));
        };
        if points.dimensions() != self.len() {
            let expected = format!("points of {} dimensions", self.len());
            return Err(Error::invalid(OP, expected, points.dimensions().to_string(), ""));
        }
        let coordinates = points.points();
        let numbers = coordinates.as_standard_layout();
        let numbers = numbers.as_slice().expect("the standard layout is contiguous");
        let images = no_grad(|| {
            let coordinates = Tensor::from_slice(numbers).view([-1, self.len() as i64]);
            coordinates.matmul(&self.components) + &self.mean
        });
        let bytes = to_bytes(&images);
        let images = Array4::from_shape_vec((points.len(), height, width, channels), bytes)
            .expect("a row for each point");
        let name = format!("{} from {} components", points.name(), self.len());
        Split::new(name, images, points.labels(), points.classes())
    }

    /// The first components as images, with the fraction of the variance that each explains.
    /// Middle gray is no change; opposite colors are changes in opposite directions.
    ///
    /// # Errors
    ///
    /// If the components were not found for images, or there is nothing to draw.
    pub fn component_grid(&self, rows: usize, columns: usize) -> Result<Figure> {
        const OP: &str = "FittedPca::component_grid";
        let Some([height, width, channels @ (1 | 3)]) = self.shape else {
            let hint = "Fit it on a Split or a TensorSet of images.";
            return Err(Error::invalid(OP, "components of images", "components of rows", hint));
        };
        let shown = (rows * columns).min(self.len());
        let components = self.components();
        let images: Vec<_> = components
            .outer_iter()
            .take(shown)
            .map(|component| {
                let largest = component.iter().fold(f32::MIN_POSITIVE, |a, b| a.max(b.abs()));
                let byte = |value: &f32| (127.5 + 127.5 * value / largest).round() as u8;
                let bytes = component.iter().map(byte).collect();
                let image = Array3::from_shape_vec((height, width, channels), bytes);
                image.expect("a component is an image").into_shared()
            })
            .collect();
        let ratios = self.explained_variance_ratio();
        let captions: Vec<Caption> = ratios[..shown]
            .iter()
            .enumerate()
            .map(|(i, &ratio)| Caption::new(format!("{}: {}", i + 1, fine_percent(ratio, 1))))
            .collect();
        let together: f64 = ratios[..shown].iter().sum();
        let title = format!(
            "{} - {shown} components, {} of the variance",
            self.name,
            fine_percent(together, 1)
        );
        Ok(image_grid(&images, &captions, columns)?.title(title.trim_start_matches(" - ")))
    }
}

impl std::fmt::Debug for FittedPca {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kept = self.explained_variance_ratio().iter().sum();
        write!(
            f,
            "PCA: {} components of {} examples, {} of the variance",
            self.len(),
            thousands(self.examples),
            fine_percent(kept, 1)
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
            [
                (i + 1).to_string(),
                format!("{variance:.4}"),
                fine_percent(ratio, 1),
                fine_percent(sum, 1),
            ]
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

#[cfg(test)]
mod tests {
    use super::super::Pca;
    use super::*;

    #[test]
    fn all_components_give_the_images_back() {
        let shapes = crate::datasets::shapes().unwrap().train.take(20);
        let pca = Pca::new(20).fit(&shapes).unwrap();
        let back = pca.inverse_transform(&pca.transform(&shapes).unwrap()).unwrap();
        let distance = |(a, b): (&u8, &u8)| i32::from(*a).abs_diff(i32::from(*b));
        let worst = back.images().iter().zip(shapes.images().iter()).map(distance).max();
        assert!(worst.unwrap() <= 1, "{worst:?}");
        assert_eq!(back.labels(), shapes.labels());
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
