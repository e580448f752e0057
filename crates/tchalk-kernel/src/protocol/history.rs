//! The cells that were run, which consoles look up with the arrow keys.

use serde_json::{Value, json};

/// The cells of this session, in order.
#[derive(Default)]
pub struct History {
    inputs: Vec<String>,
}

impl History {
    pub fn push(&mut self, code: &str) {
        self.inputs.push(code.to_owned());
    }

    /// The answer to a `history_request`: tail, range, or search with `*` and `?`.
    pub fn answer(&self, request: &Value) -> Value {
        let integer = |key: &str| request[key].as_i64();
        let count = self.inputs.len();
        let last = |indices: Vec<usize>| {
            let n = integer("n").map_or(indices.len(), |n| n.max(0) as usize);
            indices[indices.len().saturating_sub(n)..].to_vec()
        };
        let indices: Vec<usize> = match request["hist_access_type"].as_str() {
            Some("range") => {
                let start = integer("start").unwrap_or(1).max(1) as usize;
                let stop = integer("stop").map_or(count + 1, |stop| stop.max(0) as usize);
                (start..stop.min(count + 1)).map(|number| number - 1).collect()
            }
            Some("search") => {
                let pattern: Vec<char> =
                    request["pattern"].as_str().unwrap_or("*").chars().collect();
                let unique = request["unique"] == json!(true);
                let found = (0..count).filter(|&i| {
                    let text: Vec<char> = self.inputs[i].chars().collect();
                    let repeated = unique && self.inputs[i + 1..].contains(&self.inputs[i]);
                    !repeated && matches(&pattern, &text)
                });
                last(found.collect())
            }
            _ => last((0..count).collect()),
        };
        let entry = |i: usize| match request["output"] == json!(true) {
            true => json!([1, i + 1, [self.inputs[i], null]]),
            false => json!([1, i + 1, self.inputs[i]]),
        };
        json!({"status": "ok", "history": indices.into_iter().map(entry).collect::<Vec<_>>()})
    }
}

/// Whether `text` matches a pattern in which `*` stands for any text and `?` for one character.
fn matches(pattern: &[char], text: &[char]) -> bool {
    // The last `*`, and how much of the text it matches, to backtrack to.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, matched)) => {
                    star = Some((at, matched + 1));
                    (p, t) = (at + 1, matched + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History {
        let mut history = History::default();
        ["let a = 1;", "a", "let b = 2;", "a"].iter().for_each(|code| history.push(code));
        history
    }

    fn numbers(request: Value) -> Vec<i64> {
        let answer = history().answer(&request);
        answer["history"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry[1].as_i64().unwrap())
            .collect()
    }

    #[test]
    fn tail_range_and_search() {
        assert_eq!(numbers(json!({"hist_access_type": "tail", "n": 2})), [3, 4]);
        assert_eq!(numbers(json!({"hist_access_type": "tail", "n": 99})), [1, 2, 3, 4]);
        assert_eq!(numbers(json!({"hist_access_type": "range", "start": 2, "stop": 4})), [2, 3]);
        assert_eq!(numbers(json!({"hist_access_type": "search", "pattern": "let*"})), [1, 3]);
        assert_eq!(numbers(json!({"hist_access_type": "search", "pattern": "?"})), [2, 4]);
        let unique = json!({"hist_access_type": "search", "pattern": "a", "unique": true});
        assert_eq!(numbers(unique), [4]);
        let searched = json!({"hist_access_type": "search", "pattern": "*= ?;", "n": 1});
        assert_eq!(numbers(searched), [3]);
    }

    #[test]
    fn outputs_are_added_on_request() {
        let request = json!({"hist_access_type": "tail", "n": 1, "output": true});
        assert_eq!(history().answer(&request)["history"], json!([[1, 4, ["a", null]]]));
    }
}
