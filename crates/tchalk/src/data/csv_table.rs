//! A CSV file as a table.

use crate::display::{Content, Show};
use crate::error::{Error, Result};
use crate::files::expand_home;
use crate::files::file_name;
use crate::table::Table;
use crate::text::{beginning, thousands};
use csv::{ByteRecord, ReaderBuilder};
use std::path::Path;
use std::sync::Arc;

/// A larger table is shown without its middle.
const MAX_ROWS: usize = 20;
const MAX_COLUMNS: usize = 12;
/// The rows and columns that are shown at both ends of a larger table.
const EDGE_ROWS: usize = 5;
const EDGE_COLUMNS: usize = 5;
/// A file with more columns is refused.
const PARSE_MAX_COLUMNS: usize = 100_000;
/// The most characters of a cell that are shown.
const MAX_TEXT: usize = 60;

/// A CSV file with a header: its columns' names and its rows of text.
///
/// In a notebook it is shown as a table; the middle of a long or wide one is left out. Rows are numbered
/// from 0.
///
/// ```
/// use tchalk::prelude::*;
/// let path = std::env::temp_dir().join("tchalk-example.csv");
/// std::fs::write(&path, "label,pixel0,pixel1\n7,0,255\n1,13,0\n")?;
/// let table = CsvTable::read(&path)?;
/// assert_eq!((table.len(), table.columns()[2].as_str()), (2, "pixel1"));
/// assert_eq!(table.column("pixel1")?, ["255", "0"]);
/// println!("{:?}", table.head(1));
/// # std::fs::remove_file(path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct CsvTable {
    name: String,
    bytes: Arc<Vec<u8>>,
    columns: Arc<Vec<String>>,
    /// Where each row begins. Text cells would take many times the memory of the file.
    rows: Arc<Vec<usize>>,
    /// The number of rows in the file.
    total: usize,
}

impl CsvTable {
    /// Reads the file at `path`: a header, then rows of as many cells.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is empty, or a row has more or fewer cells than the header; the
    /// message names the row, counted as an editor counts lines.
    pub fn read(path: impl AsRef<Path>) -> Result<CsvTable> {
        let path = &expand_home(path);
        let bytes = std::fs::read(path).map_err(|error| {
            let hint = "Check the path; it starts where the notebook is.";
            Error::io(path, error, hint)
        })?;
        CsvTable::parse(bytes, path)
    }

    fn parse(bytes: Vec<u8>, path: &Path) -> Result<CsvTable> {
        let first = bytes.iter().take_while(|&&byte| byte != b'\n');
        if first.filter(|&&byte| byte == b',').count() >= PARSE_MAX_COLUMNS {
            let problem = format!("its first line has more than {PARSE_MAX_COLUMNS} cells");
            return Err(Error::bad_file(path, problem, "This is no table of this kind."));
        }
        let broken = |error: csv::Error| match error.kind() {
            csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
                let row = pos.as_ref().map_or(0, |position| position.line());
                let problem = format!("row {row}: expected {expected_len} cells, got {len}");
                let hint = "The file may be cut off, or a text with a comma lacks its quotes.";
                Error::bad_file(path, problem, hint)
            }
            _ => Error::bad_file(path, error.to_string(), ""),
        };
        let mut reader = ReaderBuilder::new().from_reader(&bytes[..]);
        let header = reader.byte_headers().map_err(broken)?;
        if header.is_empty() {
            let hint = "The first row has to name the columns.";
            return Err(Error::bad_file(path, "the file is empty", hint));
        }
        let columns: Vec<String> = header.iter().map(text).collect();
        let (mut record, mut rows) = (ByteRecord::new(), Vec::new());
        while reader.read_byte_record(&mut record).map_err(broken)? {
            rows.push(record.position().map_or(0, |position| position.byte() as usize));
        }
        Ok(CsvTable {
            name: file_name(path),
            total: rows.len(),
            bytes: Arc::new(bytes),
            columns: Arc::new(columns),
            rows: Arc::new(rows),
        })
    }

    /// The number of rows, without the header.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The names of the columns.
    pub fn columns(&self) -> Vec<String> {
        self.columns.to_vec()
    }

    /// The first `count` rows, or all where there are fewer.
    pub fn head(&self, count: usize) -> CsvTable {
        let rows = self.rows.iter().take(count).copied().collect();
        CsvTable { rows: Arc::new(rows), ..self.clone() }
    }

    /// The cells of a row, numbered from 0.
    ///
    /// # Errors
    ///
    /// If there is no row of that number.
    pub fn row(&self, number: usize) -> Result<Vec<String>> {
        match self.rows.get(number) {
            Some(_) => Ok(self.cells(number)),
            None => {
                let expected = format!("a row from 0 to below {}", self.len());
                Err(Error::invalid("CsvTable::row", expected, number.to_string(), ""))
            }
        }
    }

    /// The cells of a column, by its name.
    ///
    /// # Errors
    ///
    /// If there is no column of that name.
    pub fn column(&self, name: &str) -> Result<Vec<String>> {
        let Some(position) = self.columns.iter().position(|column| column == name) else {
            let names = first_and_last(&self.columns, |name| name.clone());
            let expected = format!("one of {}", names.join(", "));
            return Err(Error::invalid("CsvTable::column", expected, format!("{name:?}"), ""));
        };
        let cell = |row| self.record(row).get(position).map(text).unwrap_or_default();
        Ok((0..self.len()).map(cell).collect())
    }

    fn cells(&self, row: usize) -> Vec<String> {
        let mut cells: Vec<String> = self.record(row).iter().map(text).collect();
        cells.resize(self.columns.len(), String::new());
        cells
    }

    fn record(&self, row: usize) -> ByteRecord {
        let rest = &self.bytes[self.rows[row].min(self.bytes.len())..];
        let mut reader =
            ReaderBuilder::new().has_headers(false).buffer_capacity(8192).from_reader(rest);
        let mut record = ByteRecord::new();
        // It was parsed before, so this does not fail.
        let _ = reader.read_byte_record(&mut record);
        record
    }

    /// The table that is shown, with its middle left out.
    fn table(&self) -> Table {
        let shown: Vec<Option<usize>> = if self.len() <= MAX_ROWS {
            (0..self.len()).map(Some).collect()
        } else {
            let end = (self.len() - EDGE_ROWS..self.len()).map(Some);
            (0..EDGE_ROWS).map(Some).chain([None]).chain(end).collect()
        };
        let line = |first: String, cells: &[String]| {
            [vec![first], first_and_last(cells, |cell| beginning(cell, MAX_TEXT))].concat()
        };
        let headings = line(String::new(), &self.columns);
        let rows: Vec<Vec<String>> = shown
            .iter()
            .map(|row| match row {
                Some(row) => line(thousands(*row), &self.cells(*row)),
                None => vec!["…".to_owned(); headings.len()],
            })
            .collect();
        let is_number = |text: &String| text == "…" || text.parse::<f64>().is_ok();
        let right: Vec<usize> = (0..headings.len())
            .filter(|&column| column == 0 || rows.iter().all(|row| is_number(&row[column])))
            .collect();
        let size = format!(
            "{} rows × {} columns of {}",
            thousands(self.total),
            thousands(self.columns.len()),
            self.name
        );
        let size = match self.len() < self.total {
            true => format!("the first {} of {size}", thousands(self.len())),
            false => size,
        };
        let table = Table::of_columns(headings, rows);
        right.into_iter().fold(table, Table::align_right).footer(size)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The first and the last few, with an ellipsis between.
fn first_and_last(texts: &[String], each: impl Fn(&String) -> String) -> Vec<String> {
    if texts.len() <= MAX_COLUMNS {
        return texts.iter().map(each).collect();
    }
    let (first, last) = (&texts[..=EDGE_COLUMNS], &texts[texts.len() - EDGE_COLUMNS..]);
    first.iter().map(&each).chain(["…".to_owned()]).chain(last.iter().map(&each)).collect()
}

/// The table as it looks in a terminal.
impl std::fmt::Debug for CsvTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.table().fmt(f)
    }
}

impl Show for CsvTable {
    fn content(&self) -> Content {
        self.table().content()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<CsvTable> {
        CsvTable::parse(text.as_bytes().to_vec(), Path::new("some/pets.csv"))
    }

    #[test]
    fn a_small_table_is_shown_completely() {
        let table = parse("name,age\n\"Rex, the dog\",7\nMimi,12\n").unwrap();
        let lines: Vec<String> = format!("{table:?}").lines().map(str::to_owned).collect();
        assert_eq!(lines[0], "   name          age");
        assert_eq!(lines[2], "0  Rex, the dog    7");
        assert_eq!(lines[3], "1  Mimi           12");
        assert_eq!(lines[4], "2 rows × 2 columns of pets.csv");
        assert_eq!(table.row(1).unwrap(), ["Mimi", "12"]);
        assert_eq!(table.column("name").unwrap(), ["Rex, the dog", "Mimi"]);
    }

    #[test]
    fn of_a_long_and_wide_table_the_middle_is_left_out() {
        let names = (0..100).map(|i| format!("p{i}")).collect::<Vec<_>>().join(",");
        let row = |r: usize| (0..100).map(|c| (r + c).to_string()).collect::<Vec<_>>().join(",");
        let rows: Vec<String> = (0..3_000).map(row).collect();
        let table = parse(&format!("{names}\r\n{}", rows.join("\r\n"))).unwrap();
        let text = format!("{table:?}");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2 + 11 + 1);
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let shown = ["p0", "p1", "p2", "p3", "p4", "p5", "…", "p95", "p96", "p97", "p98", "p99"];
        assert_eq!(words(lines[0]), shown);
        assert_eq!(words(lines[12])[..3], ["2,999", "2999", "3000"]);
        assert_eq!(lines[13], "3,000 rows × 100 columns of pets.csv");
        let head = format!("{:?}", table.head(2));
        assert_eq!(head.lines().count(), 5);
        assert!(head.ends_with("the first 2 of 3,000 rows × 100 columns of pets.csv"), "{head}");
        assert_eq!(table.head(9_999).len(), 3_000);
    }

    #[test]
    fn errors_name_the_problem() {
        let refuse = |text: &str| parse(text).unwrap_err().to_string();
        assert!(refuse("a,b\n1,2\n3\n").contains("row 3: expected 2 cells, got 1"));
        assert!(refuse("").contains("the file is empty"));
        assert!(refuse(&",".repeat(200_000)).contains("more than 100000 cells"));
        let table = parse("a,b\n1,2\n").unwrap();
        assert!(table.row(1).unwrap_err().to_string().contains("0 to below 1, got 1"));
        assert!(table.column("c").unwrap_err().to_string().contains("one of a, b, got \"c\""));
        let missing = CsvTable::read("no/such.csv").unwrap_err().to_string();
        assert!(missing.contains("no/such.csv"), "{missing}");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(table) = CsvTable::parse(bytes, Path::new("x")) {
                let _ = table.content();
            }
        }

        #[test]
        fn written_rows_are_read_back(rows in proptest::collection::vec("[a-c\",\n]{0,6}", 1..9)) {
            let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
            writer.write_record(["one", "two"]).unwrap();
            rows.iter().for_each(|row| writer.write_record([row.as_str(), "x"]).unwrap());
            let bytes = writer.into_inner().unwrap();
            let table = CsvTable::parse(bytes, Path::new("x")).unwrap();
            prop_assert_eq!(table.column("one").unwrap(), rows);
        }
    }
}
