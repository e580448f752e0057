//! A confusion matrix: a table of counts as colored squares.

use super::canvas::{Anchor, Area, Canvas, LABEL, TICK, TextStyle};
use super::encoded_image::png_url;
use super::figure::{Draw, Panel};
use super::theme::{Ink, Theme};
use crate::text::{fine_percent, thousands};
use ndarray::Array2;

/// Up to so many classes each square says its count and its percentage.
const BOTH: usize = 12;
/// Up to so many it says its percentage, and all names are written.
const NAMED: usize = 30;
const HEADING_HEIGHT: f64 = 26.0;
const LARGEST_CELL: f64 = 66.0;
/// Names take at most this part of the width.
const NAMES: f64 = 0.22;
/// How strong the strongest color is: text on it stays readable on light and dark pages.
const STRONGEST: f64 = 0.62;
/// How strong the color of the least part is, where squares are too small for numbers.
const FAINTEST: f64 = 0.25;
const RIGHT_INK: Ink = Ink::Class(0);
const WRONG_INK: Ink = Ink::Class(6);

/// Counts with a name for each row and column, colored by their part of the row.
#[derive(Debug, Clone)]
pub(crate) struct MatrixPanel {
    title: String,
    rows: String,
    columns: String,
    names: Vec<String>,
    counts: Array2<usize>,
}

impl MatrixPanel {
    /// `counts` `[n, n]` with `n` names, and what the rows and the columns are.
    pub(crate) fn new(
        title: &str,
        (rows, columns): (&str, &str),
        names: Vec<String>,
        counts: Array2<usize>,
    ) -> MatrixPanel {
        assert_eq!(counts.dim(), (names.len(), names.len()), "a name for each row and column");
        let (title, rows, columns) = (title.to_owned(), rows.to_owned(), columns.to_owned());
        MatrixPanel { title, rows, columns, names, counts }
    }

    /// Each count of a row as a part of them all; zeros where there are none.
    fn fractions(&self, row: usize) -> Vec<f64> {
        let counts = self.counts.row(row);
        let sum = counts.sum().max(1) as f64;
        counts.iter().map(|&count| count as f64 / sum).collect()
    }

    /// Small parts are seen, too.
    fn strength(fraction: f64) -> f64 {
        STRONGEST * fraction.sqrt()
    }

    fn layout(&self, width: f64) -> Layout {
        let n = self.names.len() as f64;
        let set = if self.names.len() <= BOTH { LABEL } else { TextStyle { size: 9.0, ..LABEL } };
        let longest = set.widest(&self.names);
        let left = longest.min(NAMES * width) + 8.0;
        let cell = ((width - left - 2.0) / n).min(LARGEST_CELL);
        // Upright where a name does not fit over its column.
        let upright = longest > cell - 4.0;
        let top = if upright { longest.min(110.0) + 10.0 } else { 18.0 };
        Layout { left, top, cell, upright, set }
    }

    fn heading(&self) -> f64 {
        HEADING_HEIGHT + 16.0
    }
}

struct Layout {
    left: f64,
    top: f64,
    cell: f64,
    upright: bool,
    set: TextStyle,
}

impl From<MatrixPanel> for Panel {
    fn from(panel: MatrixPanel) -> Panel {
        Panel::new(panel)
    }
}

impl Draw for MatrixPanel {
    fn width(&self, room: f64) -> f64 {
        let n = self.names.len();
        let layout = self.layout(room);
        if n > NAMED {
            room
        } else {
            (layout.left + n as f64 * layout.cell + 2.0).max(330.0).min(room)
        }
    }

    fn height(&self, width: f64) -> f64 {
        let n = self.names.len() as f64;
        match self.names.len() > NAMED {
            true => self.heading() + 36.0 + (width - 44.0),
            false => {
                let layout = self.layout(width);
                self.heading() + layout.top + n * layout.cell + 4.0
            }
        }
    }

    fn draw(&self, canvas: &mut Canvas, area: Area) {
        canvas.heading(area, &self.title);
        let squares = match self.names.len() {
            n if n <= BOTH => "number, and per cent of the row",
            n if n <= NAMED => "per cent of the row",
            _ => "classes by number",
        };
        let what = format!("rows: {}; columns: {}; {squares}", self.rows, self.columns);
        canvas.text(area.x, area.y + 28.0, &TICK.shortened(&what, area.width), TICK);
        if self.names.len() > NAMED {
            self.draw_many(canvas, area);
        } else {
            self.draw_few(canvas, area);
        }
    }

    fn description(&self) -> String {
        let right: usize = self.counts.diag().sum();
        let all: usize = self.counts.sum();
        let (n, right, all) = (self.names.len(), thousands(right), thousands(all));
        format!("{}: {n} classes, {right} of {all} on the diagonal", self.title)
    }
}

impl MatrixPanel {
    /// Every square with its numbers.
    fn draw_few(&self, canvas: &mut Canvas, area: Area) {
        let n = self.names.len();
        let Layout { left, top, cell, upright, set } = self.layout(area.width);
        let (x, y) = (area.x + left, area.y + self.heading() + top);
        let count_set = TextStyle { size: if n <= BOTH { 12.0 } else { 8.0 }, ..LABEL };
        for (i, name) in self.names.iter().enumerate() {
            let middle = (i as f64 + 0.5) * cell;
            let row = set.shortened(name, left - 8.0);
            canvas.text(x - 7.0, y + middle + 3.8, &row, set.anchor(Anchor::End));
            if upright {
                let column = set.shortened(name, top - 10.0);
                canvas.vertical_text(x + middle + 3.6, y - 6.0, &column, set);
            } else {
                let column = set.shortened(name, cell - 4.0);
                canvas.text(x + middle, y - 6.0, &column, set.anchor(Anchor::Middle));
            }
        }
        for row in 0..n {
            for (column, fraction) in self.fractions(row).into_iter().enumerate() {
                let count = self.counts[[row, column]];
                let square = Area {
                    x: x + column as f64 * cell + 0.5,
                    y: y + row as f64 * cell + 0.5,
                    width: cell - 1.0,
                    height: cell - 1.0,
                };
                canvas.tinted(square, 2.0, Ink::Rule, 0.25);
                if count == 0 {
                    continue;
                }
                let ink = if row == column { RIGHT_INK } else { WRONG_INK };
                canvas.tinted(square, 2.0, ink, Self::strength(fraction));
                let (middle, center) =
                    (square.x + square.width / 2.0, square.y + square.height / 2.0);
                let percent = fine_percent(fraction, 0);
                if n <= BOTH {
                    let number = thousands(count);
                    let size = count_set
                        .size
                        .min(count_set.size * (cell - 6.0) / count_set.width(&number));
                    let number_set = TextStyle { size, ..count_set };
                    canvas.text(middle, center - 1.0, &number, number_set.anchor(Anchor::Middle));
                    let small = TextStyle { size: 9.0, ..LABEL };
                    canvas.text(middle, center + 12.0, &percent, small.anchor(Anchor::Middle));
                } else if fraction >= 0.005 {
                    let number = percent.trim_end_matches(" %").to_owned();
                    canvas.text(middle, center + 3.0, &number, count_set.anchor(Anchor::Middle));
                }
            }
        }
    }

    /// Squares too small for numbers, as one image; a name at every few.
    fn draw_many(&self, canvas: &mut Canvas, area: Area) {
        let n = self.names.len();
        let side = area.width - 44.0;
        let square =
            Area { x: area.x + 40.0, y: area.y + self.heading() + 22.0, width: side, height: side };
        canvas.tinted(square, 0.0, Ink::Rule, 0.25);
        let [right, wrong] = [RIGHT_INK, WRONG_INK].map(|ink| Theme::light().rgb(ink));
        let mut bytes = Vec::with_capacity(4 * n * n);
        for row in 0..n {
            for (column, fraction) in self.fractions(row).into_iter().enumerate() {
                bytes.extend(if row == column { right } else { wrong });
                // A single mistake among many is seen, too.
                let strength = if fraction > 0.0 { FAINTEST } else { 0.0 };
                let strength = strength + (1.0 - strength) * fraction.sqrt();
                bytes.push((255.0 * strength) as u8);
            }
        }
        canvas.image(square, &png_url(n, n, 4, &bytes));
        let cell = side / n as f64;
        // A number at every tenth class or so: their names are too many to be written.
        let step =
            [5, 10, 20, 50, 100, 200].into_iter().find(|&step| n / step <= 12).unwrap_or(500);
        for class in (0..n).step_by(step) {
            let middle = (class as f64 + 0.5) * cell;
            let number = class.to_string();
            canvas.text(square.x - 6.0, square.y + middle + 3.8, &number, TICK.anchor(Anchor::End));
            canvas.text(square.x + middle, square.y - 6.0, &number, TICK.anchor(Anchor::Middle));
        }
        canvas.outline(square, 0.0, Ink::Rule, 1.0, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::figure::{Figure, assert_tidy};

    fn figure(classes: usize, name: &str, most: usize) -> Figure {
        let counts =
            Array2::from_shape_fn((classes, classes), |(i, j)| most / (1 + 3 * i.abs_diff(j)));
        let names = (0..classes).map(|i| format!("{name} {i}")).collect();
        let panel = MatrixPanel::new("all", ("what it is", "what was said"), names, counts);
        Figure::grid(vec![panel.into()], 1).unwrap()
    }

    #[test]
    fn few_and_many_classes_are_tidy() {
        for classes in [1, 2, 10, 12, 13, 20, 30, 31, 100, 1000] {
            assert_tidy(&figure(classes, "class", 1000));
            assert_tidy(&figure(classes, "a class with a very long name indeed, number", 123_456));
        }
    }

    #[test]
    fn a_hundred_classes_are_small() {
        let svg = figure(100, "class", 1000).to_svg(&Theme::light());
        assert!(svg.len() < 60_000, "{}", svg.len());
        let svg = figure(30, "class", 1000).to_svg(&Theme::light());
        assert!(svg.len() < 300_000, "{}", svg.len());
    }
}
