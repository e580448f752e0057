//! Completion of names, and their documentation.

use crate::engine::evcxr_engine::Engine;
use crate::engine::magic;
use crate::protocol::message::Message;
use serde_json::{Value, json};

/// Completions of the name before the cursor.
pub fn complete(engine: &mut Engine, request: &Message) -> Value {
    let code = &magic::blanked(request.code());
    let position = byte_offset(code, request.content["cursor_pos"].as_u64());
    let completions = match engine.completions(code, position) {
        Ok(completions) if !completions.names.is_empty() => completions,
        _ => return no_completions(request),
    };
    let (start, end) = (char_offset(code, completions.start), char_offset(code, completions.end));
    let kinds: Vec<Value> = completions
        .names
        .iter()
        .map(|(text, kind)| json!({"text": text, "type": kind, "start": start, "end": end}))
        .collect();
    let matches: Vec<String> = completions.names.into_iter().map(|(text, _)| text).collect();
    json!({"status": "ok", "matches": matches, "cursor_start": start, "cursor_end": end,
           "metadata": {"_jupyter_types_experimental": kinds}})
}

pub fn no_completions(request: &Message) -> Value {
    let code = request.code();
    let at = char_offset(code, byte_offset(code, request.content["cursor_pos"].as_u64()));
    json!({"status": "ok", "matches": [], "cursor_start": at, "cursor_end": at, "metadata": {}})
}

/// The documentation of the name at the cursor, or of the function among whose arguments the cursor is.
pub fn inspect(engine: &mut Engine, request: &Message) -> Value {
    let code = &magic::blanked(request.code());
    let position = byte_offset(code, request.content["cursor_pos"].as_u64());
    let positions = std::iter::once(end_of_word(code, position)).chain(open_call(code, position));
    for position in positions {
        if let Some((plain, html)) = engine.inspect(code, position) {
            return json!({"status": "ok", "found": true, "metadata": {},
                          "data": {"text/plain": plain, "text/html": html}});
        }
    }
    nothing_found()
}

pub fn nothing_found() -> Value {
    json!({"status": "ok", "found": false, "data": {}, "metadata": {}})
}

/// The end of the name at `position`.
fn end_of_word(code: &str, position: usize) -> usize {
    let rest = &code[position..];
    position + rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())
}

/// The offset after the last parenthesis before `position` that is still open.
fn open_call(code: &str, position: usize) -> Option<usize> {
    let mut closed = 0;
    for (at, c) in code[..position].char_indices().rev() {
        match c {
            ')' => closed += 1,
            '(' if closed == 0 => return Some(at + 1),
            '(' => closed -= 1,
            _ => {}
        }
    }
    None
}

/// Jupyter counts characters, Rust bytes.
fn byte_offset(code: &str, characters: Option<u64>) -> usize {
    let Some(characters) = characters else { return code.len() };
    code.char_indices().nth(characters as usize).map_or(code.len(), |(offset, _)| offset)
}

fn char_offset(code: &str, bytes: usize) -> usize {
    code.char_indices().take_while(|(offset, _)| *offset < bytes).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_count_characters_not_bytes() {
        let code = "let é = 1;";
        assert_eq!(byte_offset(code, Some(5)), 6);
        assert_eq!(char_offset(code, 6), 5);
        assert_eq!(byte_offset(code, Some(99)), code.len());
        assert_eq!(byte_offset(code, None), code.len());
    }

    #[test]
    fn a_cursor_inside_a_name_refers_to_the_name() {
        let code = "Conv2d::new(8)";
        assert_eq!(&code[..end_of_word(code, 2)], "Conv2d");
        assert_eq!(&code[..end_of_word(code, 8)], "Conv2d::new");
        assert_eq!(end_of_word(code, code.len()), code.len());
    }

    #[test]
    fn a_cursor_among_arguments_refers_to_the_call() {
        for (code, call) in [
            ("Conv2d::new(8, ", "Conv2d::new("),
            ("f(g(1), h(2), ", "f("),
            ("f(1); Dense::new(", "Dense::new("),
        ] {
            assert_eq!(
                open_call(code, code.len()).map(|at| &code[code.rfind(call).unwrap()..at]),
                Some(call)
            );
        }
        assert_eq!(open_call("f(1) + 2", 8), None);
    }
}
