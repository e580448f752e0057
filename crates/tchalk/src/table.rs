//! Tables: rows of text under headings.

use crate::display::{Content, Show};
use crate::text::escape_html;

/// Rows of text under headings, with notes below.
///
/// ```
/// use tchalk::prelude::*;
/// let table = Table::new(["class", "count"]).rows([["cat".into(), "5".into()]]).align_right(1);
/// assert_eq!(format!("{table:?}"), "class  count\n─────  ─────\ncat        5");
/// ```
#[derive(Clone, PartialEq)]
pub struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
    right: Vec<bool>,
    footers: Vec<String>,
}

impl Table {
    /// A table with these headings; they may be empty.
    pub fn new<const COLUMNS: usize>(headings: [&str; COLUMNS]) -> Table {
        Table {
            headings: headings.map(str::to_owned).to_vec(),
            rows: Vec::new(),
            right: vec![false; COLUMNS],
            footers: Vec::new(),
        }
    }

    /// A table whose number of columns is known only at run time. Each row is as long as `headings`.
    pub(crate) fn of_columns(headings: Vec<String>, rows: Vec<Vec<String>>) -> Table {
        debug_assert!(rows.iter().all(|row| row.len() == headings.len()));
        let right = vec![false; headings.len()];
        Table { headings, rows, right, footers: Vec::new() }
    }

    /// More rows, with a text for each heading.
    ///
    /// # Panics
    ///
    /// If a row has more or fewer texts than there are headings.
    pub fn rows<const COLUMNS: usize>(
        mut self,
        rows: impl IntoIterator<Item = [String; COLUMNS]>,
    ) -> Table {
        assert_eq!(COLUMNS, self.headings.len(), "Table::rows: a text for each heading");
        self.rows.extend(rows.into_iter().map(Vec::from));
        self
    }

    /// Aligns a column, counted from 0, to the right, as is usual for numbers.
    pub fn align_right(mut self, column: usize) -> Table {
        if let Some(right) = self.right.get_mut(column) {
            *right = true;
        }
        self
    }

    /// A note below the table.
    pub fn footer(mut self, note: impl Into<String>) -> Table {
        self.footers.push(note.into());
        self
    }

    /// The table as HTML, and `plain` where HTML cannot be displayed.
    pub(crate) fn content_or(&self, plain: impl Into<String>) -> Content {
        Content::html(plain, self.to_html())
    }

    fn to_html(&self) -> String {
        let cell = |tag: &str, column: usize, text: &str| {
            // Numbers and shapes stay on one line, however many columns there are.
            let (side, breaks) = match self.right[column] {
                true => ("right", "nowrap"),
                false => ("left", "normal"),
            };
            format!(
                "<{tag} style=\"text-align:{side};padding:0.2em 1em 0.2em 0.3em;max-width:36em;\
                 white-space:{breaks}\">{}</{tag}>",
                escape_html(text)
            )
        };
        let row = |tag: &str, texts: &[String]| {
            let cells = texts.iter().enumerate().map(|(column, text)| cell(tag, column, text));
            format!("<tr>{}</tr>", cells.collect::<String>())
        };
        let body: String = self.rows.iter().map(|texts| row("td", texts)).collect();
        let notes = self.footers.iter().map(|note| {
            format!(
                "<div style=\"opacity:0.8;max-width:60em;padding:0.15em 0.3em\">{}</div>",
                escape_html(note)
            )
        });
        format!(
            "<table style=\"margin:0.3em 0\"><thead>{}</thead><tbody>{body}</tbody></table>{}",
            row("th", &self.headings),
            notes.collect::<String>()
        )
    }
}

/// The table as plain text.
impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let widths: Vec<usize> = (0..self.headings.len())
            .map(|column| {
                let texts = self.rows.iter().map(|row| &row[column]);
                texts
                    .chain([&self.headings[column]])
                    .map(|text| text.chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let line = |texts: &[String]| {
            let cells = texts.iter().enumerate().map(|(column, text)| {
                let width = widths[column];
                if self.right[column] {
                    format!("{text:>width$}")
                } else {
                    format!("{text:<width$}")
                }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let rule = widths.iter().map(|&width| "─".repeat(width)).collect::<Vec<_>>().join("  ");
        write!(f, "{}\n{rule}", line(&self.headings))?;
        self.rows.iter().try_for_each(|row| write!(f, "\n{}", line(row)))?;
        self.footers.iter().try_for_each(|note| write!(f, "\n{note}"))
    }
}

impl Show for Table {
    fn content(&self) -> Content {
        self.content_or(format!("{self:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [["conv2d".to_owned(), "896".to_owned()], ["dense".into(), "1,180,160".into()]];
        let table =
            Table::new(["layer", "parameters"]).rows(rows).align_right(1).footer("that is all");
        let lines: Vec<String> = format!("{table:?}").lines().map(str::to_owned).collect();
        assert_eq!(lines[2], "conv2d         896");
        assert_eq!(lines[3], "dense    1,180,160");
        assert_eq!(lines[4], "that is all");
    }

    #[test]
    fn markup_in_a_cell_is_escaped() {
        let table = Table::new(["<b>"]).rows([["a & b".to_owned()]]);
        let html = table.content().as_html().unwrap();
        assert!(html.contains("&lt;b&gt;") && html.contains("a &amp; b"));
    }
}
