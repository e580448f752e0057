//! Figures made of panels, in one visual style.
//!
//! A [`Figure`] is a title and a grid of panels at the width of a notebook. It is drawn as SVG by the
//! library itself: text is measured with the font that comes with it, so that nothing collides or is
//! clipped; on a page the colors follow the page's light or dark theme; [`Figure::save`] writes SVG
//! or PNG. Every figure carries a description in words.
//!
//! ```
//! use tchalk::plot::{Figure, Line, LinePanel};
//! let panel = LinePanel::new("loss")
//!     .x_label("epoch")
//!     .line(Line::new("train", vec![(1.0, 2.3), (2.0, 1.7), (3.0, 1.5)]));
//! let figure = Figure::grid(vec![panel.into()], 1)?.title("learning");
//! figure.save(std::env::temp_dir().join("learning.png"))?;
//! # Ok::<(), tchalk::Error>(())
//! ```
//!
//! A panel says how high it is at a given width, and draws on a `Canvas`, which writes SVG and records
//! where each text is: `assert_tidy` fails if two texts touch or one leaves the sheet. Panels name what a
//! color is for (`Ink`), never the color. On a page inks become CSS variables that follow the page's
//! light or dark theme, in a file they become the colors of a [`Theme`]. `scatter3d.js` is the only
//! script on a page; below it is a still SVG. `cargo xtask gallery` draws every figure from built-in
//! data.

mod axis;
mod bars;
mod canvas;
mod color_scale;
mod diagram;
mod encoded_image;
mod export;
mod figure;
mod font;
mod heat_grid;
mod heat_panel;
mod histogram;
mod image_grid;
mod intervals;
mod lines;
mod matrix;
mod prediction_panel;
mod scatter;
mod scatter3d;
mod sprite;
mod theme;
mod thumbnails;

pub use bars::BarPanel;
pub use color_scale::ColorScale;
pub use diagram::{Diagram, DiagramGroup, DiagramNode, NodeKind};
pub use figure::{Figure, Panel};
pub use heat_grid::{HeatGrid, HeatMap};
pub use histogram::HistogramPanel;
pub use image_grid::{Caption, Mark, image_grid};
pub use intervals::IntervalPanel;
pub use lines::{Line, LinePanel};
pub use scatter::ScatterPanel;
pub use scatter3d::Scatter3d;
pub use theme::Theme;

#[cfg(test)]
pub(crate) use figure::assert_tidy;
pub(crate) use figure::figure_content;
pub(crate) use heat_grid::MAX_MAP_SIDE;
pub(crate) use matrix::MatrixPanel;
pub(crate) use prediction_panel::PredictionPanel;
pub(crate) use thumbnails::ThumbnailPanel;

/// A panel is shown as a figure of its own.
macro_rules! show_as_figure {
    ($($panel:ty),*) => {$(
        impl crate::display::Show for $panel {
            fn content(&self) -> crate::display::Content {
                Panel::from(self.clone()).content()
            }
        }
    )*};
}

show_as_figure!(BarPanel, HistogramPanel, IntervalPanel, LinePanel, ScatterPanel);
