//! An image beside the probabilities of its classes.

use super::canvas::{Anchor, Area, Canvas, HEADING, LABEL, TICK, TextStyle};
use super::encoded_image::image_url;
use super::figure::{Draw, Panel};
use super::image_grid::Mark;
use super::theme::Ink;
use ndarray::{ArcArray, Ix3};

const HEADING_HEIGHT: f64 = 24.0;
const IMAGE: f64 = 128.0;
const ROW: f64 = 15.0;
const BAR: f64 = 10.0;
const NAME: TextStyle = TextStyle { size: 10.0, ..LABEL };
/// Of more classes only the most probable are drawn.
const MOST: usize = 10;

/// An image, and a bar for each class.
#[derive(Debug, Clone)]
pub(crate) struct PredictionPanel {
    title: String,
    mark: Option<Mark>,
    image: (String, bool),
    /// Height by width.
    shape: (usize, usize),
    bars: Vec<Bar>,
}

#[derive(Debug, Clone)]
struct Bar {
    name: String,
    value: f64,
    ink: Ink,
    bold: bool,
}

impl PredictionPanel {
    /// `said` is the predicted class; `truth` is the right one, where it is known.
    pub(crate) fn new(
        image: &ArcArray<u8, Ix3>,
        probabilities: &[f32],
        said: usize,
        truth: Option<usize>,
        names: &[String],
    ) -> PredictionPanel {
        let mut classes: Vec<usize> = (0..probabilities.len()).collect();
        if classes.len() > MOST {
            classes.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]).then(a.cmp(&b)));
            // The right one is always there.
            if let Some(index) = classes.iter().position(|&class| Some(class) == truth) {
                let right = classes.remove(index);
                classes.insert(index.min(MOST - 1), right);
            }
            classes.truncate(MOST);
        }
        let bars = classes.into_iter().map(|class| Bar {
            name: names[class].clone(),
            value: f64::from(probabilities[class]),
            ink: match truth {
                Some(truth) if class == truth => Ink::Right,
                Some(_) if class == said => Ink::Wrong,
                _ => Ink::Class(0),
            },
            bold: Some(class) == truth || class == said,
        });
        let mark = truth.map(|truth| if truth == said { Mark::Right } else { Mark::Wrong });
        let title = match truth {
            Some(truth) if truth == said => format!("✔ {}", names[said]),
            Some(truth) => {
                let right = names.get(truth).map_or("?", String::as_str);
                format!("✘ {} ({right})", names[said])
            }
            None => names[said].clone(),
        };
        let shape = (image.dim().0, image.dim().1);
        PredictionPanel { title, mark, image: image_url(image), shape, bars: bars.collect() }
    }
}

impl From<PredictionPanel> for Panel {
    fn from(panel: PredictionPanel) -> Panel {
        Panel::new(panel)
    }
}

impl Draw for PredictionPanel {
    fn height(&self, _width: f64) -> f64 {
        HEADING_HEIGHT + IMAGE.max(ROW * self.bars.len() as f64)
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        let ink = match self.mark {
            Some(Mark::Right) => Ink::Right,
            Some(Mark::Wrong) => Ink::Wrong,
            None => Ink::Text,
        };
        let title = HEADING.shortened(&self.title, area.width);
        canvas.text(area.x, area.y + 12.0, &title, HEADING.ink(ink));
        let top = area.y + HEADING_HEIGHT;
        let room = Area { x: area.x, y: top, width: IMAGE, height: IMAGE };
        canvas.scaled_image(room.fitted(self.shape), &self.image.0, self.image.1);
        let left = area.x + IMAGE + 14.0;
        let set = |bold| TextStyle { bold, ..NAME };
        let room = 0.4 * (area.right() - left);
        let names: Vec<String> =
            self.bars.iter().map(|bar| set(bar.bold).shortened(&bar.name, room)).collect();
        let widths = names.iter().zip(&self.bars).map(|(name, bar)| set(bar.bold).width(name));
        let before = widths.fold(0.0, f64::max) + 7.0;
        let behind = TICK.width("100.0 %") + 6.0;
        let scale = area.right() - left - before - behind;
        for (i, bar) in self.bars.iter().enumerate() {
            let y = top + ROW * i as f64;
            let baseline = y + ROW / 2.0 + 3.6;
            let x = left + before;
            let length = scale * bar.value.clamp(0.0, 1.0);
            canvas.text(x - 7.0, baseline, &names[i], set(bar.bold).anchor(Anchor::End));
            canvas.rect(Area { x, y: y + (ROW - BAR) / 2.0, width: length, height: BAR }, bar.ink);
            let value = format!("{:.1} %", 100.0 * bar.value);
            canvas.text(x + length + 5.0, baseline, &value, TextStyle { size: 9.5, ..TICK });
        }
        let x = left + before;
        canvas.rule((x, top), (x, top + ROW * self.bars.len() as f64));
    }

    fn description(&self) -> String {
        let mut bars: Vec<&Bar> = self.bars.iter().collect();
        bars.sort_by(|a, b| b.value.total_cmp(&a.value));
        let bars =
            bars.iter().take(3).map(|bar| format!("{} {:.1} %", bar.name, 100.0 * bar.value));
        format!("{}: {}", self.title, bars.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::figure::{Figure, assert_tidy};
    use ndarray::Array3;

    #[test]
    fn few_and_many_classes_are_tidy_and_the_right_one_is_there() {
        let image = Array3::from_elem((32, 48, 3), 90u8).into_shared();
        for classes in [1, 2, 10, 100] {
            let names: Vec<String> = (0..classes).map(|i| format!("class number {i}")).collect();
            let mut probabilities = vec![0.0; classes];
            probabilities[0] = 1.0;
            let panel = PredictionPanel::new(&image, &probabilities, 0, Some(classes - 1), &names);
            assert!(panel.bars.iter().any(|bar| bar.ink == Ink::Right), "{classes}");
            let panels = vec![panel.clone().into(), panel.into()];
            assert_tidy(&Figure::grid(panels, 2).unwrap());
        }
    }
}
