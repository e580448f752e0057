//! A submission file as it was found, faults and all.

use super::submission::{Cell, Row};
use crate::error::{Error, Result};
use std::path::Path;

/// No submission is larger.
const MOST_BYTES: u64 = 64 << 20;

/// What a file looks like around its numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Form {
    /// The first line, if it is not a row of numbers.
    pub(super) header: Option<String>,
    /// What stands between the cells.
    pub(super) separator: char,
    /// How many cells the first row has.
    pub(super) columns: usize,
    /// The first row that has another number of cells: its line, counted from 1, and how many.
    pub(super) ragged: Option<(usize, usize)>,
    /// Whether it begins with the three bytes by which Excel marks UTF-8.
    pub(super) has_mark: bool,
    /// Whether some of the cells are in quotes.
    pub(super) has_quotes: bool,
    /// The first row of numbers as it stands there, cut off if it is long.
    pub(super) first_row: String,
}

impl Form {
    /// The form in which the library writes.
    pub(super) fn own() -> Form {
        let header = Some(HEADER.to_owned());
        Form { header, separator: ',', columns: 2, ..Form::default() }
    }
}

/// The first line that is wanted.
pub(super) const HEADER: &str = "ImageId,Label";

/// Reads whatever is in the file at `path`.
pub(super) fn read(path: &Path) -> Result<(Form, Vec<Row>)> {
    let refused =
        |error| Error::io(path, error, "Check the path; it starts where the notebook is.");
    let size = std::fs::metadata(path).map_err(refused)?.len();
    if size > MOST_BYTES {
        let problem = format!("it has {size} bytes, and a submission has about 240,000");
        let hint = "A submission has a number and a digit in each row, no pixels.";
        return Err(Error::bad_file(path, problem, hint));
    }
    let bytes = std::fs::read(path).map_err(refused)?;
    if bytes.starts_with(b"PK\x03\x04") {
        let problem = "this is a zip archive or an Excel workbook, no CSV file";
        let hint = "In Excel: Save As, then the type CSV UTF-8. An archive has to be unpacked.";
        return Err(Error::bad_file(path, problem, hint));
    }
    parse(&bytes, path)
}

fn parse(bytes: &[u8], path: &Path) -> Result<(Form, Vec<Row>)> {
    let (has_mark, bytes) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => (true, rest),
        None => (false, bytes),
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        let hint = "Save it as CSV in UTF-8: a submission holds only digits, commas and line ends.";
        return Err(Error::bad_file(path, "this is no text", hint));
    };
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let filled = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    let lines = &lines[..filled];
    let Some(first) = lines.first() else {
        let hint = "Submission::new(&predictions)?.save_in(folder)? writes one.";
        return Err(Error::bad_file(path, "the file is empty", hint));
    };
    // Of what may stand between cells, what the first line has most of.
    let separator = [',', ';', '\t'];
    let count = |separator: &char| first.matches(*separator).count();
    let separator = separator.into_iter().rev().max_by_key(count).unwrap_or(',');
    let is_row = first.split(separator).all(|cell| unquoted(cell).parse::<f64>().is_ok());
    let mut form =
        Form { header: (!is_row).then(|| short(first)), separator, has_mark, ..Form::default() };
    let begin = usize::from(!is_row);
    let mut rows = Vec::with_capacity(lines.len());
    for (number, line) in lines.iter().enumerate().skip(begin) {
        let cells: Vec<&str> = line.split(separator).collect();
        form.has_quotes |= line.contains('"');
        if number == begin {
            (form.columns, form.first_row) = (cells.len(), short(line));
        } else if cells.len() != form.columns && form.ragged.is_none() {
            form.ragged = Some((number + 1, cells.len()));
        }
        let cell = |place: usize| Cell::of(cells.get(place).map_or("", |cell| unquoted(cell)));
        rows.push(Row { id: cell(0), label: cell(1) });
    }
    Ok((form, rows))
}

fn unquoted(cell: &str) -> &str {
    let cell = cell.trim();
    cell.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(cell).trim()
}

fn short(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> (Form, Vec<Row>) {
        parse(text.as_bytes(), Path::new("mine.csv")).unwrap()
    }

    #[test]
    fn the_sample_s_own_form_is_found() {
        let (form, rows) = parsed("ImageId,Label\r\n1,0\r\n2,0\r\n");
        assert_eq!(form, Form { first_row: "1,0".into(), ..Form::own() });
        assert_eq!(rows[1], Row { id: Cell::Whole(2), label: Cell::Whole(0) });
    }

    #[test]
    fn other_forms_are_recognized() {
        let (form, rows) = parsed("\u{feff}ImageId;Label\n\"1\";\"7\"\n");
        assert!(form.has_mark && form.has_quotes && form.separator == ';', "{form:?}");
        assert_eq!(rows[0].label, Cell::Whole(7));
        let (form, rows) = parsed("1,7\n2,3,\n\n");
        assert_eq!((form.header, form.ragged), (None, Some((2, 3))));
        assert_eq!(rows.len(), 2);
        let (form, rows) = parsed(",ImageId,Label\n0,1,7.5\n");
        assert_eq!((form.columns, form.header.as_deref()), (3, Some(",ImageId,Label")));
        assert_eq!(rows[0].id, Cell::Whole(0));
    }

    #[test]
    fn what_is_no_text_is_told() {
        let refuse = |bytes: &[u8]| parse(bytes, Path::new("x.csv")).unwrap_err().to_string();
        assert!(refuse(b"").contains("the file is empty"));
        assert!(refuse(b"\n\n").contains("the file is empty"));
        assert!(refuse(b"\xff\xfe1\0").contains("this is no text"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, Path::new("x"));
        }
    }
}
