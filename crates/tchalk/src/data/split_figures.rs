//! Figures and tables of an image set: a grid of examples, histograms, shapes.

use super::{Dataset, Split};
use crate::error::Result;
use crate::plot::{BarPanel, Caption, Figure, HistogramPanel, Panel, image_grid};
use crate::runtime;
use crate::table::Table;
use crate::text::thousands;

/// With more classes the bars have no names.
const MAX_NAMES: usize = 40;

impl Split {
    /// Random images with their labels. Each call shows others.
    ///
    /// # Errors
    ///
    /// If `rows` or `columns` is zero, or the set is empty.
    pub fn image_grid(&self, rows: usize, columns: usize) -> Result<Figure> {
        let count = (rows * columns).min(self.len());
        let mut rng = runtime::seed::rng("image_grid");
        let shown = runtime::seed::choose(self.len(), count, &mut rng);
        let (labels, classes, images) = (self.labels(), self.class_names(), self.images());
        let captions: Vec<Caption> = shown
            .iter()
            .map(|&i| Caption::new(labels.get(i).map_or("", |&label| classes[label].as_str())))
            .collect();
        let images: Vec<_> =
            shown.iter().map(|&i| images.index_axis(ndarray::Axis(0), i).to_shared()).collect();
        Ok(image_grid(&images, &captions, columns)?.title(self.name()))
    }

    /// How often each label and each pixel value occurs. With more than 40 classes the bars have numbers
    /// instead of names.
    ///
    /// # Errors
    ///
    /// If the set is empty.
    pub fn histograms(&self) -> Result<Figure> {
        let classes = self.class_names();
        let mut label_counts = vec![0usize; classes.len()];
        self.labels().iter().for_each(|&label| label_counts[label] += 1);
        let mut pixel_counts = vec![0usize; 256];
        self.images().iter().for_each(|&value| pixel_counts[usize::from(value)] += 1);
        let pixels = pixel_counts.iter().sum::<usize>();
        let title = format!("labels of {} images", thousands(self.len()));
        let counts = label_counts.into_iter().map(|n| n as f64);
        let labels: Panel = match classes.len() > MAX_NAMES {
            true => HistogramPanel::new(title)
                .x_label("classes by number")
                .counts(0.0, classes.len() as f64, counts)
                .into(),
            false => BarPanel::new(title).bars(classes.into_iter().zip(counts)).into(),
        };
        let values = HistogramPanel::new(format!("values of {} pixels", thousands(pixels)))
            .x_label("pixel value, 0 (dark) to 255 (bright)")
            .counts(0.0, 256.0, pixel_counts.iter().map(|&n| n as f64));
        let panels = if self.labels().is_empty() {
            vec![values.into()]
        } else {
            vec![labels, values.into()]
        };
        let columns = panels.len();
        Ok(Figure::grid(panels, columns)?.title(self.name()))
    }
}

impl Dataset {
    /// A table of what is in the set: number, shape, type, and range of both splits.
    pub fn describe(&self) -> Table {
        let row = |split: &Split| {
            let images = split.images();
            let (n, height, width, channels) = images.dim();
            let (mut least, mut most, mut sum) = (u8::MAX, u8::MIN, 0u64);
            for &value in images.iter() {
                (least, most) = (least.min(value), most.max(value));
                sum += u64::from(value);
            }
            let mean = sum as f64 / images.len().max(1) as f64;
            let labels = split.labels();
            let range = match (labels.iter().min(), labels.iter().max()) {
                (Some(least), Some(most)) => format!("{least} to {most}"),
                _ => "none".into(),
            };
            [
                split.name(),
                format!("{} × {height} × {width} × {channels}", thousands(n)),
                "u8".into(),
                least.to_string(),
                most.to_string(),
                format!("{mean:.1}"),
                range,
            ]
        };
        Table::new(["", "images", "type", "min", "max", "mean", "labels"])
            .rows([row(&self.train), row(&self.test)])
            .align_right(3)
            .align_right(4)
            .align_right(5)
            .footer(self.source())
            .footer(format!("classes: {}", self.class_names().join(", ")))
    }
}
