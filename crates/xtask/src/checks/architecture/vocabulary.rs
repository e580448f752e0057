//! The words that CONTRIBUTING.md's table tells not to use in names.

use super::source::Source;
use std::collections::BTreeSet;

/// The words between backticks in the column "not" of the table of words.
pub fn unwanted(contributing: &str) -> BTreeSet<String> {
    let rows = contributing.lines().skip_while(|line| !line.starts_with("| say | not |"));
    let columns = rows.map_while(|line| line.strip_prefix('|')?.split('|').nth(1));
    columns.flat_map(|column| column.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// Each name of a file that holds one of the words, with its line.
pub fn faults(file: &str, source: &Source, unwanted: &BTreeSet<String>) -> Vec<String> {
    let names = source.tokens.iter().filter_map(|(token, line)| Some((token.identifier()?, line)));
    names
        .filter_map(|(name, line)| {
            let word = words(name).into_iter().find(|word| unwanted.contains(word))?;
            Some(format!("the word `{word}` in {file}:{} {name}", line + 1))
        })
        .collect()
}

/// The words of `snake_case`, `CamelCase` and `UPPER_CASE` names, in small letters.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for letter in name.chars() {
        if letter == '_' || (letter.is_uppercase() && small) {
            words.push(String::new());
        }
        small = letter.is_lowercase();
        if letter != '_' {
            words.last_mut().expect("there is always a word").extend(letter.to_lowercase());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_unwanted_words_are_found() {
        let unwanted = unwanted(
            "| a | `b` |\n\n| say | not | means |\n|---|---|---|\n| image | `picture`, `pictures` | pixels |\n\n| x | `y` | z |",
        );
        assert_eq!(unwanted, ["picture", "pictures"].map(str::to_owned).into());
        let source = Source::parse(
            "fn of_picture() {}\nlet (PICTURES, x) = (MyPicture, \"picture\"); // picture\npictured",
        );
        let found = faults("a.rs", &source, &unwanted);
        let names: Vec<_> = found.iter().map(|it| it.rsplit(' ').next().unwrap()).collect();
        assert_eq!(names, ["of_picture", "PICTURES", "MyPicture"]);
    }
}
