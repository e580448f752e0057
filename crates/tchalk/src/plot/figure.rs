//! A figure: a title over a grid of panels.

use super::canvas::{Area, Canvas, TITLE};
use super::font;
use super::theme::{Ink, Paint, Theme, style_sheet};
use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::text::escape_html;
use std::sync::Arc;

/// The width of a notebook's output, in pixels.
const WIDTH: f64 = 900.0;
/// The room around everything.
const MARGIN: f64 = 14.0;
/// The room inside the margins.
pub(super) const WIDTH_INSIDE: f64 = WIDTH - 2.0 * MARGIN;
/// The room between panels.
const GAP: f64 = 26.0;
/// The height that the figure's title takes.
const TITLE_HEIGHT: f64 = 28.0;

/// What every panel implements.
pub(super) trait Draw: std::fmt::Debug + Send + Sync {
    /// How wide it wants to be, at most `room`.
    fn width(&self, room: f64) -> f64 {
        room
    }

    /// How high it is at this width.
    fn height(&self, width: f64) -> f64;

    /// Draws into `area`, which has the width and at least the height asked for.
    fn draw(&self, canvas: &mut Canvas, area: Area);

    /// What it shows, in words.
    fn description(&self) -> String;
}

/// One part of a figure: made from a [`BarPanel`](super::BarPanel), an
/// [`IntervalPanel`](super::IntervalPanel), a [`LinePanel`](super::LinePanel), a
/// [`HistogramPanel`](super::HistogramPanel), a [`ScatterPanel`](super::ScatterPanel), with `.into()`.
#[derive(Debug, Clone)]
pub struct Panel(Arc<dyn Draw>);

impl Panel {
    pub(super) fn new(panel: impl Draw + 'static) -> Panel {
        Panel(Arc::new(panel))
    }
}

/// Panels in a grid, under a title.
#[derive(Clone)]
pub struct Figure {
    title: String,
    panels: Vec<Panel>,
    columns: usize,
}

impl Figure {
    /// Panels side by side, `columns` to a row.
    ///
    /// # Errors
    ///
    /// If there are no panels, or no columns.
    pub fn grid(panels: Vec<Panel>, columns: usize) -> Result<Figure> {
        if panels.is_empty() || columns == 0 {
            let got = format!("{} panels in {columns} columns", panels.len());
            return Err(Error::invalid("Figure::grid", "at least one of each", got, ""));
        }
        let columns = columns.min(panels.len());
        Ok(Figure { title: String::new(), panels, columns })
    }

    /// The title above all panels.
    pub fn title(mut self, title: impl Into<String>) -> Figure {
        self.title = title.into();
        self
    }

    /// What the figure shows, in words: for readers who cannot see it.
    pub fn description(&self) -> String {
        describe(&self.title, self.panels.iter().map(|panel| panel.0.description()))
    }

    /// The figure as an SVG document in the colors of `theme`.
    pub fn to_svg(&self, theme: &Theme) -> String {
        let (canvas, width, height) = self.draw(Paint::Fixed(*theme));
        self.document(canvas, width, height, "")
    }

    /// The figure for a page, in colors that follow the page's theme.
    pub(super) fn to_html(&self) -> String {
        let (canvas, width, height) = self.draw(Paint::FollowsPage);
        let style = format!("<style>{}</style>", style_sheet());
        let attributes =
            " class=\"tchalk-figure\" style=\"display:block;max-width:100%;height:auto\"";
        format!("{style}{}", self.document(canvas, width, height, attributes))
    }

    /// How wide the sheet is, in pixels.
    pub(super) fn width(&self) -> f64 {
        self.layout().width
    }

    fn document(&self, canvas: Canvas, width: f64, height: f64, attributes: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"{}\" role=\"img\" \
             aria-label=\"{}\"{attributes}>{}</svg>",
            font::FAMILY,
            escape_html(&self.description()),
            canvas.into_svg(),
        )
    }

    /// The layout problems: each text that leaves the sheet or overlaps another one. Empty for every
    /// figure that the library draws; useful when you build figures from panels.
    pub fn overlaps(&self) -> Vec<String> {
        let (canvas, width, height) = self.draw(Paint::FollowsPage);
        let texts = canvas.texts();
        let mut found = Vec::new();
        for (i, (text, a)) in texts.iter().enumerate() {
            if a.x < 0.0 || a.y < 0.0 || a.right() > width || a.bottom() > height {
                found.push(format!("{text:?} at {a:?} leaves the sheet of {width} by {height}"));
            }
            let touched = texts[i + 1..].iter().filter(|(_, b)| a.touches(*b));
            found.extend(touched.map(|(other, _)| format!("{text:?} touches {other:?} at {a:?}")));
        }
        found
    }

    /// Where everything will be.
    fn layout(&self) -> Layout<'_> {
        let room = WIDTH_INSIDE;
        let columns = self.columns as f64;
        let column = (room - GAP * (columns - 1.0)) / columns;
        let column = self.panels.iter().map(|panel| panel.0.width(column)).fold(0.0, f64::max);
        let title = TITLE.shortened(&self.title, room);
        let content = columns * column + GAP * (columns - 1.0);
        let width = (content.max(TITLE.width(&title)) + 2.0 * MARGIN).ceil();
        let rows: Vec<(&[Panel], f64)> = self
            .panels
            .chunks(self.columns)
            .map(|row| (row, row.iter().map(|panel| panel.0.height(column)).fold(0.0, f64::max)))
            .collect();
        let top = MARGIN + if title.is_empty() { 0.0 } else { TITLE_HEIGHT };
        let heights: f64 = rows.iter().map(|(_, height)| height).sum();
        let height = (top + heights + GAP * (rows.len() - 1) as f64 + MARGIN).ceil();
        Layout { title, top, column, rows, width, height }
    }

    /// Draws everything; the canvas, and the size of the sheet.
    pub(super) fn draw(&self, paint: Paint) -> (Canvas, f64, f64) {
        let Layout { title, top, column, rows, width, height } = self.layout();
        let mut canvas = Canvas::new(paint);
        canvas.rect(Area { x: 0.0, y: 0.0, width, height }, Ink::Paper);
        canvas.text(MARGIN, MARGIN + 13.0, &title, TITLE);
        let mut y = top;
        for (row, height) in rows {
            for (i, panel) in row.iter().enumerate() {
                let x = MARGIN + i as f64 * (column + GAP);
                panel.0.draw(&mut canvas, Area { x, y, width: column, height });
            }
            y += height + GAP;
        }
        (canvas, width, height)
    }
}

/// A figure before it is drawn.
struct Layout<'a> {
    /// The title, cut to the sheet's width.
    title: String,
    /// Where the first row begins.
    top: f64,
    /// How wide a panel is.
    column: f64,
    /// The panels of each row, and its height.
    rows: Vec<(&'a [Panel], f64)>,
    width: f64,
    height: f64,
}

/// A title, where there is one, and what each panel shows.
pub(super) fn describe(title: &str, panels: impl Iterator<Item = String>) -> String {
    let title = (!title.is_empty()).then(|| title.to_owned());
    title.into_iter().chain(panels).collect::<Vec<_>>().join(". ")
}

impl std::fmt::Debug for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "figure: {}", self.description())
    }
}

impl Show for Panel {
    fn content(&self) -> Content {
        let figure = Figure::grid(vec![self.clone()], 1).expect("one panel in one column");
        figure.content()
    }
}

impl Show for Figure {
    fn content(&self) -> Content {
        Content::html(format!("{self:?}"), self.to_html())
    }
}

/// What a value with a figure shows: text in a terminal, the figure on a page, or the error if it
/// cannot be drawn.
pub(crate) fn figure_content(words: String, figure: Result<Figure>) -> Content {
    match figure {
        Ok(figure) => Content::html(words, figure.to_html()),
        Err(error) => Content::text(error.to_string()),
    }
}

/// Fails if a text of `figure` leaves the sheet or touches another one.
#[cfg(test)]
pub(crate) fn assert_tidy(figure: &Figure) {
    let overlaps = figure.overlaps();
    assert!(overlaps.is_empty(), "{}", overlaps.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::BarPanel;

    fn panel(bars: usize) -> Panel {
        BarPanel::new("bars").bars((0..bars).map(|i| (format!("bar {i}"), i as f64))).into()
    }

    #[test]
    fn panels_stand_in_a_grid_without_touching() {
        let figure = Figure::grid(vec![panel(10), panel(3), panel(5)], 2).unwrap().title("three");
        assert_tidy(&figure);
        let svg = figure.to_svg(&Theme::light());
        assert!(svg.contains("aria-label=\"three. bars"), "{}", &svg[..300]);
    }

    #[test]
    fn a_title_that_is_too_long_is_cut() {
        assert_tidy(&Figure::grid(vec![panel(2)], 1).unwrap().title("word ".repeat(60)));
    }

    #[test]
    fn markup_in_a_name_stays_text() {
        let figure = Figure::grid(vec![panel(1)], 1).unwrap().title("a <b> & \"c\"");
        let svg = figure.to_svg(&Theme::dark());
        assert!(svg.contains("a &lt;b&gt; &amp; &quot;c&quot;") && !svg.contains("<b>"));
    }

    #[test]
    fn an_empty_grid_is_refused() {
        assert!(Figure::grid(vec![], 1).is_err());
        assert!(Figure::grid(vec![panel(1)], 0).is_err());
    }
}
