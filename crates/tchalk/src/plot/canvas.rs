//! The sheet that panels draw on: it writes SVG and records where each text is.

use super::font;
use super::theme::{Ink, Paint};
use crate::text::escape_html;
use std::fmt::Write;

/// A rectangle in pixels, from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Area {
    pub(super) fn right(self) -> f64 {
        self.x + self.width
    }

    pub(super) fn bottom(self) -> f64 {
        self.y + self.height
    }

    /// The largest area with this height-to-width ratio that fits in here, centered.
    pub(super) fn fitted(self, (height, width): (usize, usize)) -> Area {
        let (height, width) = (height as f64, width as f64);
        let scale = (self.width / width).min(self.height / height);
        let (width, height) = (scale * width, scale * height);
        let (x, y) = (self.x + (self.width - width) / 2.0, self.y + (self.height - height) / 2.0);
        Area { x, y, width, height }
    }

    /// Whether the two overlap; shared edges do not count.
    pub(super) fn touches(self, other: Area) -> bool {
        self.x < other.right()
            && other.x < self.right()
            && self.y < other.bottom()
            && other.y < self.bottom()
    }
}

/// Which point of a text its coordinates are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// The style of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextStyle {
    pub(super) size: f64,
    pub(super) bold: bool,
    pub(super) ink: Ink,
    pub(super) anchor: Anchor,
}

/// The title of a figure.
pub(super) const TITLE: TextStyle =
    TextStyle { size: 15.0, bold: true, ink: Ink::Text, anchor: Anchor::Start };
/// The title of a panel.
pub(super) const HEADING: TextStyle =
    TextStyle { size: 12.5, bold: true, ink: Ink::Text, anchor: Anchor::Start };
/// Captions, names, values.
pub(super) const LABEL: TextStyle =
    TextStyle { size: 11.0, bold: false, ink: Ink::Text, anchor: Anchor::Start };
/// Ticks and axis labels.
pub(super) const TICK: TextStyle =
    TextStyle { size: 10.5, bold: false, ink: Ink::Quiet, anchor: Anchor::Start };

impl TextStyle {
    pub(super) fn anchor(self, anchor: Anchor) -> TextStyle {
        TextStyle { anchor, ..self }
    }

    pub(super) fn ink(self, ink: Ink) -> TextStyle {
        TextStyle { ink, ..self }
    }

    pub(super) fn width(self, text: &str) -> f64 {
        font::width(text, self.size, self.bold)
    }

    /// A text, or as much of its beginning as fits into `room`, with an ellipsis.
    pub(super) fn shortened(self, text: &str, room: f64) -> String {
        font::shortened(text, self.size, self.bold, room)
    }

    /// The width of the widest of these texts; 0 where there are none.
    pub(super) fn widest<S: AsRef<str>>(self, texts: impl IntoIterator<Item = S>) -> f64 {
        texts.into_iter().map(|text| self.width(text.as_ref())).fold(0.0, f64::max)
    }
}

pub(super) struct Canvas {
    svg: String,
    paint: Paint,
    texts: Vec<(String, Area)>,
    /// Whether what is drawn is hidden until the pointer asks for it.
    hidden: bool,
}

impl Canvas {
    pub(super) fn new(paint: Paint) -> Canvas {
        Canvas { svg: String::new(), paint, texts: Vec::new(), hidden: false }
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        self.svg.write_fmt(element).expect("a string takes everything");
    }

    /// A text whose baseline is at `y`.
    pub(super) fn text(&mut self, x: f64, y: f64, text: &str, set: TextStyle) {
        if text.is_empty() {
            return;
        }
        let width = set.width(text);
        let (anchor, left) = match set.anchor {
            Anchor::Start => ("", x),
            Anchor::Middle => (" text-anchor=\"middle\"", x - width / 2.0),
            Anchor::End => (" text-anchor=\"end\"", x - width),
        };
        let area = Area { x: left, y: y - 0.76 * set.size, width, height: set.size };
        if !self.hidden {
            self.texts.push((text.to_owned(), area));
        }
        let (weight, color) =
            (if set.bold { " font-weight=\"bold\"" } else { "" }, self.paint.color(set.ink));
        self.push(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{}\" fill=\"{color}\"{weight}{anchor}>{}</text>",
            set.size,
            escape_html(text)
        ));
    }

    /// The title of a panel that begins at the upper left corner of `area`, cut to its width.
    pub(super) fn heading(&mut self, area: Area, title: &str) {
        let title = HEADING.shortened(title, area.width);
        self.text(area.x, area.y + 12.0, &title, HEADING);
    }

    /// A text rotated to read upward, starting at `y`; `x` is its baseline.
    pub(super) fn vertical_text(&mut self, x: f64, y: f64, text: &str, set: TextStyle) {
        if text.is_empty() {
            return;
        }
        let width = set.width(text);
        let area = Area { x: x - 0.76 * set.size, y: y - width, width: set.size, height: width };
        self.texts.push((text.to_owned(), area));
        let color = self.paint.color(set.ink);
        self.push(format_args!(
            "<text transform=\"translate({x:.1} {y:.1}) rotate(-90)\" font-size=\"{}\" \
             fill=\"{color}\">{}</text>",
            set.size,
            escape_html(text)
        ));
    }

    pub(super) fn rect(&mut self, area: Area, ink: Ink) {
        let Area { x, y, width, height } = area;
        let color = self.paint.color(ink);
        self.push(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{color}\"/>"
        ));
    }

    /// A rectangle with round corners and this opacity, from 0 (invisible) to 1.
    pub(super) fn tinted(&mut self, area: Area, radius: f64, ink: Ink, strength: f64) {
        let Area { x, y, width, height } = area;
        let color = self.paint.color(ink);
        self.push(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             rx=\"{radius:.1}\" fill=\"{color}\" fill-opacity=\"{strength}\"/>"
        ));
    }

    /// The outline of a rectangle with round corners.
    pub(super) fn outline(&mut self, area: Area, radius: f64, ink: Ink, width: f64, dashed: bool) {
        let Area { x, y, width: w, height: h } = area;
        let (dash, color) =
            (if dashed { " stroke-dasharray=\"6 4\"" } else { "" }, self.paint.color(ink));
        self.push(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" rx=\"{radius:.1}\" \
             fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\"{dash}/>"
        ));
    }

    /// A tinted box with an outline that covers what is below it.
    pub(super) fn card(&mut self, area: Area, radius: f64, ink: Ink, strength: f64) {
        let Area { x, y, width, height } = area;
        let (paper, color) = (self.paint.color(Ink::Paper), self.paint.color(ink));
        self.push(format_args!(
            "<g><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             rx=\"{radius:.1}\" fill=\"{paper}\"/><rect x=\"{x:.1}\" y=\"{y:.1}\" \
             width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{radius:.1}\" fill=\"{color}\" \
             fill-opacity=\"{strength}\" stroke=\"{color}\"/></g>"
        ));
    }

    /// A line of horizontal and vertical segments, with round corners.
    pub(super) fn connector(&mut self, points: &[(f64, f64)], ink: Ink, width: f64) {
        const RADIUS: f64 = 5.0;
        let Some(&(x, y)) = points.first() else { return };
        let mut path = format!("M{x:.1} {y:.1}");
        for three in points.windows(3) {
            let ((ax, ay), (bx, by), (cx, cy)) = (three[0], three[1], three[2]);
            let (before, after) = ((bx - ax).hypot(by - ay), (cx - bx).hypot(cy - by));
            if before < 0.1 || after < 0.1 {
                continue;
            }
            let round = RADIUS.min(before / 2.0).min(after / 2.0);
            let (into, out) = (round / before, round / after);
            let from = (bx - (bx - ax) * into, by - (by - ay) * into);
            let to = (bx + (cx - bx) * out, by + (cy - by) * out);
            write!(path, "L{:.1} {:.1}Q{bx:.1} {by:.1} {:.1} {:.1}", from.0, from.1, to.0, to.1)
                .expect("a string takes everything");
        }
        let (x, y) = points[points.len() - 1];
        let color = self.paint.color(ink);
        self.push(format_args!(
            "<path d=\"{path}L{x:.1} {y:.1}\" fill=\"none\" stroke=\"{color}\" \
             stroke-width=\"{width}\"/>"
        ));
    }

    pub(super) fn rule(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.line(&[from, to], Ink::Rule, 1.0, false);
    }

    pub(super) fn line(&mut self, points: &[(f64, f64)], ink: Ink, width: f64, dashed: bool) {
        let coordinates: Vec<String> =
            points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let (dash, color) =
            (if dashed { " stroke-dasharray=\"6 4\"" } else { "" }, self.paint.color(ink));
        self.push(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\" \
             stroke-linejoin=\"round\"{dash}/>",
            coordinates.join(" ")
        ));
    }

    /// A filled outline.
    pub(super) fn fill(&mut self, points: &[(f64, f64)], ink: Ink) {
        let coordinates: Vec<String> =
            points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let color = self.paint.color(ink);
        self.push(format_args!("<polygon points=\"{}\" fill=\"{color}\"/>", coordinates.join(" ")));
    }

    pub(super) fn dot(&mut self, (x, y): (f64, f64), radius: f64, ink: Ink) {
        let color = self.paint.color(ink);
        self.push(format_args!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{color}\"/>"
        ));
    }

    /// An image whose pixels stay square when it is enlarged.
    pub(super) fn image(&mut self, area: Area, data_url: &str) {
        let Area { x, y, width, height } = area;
        self.push(format_args!(
            "<image x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             style=\"image-rendering:pixelated\" href=\"{data_url}\"/>"
        ));
    }

    /// An image whose pixels stay square or, if `smooth`, are interpolated.
    pub(super) fn scaled_image(&mut self, area: Area, data_url: &str, smooth: bool) {
        if !smooth {
            return self.image(area, data_url);
        }
        let Area { x, y, width, height } = area;
        self.push(format_args!(
            "<image x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             preserveAspectRatio=\"none\" href=\"{data_url}\"/>"
        ));
    }

    /// Keeps an image of this height and width for [`Canvas::use_image`], which may draw it any
    /// number of times, and [`Canvas::cell`]. Its name is that of its content: a page may hold the
    /// same figure twice.
    pub(super) fn define_image(
        &mut self,
        (height, width): (usize, usize),
        data_url: &str,
        smooth: bool,
    ) -> String {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in data_url.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let id = format!("tk-{hash:016x}");
        let style = if smooth { "" } else { " style=\"image-rendering:pixelated\"" };
        self.push(format_args!(
            "<defs><image id=\"{id}\" width=\"{width}\" height=\"{height}\"{style} \
             href=\"{data_url}\"/></defs>"
        ));
        id
    }

    /// Draws an image that was defined, of this height and width.
    pub(super) fn use_image(&mut self, area: Area, (height, width): (usize, usize), id: &str) {
        let (across, down) = (area.width / width as f64, area.height / height as f64);
        self.push(format_args!(
            "<use href=\"#{id}\" transform=\"translate({:.1} {:.1}) scale({across:.4} {down:.4})\"/>",
            area.x, area.y
        ));
    }

    /// Many dots at once. Overlapping dots of one call do not grow darker.
    pub(super) fn dots(&mut self, points: &[(f64, f64)], radius: f64, ink: Ink, opacity: f64) {
        if points.is_empty() {
            return;
        }
        // A line of no length with round ends: a few bytes for each dot.
        let path: String = points.iter().map(|(x, y)| format!("M{x:.1} {y:.1}h0")).collect();
        let (width, color) = (2.0 * radius, self.paint.color(ink));
        self.push(format_args!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width:.1}\" \
             stroke-linecap=\"round\" stroke-opacity=\"{opacity}\"/>"
        ));
    }

    /// Whether this is a page, where things can be hidden and shown.
    pub(super) fn on_page(&self) -> bool {
        matches!(self.paint, Paint::FollowsPage)
    }

    /// Elements in a group with a class, for a style sheet or a script.
    pub(super) fn group(&mut self, class: &str, draw: impl FnOnce(&mut Canvas)) {
        self.push(format_args!("<g class=\"{class}\">"));
        draw(self);
        self.svg.push_str("</g>");
    }

    /// An invisible rectangle that a script finds by its class.
    pub(super) fn marked_area(&mut self, class: &str, area: Area) {
        let Area { x, y, width, height } = area;
        self.push(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\" fill=\"none\"/>"
        ));
    }

    /// A round spot that, while the pointer is on it, shows a ring and what `draw` draws.
    pub(super) fn hover_spot(
        &mut self,
        (x, y): (f64, f64),
        radius: f64,
        draw: impl FnOnce(&mut Canvas),
    ) {
        self.push(format_args!(
            "<g class=\"tk-spot\"><circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/><g class=\"tk-more\">"
        ));
        self.hidden = true;
        draw(self);
        self.hidden = false;
        self.svg.push_str("</g></g>");
    }

    /// The part of a defined image that begins at these pixels, and has this width and height.
    pub(super) fn image_crop(
        &mut self,
        area: Area,
        id: &str,
        (left, top): (usize, usize),
        (width, height): (usize, usize),
    ) {
        let Area { x, y, width: w, height: h } = area;
        self.push(format_args!(
            "<svg x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" \
             viewBox=\"{left} {top} {width} {height}\"><use href=\"#{id}\"/></svg>"
        ));
    }

    /// Where each text is.
    pub(super) fn texts(&self) -> Vec<(String, Area)> {
        self.texts.clone()
    }

    /// The elements drawn so far.
    pub(super) fn into_svg(self) -> String {
        self.svg
    }
}
