//! A cell as Evcxr gets it: with text of the kernel's inserted, and every line at its number.

use crate::engine::insertion::Insertion;
use crate::engine::{definitions, last_expression, statics};

/// A cell with its insertions.
pub struct PreparedCell {
    /// The code for Evcxr.
    pub code: String,
    /// The line and column, from 1, of each insertion in the cell as it was written, and its length.
    insertions: Vec<(usize, usize, usize)>,
}

impl PreparedCell {
    /// Cell `number`; unchanged where it cannot be parsed. `end` is Rust code that follows it.
    pub fn new(code: &str, end: &str, number: u64) -> PreparedCell {
        let mut insertions = definitions::insertions(code);
        insertions.extend(statics::insertions(code, number));
        insertions.extend(last_expression::insertions(code));
        if !end.is_empty() {
            insertions.push(Insertion::new(code.len(), format!("\n{end}")));
        }
        insertions.sort_by_key(|insertion| insertion.offset);
        let mut prepared = PreparedCell { code: String::new(), insertions: Vec::new() };
        let mut from = 0;
        for Insertion { offset, text } in insertions {
            prepared.code.push_str(&code[from..offset]);
            prepared.code.push_str(&text);
            from = offset;
            let before = &code[..offset];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            prepared.insertions.push((line, column, text.chars().count()));
        }
        prepared.code.push_str(&code[from..]);
        prepared
    }

    /// The column in the cell as it was written, of a column in the code for Evcxr.
    pub fn column(&self, line: usize, column: usize) -> usize {
        let mut shift = 0;
        for &(_, from, length) in self.insertions.iter().filter(|(at, ..)| *at == line) {
            if column < from + shift {
                break;
            }
            if column < from + shift + length {
                return from;
            }
            shift += length;
        }
        column - shift
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_the_cell_as_written() {
        let cell = PreparedCell::new("let a = 1;\nlet é = 2; nothing + a", "", 1);
        let line = cell.code.lines().nth(1).unwrap();
        let at = line[..line.find("nothing").unwrap()].chars().count() + 1;
        assert_eq!(cell.column(2, at), 12, "`nothing` begins after the bracket");
        assert_eq!(cell.column(2, at + 7), 19);
        assert_eq!(cell.column(2, at - 3), 12, "within the insertion");
        assert_eq!((cell.column(1, 5), cell.column(2, 5)), (5, 5));
    }

    #[test]
    fn several_insertions_of_a_line_add_up() {
        let code = "impl A { fn a() {} fn b() {} }";
        let cell = PreparedCell::new(code, "", 1);
        for word in ["fn a", "fn b"] {
            let at = cell.code[..cell.code.find(word).unwrap()].chars().count() + 1;
            assert_eq!(cell.column(1, at), code.find(word).unwrap() + 1, "{word}");
        }
    }

    #[test]
    fn what_follows_has_a_line_of_its_own() {
        assert_eq!(
            PreparedCell::new("let a = 1; // x", "const B: () = ();", 1).code,
            "let a = 1; // x\nconst B: () = ();"
        );
    }
}
