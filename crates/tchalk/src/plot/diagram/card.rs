//! A box of a diagram: a layer, with the elementwise layers that follow it as rows below.

use super::{Diagram, DiagramNode, NodeKind};
use crate::plot::canvas::{Anchor, Area, LABEL, TICK, TextStyle};
use crate::plot::theme::Ink;
use crate::text::thousands;

/// What is quiet in a box, and what is written beside lines.
pub(super) const SMALL_TEXT: TextStyle = TextStyle { size: 9.5, ..TICK };
const NAME: TextStyle = TextStyle { bold: true, ..LABEL };
const STRIP_NAME: TextStyle = TextStyle { size: 10.0, ..LABEL };
const MAIN: f64 = 35.0;
const STRIP: f64 = 18.0;
/// From the left edge to the text, and from the text to the right edge.
const LEFT: f64 = 12.0;
const RIGHT: f64 = 8.0;
const NARROWEST: f64 = 76.0;
/// The sign of a layer that training leaves alone.
pub(super) const FROZEN: &str = "❄";

/// One line or two in a box.
#[derive(Debug, Clone)]
pub(super) struct CardRow {
    pub(super) title: String,
    pub(super) subtitle: String,
    pub(super) kind: NodeKind,
    frozen: bool,
    parameters: usize,
    strip: bool,
}

/// A layer and its strips, or a closed nested model.
#[derive(Debug, Clone)]
pub(super) struct Card {
    pub(super) rows: Vec<CardRow>,
}

impl Card {
    pub(super) fn new(nodes: &[&DiagramNode]) -> Card {
        let row = |(i, node): (usize, &&DiagramNode)| CardRow {
            title: node.title.clone(),
            subtitle: node.subtitle.clone(),
            kind: node.kind,
            frozen: node.frozen,
            parameters: node.parameters,
            strip: i > 0,
        };
        Card { rows: nodes.iter().enumerate().map(row).collect() }
    }

    /// A nested model as one box.
    pub(super) fn closed(diagram: &Diagram, group: usize) -> Card {
        let group = &diagram.groups[group];
        let row = CardRow {
            title: group.title.clone(),
            subtitle: diagram.layer_count(group),
            kind: NodeKind::Nested,
            frozen: group.frozen,
            parameters: group.parameters,
            strip: false,
        };
        Card { rows: vec![row] }
    }

    pub(super) fn height(&self) -> f64 {
        self.rows.iter().map(CardRow::height).sum()
    }

    /// How wide it would like to be.
    pub(super) fn width(&self) -> f64 {
        self.rows.iter().map(CardRow::width).fold(NARROWEST, f64::max).ceil()
    }

    /// How many names are too long for a box of this width.
    pub(super) fn cut_names(&self, width: f64) -> usize {
        self.rows.iter().filter(|row| row.name_width() > width).count()
    }

    pub(super) fn is_merge(&self) -> bool {
        self.rows[0].kind == NodeKind::Merge
    }

    pub(super) fn is_closed(&self) -> bool {
        self.rows[0].kind == NodeKind::Nested
    }

    pub(super) fn has_frozen(&self) -> bool {
        self.rows.iter().any(|row| row.frozen)
    }
}

impl CardRow {
    pub(super) fn height(&self) -> f64 {
        if self.strip { STRIP } else { MAIN }
    }

    fn name_width(&self) -> f64 {
        let set = if self.strip { STRIP_NAME } else { NAME };
        LEFT + set.width(&self.title) + self.sign_width() + RIGHT
    }

    /// The room of the sign behind the name.
    fn sign_width(&self) -> f64 {
        if self.frozen && !self.strip { SMALL_TEXT.width(FROZEN) + 6.0 } else { 0.0 }
    }

    fn width(&self) -> f64 {
        let numbers = match self.parameters {
            0 => 0.0,
            n => SMALL_TEXT.width(&thousands(n)) + 10.0,
        };
        let lines = match self.strip {
            true => STRIP_NAME.width(&self.title),
            false => {
                let name = NAME.width(&self.title) + self.sign_width();
                name.max(SMALL_TEXT.width(&self.subtitle) + numbers)
            }
        };
        LEFT + lines + RIGHT
    }

    /// The texts in a box of this width, from its upper left corner.
    pub(super) fn texts(&self, width: f64) -> Vec<(f64, f64, String, TextStyle)> {
        let room = width - LEFT - RIGHT;
        let mut texts = Vec::new();
        if self.strip {
            let title = STRIP_NAME.shortened(&self.title, room);
            let left = room - STRIP_NAME.width(&title) - 10.0;
            texts.push((LEFT, 12.8, title, STRIP_NAME));
            // relu is a relu: only what the name does not say.
            let says = |name: &str| self.title.to_lowercase().contains(&name.to_lowercase());
            let kind = self.subtitle.split(' ').next().unwrap_or_default();
            let more = self.subtitle.strip_prefix(kind).unwrap_or_default().trim();
            let aside = if says(kind) { more } else { self.subtitle.as_str() };
            if !aside.is_empty() && SMALL_TEXT.width(aside) <= left {
                texts.push((width - RIGHT, 12.6, aside.to_owned(), SMALL_TEXT.anchor(Anchor::End)));
            }
            return texts;
        }
        let title = NAME.shortened(&self.title, room - self.sign_width());
        texts.push((LEFT, 14.5, title, NAME));
        if self.frozen {
            texts.push((width - RIGHT, 14.5, FROZEN.into(), SMALL_TEXT.anchor(Anchor::End)));
        }
        let mut left = room;
        if self.parameters > 0 {
            let count = thousands(self.parameters);
            let wide = SMALL_TEXT.width(&count);
            // What it is comes first; the number of its weights only where both have room.
            if SMALL_TEXT.width(&self.subtitle) + 8.0 + wide <= room {
                texts.push((width - RIGHT, 27.5, count, SMALL_TEXT.anchor(Anchor::End)));
                left -= wide + 8.0;
            }
        }
        let subtitle = SMALL_TEXT.shortened(&self.subtitle, left);
        texts.push((LEFT, 27.5, subtitle, SMALL_TEXT.ink(Ink::Quiet)));
        texts
    }
}

/// The frame of an open nested model: what is written above its layers.
pub(super) struct Header {
    title: String,
    aside: String,
}

impl Header {
    pub(super) const HEIGHT: f64 = 27.0;

    pub(super) fn new(diagram: &Diagram, group: usize) -> Header {
        let group = &diagram.groups[group];
        let mut aside = match group.parameters {
            0 => String::new(),
            n => format!("{} parameters", thousands(n)),
        };
        if group.frozen {
            aside = format!("{aside} {FROZEN}").trim().to_owned();
        }
        Header { title: group.title.clone(), aside }
    }

    /// The room that its name needs.
    pub(super) fn width(&self) -> f64 {
        NAME.width(&self.title) + 20.0
    }

    pub(super) fn texts(&self, area: Area) -> Vec<(f64, f64, String, TextStyle)> {
        let room = area.width - 20.0;
        let title = NAME.shortened(&self.title, room);
        let left = room - NAME.width(&title) - 14.0;
        let mut texts = vec![(area.x + 10.0, area.y + 17.0, title, NAME)];
        // Without the word where there is no room for it, else without the number.
        let short = self.aside.replace(" parameters", "");
        let frozen = if self.aside.ends_with(FROZEN) { FROZEN } else { "" };
        let shortened =
            [self.aside.as_str(), &short, frozen].into_iter().find(|t| SMALL_TEXT.width(t) <= left);
        if let Some(aside) = shortened.filter(|text| !text.is_empty()) {
            let set = SMALL_TEXT.anchor(Anchor::End);
            texts.push((area.right() - 10.0, area.y + 17.0, aside.to_owned(), set));
        }
        texts
    }
}
