//! The twenty questions of CONTRIBUTING.md, and the files that documents name.
//!
//! A question is a row of three columns: the question, the word to search for, and the file that answers. The
//! word is in the file's name, in its head or in one of its definitions.

use crate::common::files::files_below;
use anyhow::{Context, Result};
use std::path::Path;

const HEADING: &str = "## Twenty questions";
/// How many questions there are.
const COUNT: usize = 20;
const DOCUMENTS: [&str; 7] = [
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "README.md",
    "docs/docker.md",
    "docs/evidence.md",
    "docs/gpu.md",
    "docs/instructors.md",
];
/// The folders in which they are.
const FOLDERS: [&str; 7] = ["benches", "cloud", "crates", "docker", "docs", "notebooks", "python"];
const ENDINGS: [&str; 6] = [".rs", ".py", ".md", ".ipynb", ".sh", ".js"];

/// Questions that their file does not answer, and files that documents name but that do not exist.
pub fn faults(root: &Path) -> Result<Vec<String>> {
    let text = |name: &str| {
        std::fs::read_to_string(root.join(name)).with_context(|| format!("cannot read {name}"))
    };
    let questions = questions(&text("CONTRIBUTING.md")?);
    let mut faults = Vec::new();
    if questions.len() != COUNT {
        faults.push(format!("{HEADING} has {} questions", questions.len()));
    }
    for (question, word, file) in questions {
        let found = std::fs::read_to_string(root.join(&file)).unwrap_or_default();
        if !answers(&file, &found, &word) {
            faults.push(format!("{question} {file} does not define `{word}`"));
        }
    }
    let mut files = Vec::new();
    for folder in FOLDERS {
        files.extend(files_below(&root.join(folder))?);
    }
    for document in DOCUMENTS {
        let text = text(document)?;
        let named = quoted(&text).into_iter().filter(|name| is_file_name(name));
        let missing = named.filter(|name| !files.iter().any(|file| file.ends_with(name)));
        faults.extend(missing.map(|name| format!("{document} names {name}, which does not exist")));
    }
    Ok(faults)
}

/// The question, the word and the file of each row.
fn questions(text: &str) -> Vec<(String, String, String)> {
    let rows = text.lines().skip_while(|line| *line != HEADING).skip(1);
    let rows = rows.take_while(|line| !line.starts_with("## "));
    let cells = |row: &str| row.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let bare = |text: &str| text.trim_matches('`').to_owned();
    rows.filter_map(|row| match &cells(row)[..] {
        [_, question, word, file, _] if file.contains('/') => {
            Some((question.clone(), bare(word), bare(file)))
        }
        _ => None,
    })
    .collect()
}

/// Whether a search for the word finds the file by its name, its head or a definition.
fn answers(file: &str, text: &str, word: &str) -> bool {
    let defines = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let kinds = ["fn", "struct", "enum", "trait", "const", "static", "macro_rules!"];
        words.windows(2).any(|pair| kinds.contains(&pair[0]) && pair[1].contains(word))
    };
    let is_head = |line: &&str| line.starts_with("//!") || line.starts_with('#');
    !text.is_empty()
        && (file
            .trim_end_matches("/mod.rs")
            .rsplit('/')
            .next()
            .is_some_and(|name| name.contains(word))
            || text.lines().take_while(is_head).any(|line| line.contains(word))
            || text.lines().any(defines))
}

/// What stands in backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// Whether this is the path of a file, and not a pattern or a file of the reader's.
fn is_file_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    // Exceptions are named without `crates` and `src`.
    text.contains('/')
        && !text.starts_with("tchalk/")
        && ENDINGS.iter().any(|end| text.ends_with(end))
        && text.chars().all(plain)
        && !text.contains("NAME")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_until_the_next_heading() {
        let text = "## Twenty questions\n| q | w | f |\n|---|---|---|\n| Where? | `fit` | `a/b.rs` |\n\
                    ## Next\n| No | `x` | `c/d.rs` |\n";
        assert_eq!(questions(text), [("Where?".into(), "fit".into(), "a/b.rs".into())]);
    }

    #[test]
    fn a_use_of_a_word_is_no_answer() {
        assert!(answers("a/fit.rs", "x", "fit"));
        assert!(answers("a/b.rs", "//! How to fit.\n", "fit"));
        assert!(answers("a/b.rs", "    pub fn fit(&self) {}\n", "fit"));
        assert!(!answers("a/b.rs", "model.fit(&train)\n// fit\n", "fit"));
        assert!(!answers("a/fit.rs", "", "fit"), "there is no such file");
    }

    #[test]
    fn paths_are_told_from_patterns() {
        for name in ["layers/dense.rs", "docs/docker.md"] {
            assert!(is_file_name(name), "{name}");
        }
        for name in ["dense.rs", "layers/NAME.rs", "cloud/*.ipynb", "weights/…", "a b/c.rs"] {
            assert!(!is_file_name(name), "{name}");
        }
    }
}
