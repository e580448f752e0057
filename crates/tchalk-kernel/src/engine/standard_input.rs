//! Finds cells that read the standard input, which is empty in a notebook.

use ra_ap_syntax::{Edition, SourceFile};

/// Whether the code calls `stdin()`, outside of comments and strings.
pub fn is_read_by(code: &str) -> bool {
    if !code.contains("stdin") {
        return false;
    }
    let file = SourceFile::parse(code, Edition::Edition2024).tree();
    let tokens = ra_ap_syntax::AstNode::syntax(&file).descendants_with_tokens();
    let tokens = tokens.filter_map(|part| part.into_token()).filter(|it| !it.kind().is_trivia());
    let texts: Vec<String> = tokens.map(|token| token.text().to_owned()).collect();
    texts.windows(3).any(|call| call == ["stdin", "(", ")"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_call_of_stdin_reads() {
        for code in ["io::stdin().read_line(&mut guess)?;", "let text = std::io::stdin ();"] {
            assert!(is_read_by(code), "{code}");
        }
        for code in [
            "// stdin() would wait",
            "println!(\"stdin()\")",
            "Command::new(\"cat\").stdin(Stdio::null())",
            "let stdin = 1;",
        ] {
            assert!(!is_read_by(code), "{code}");
        }
    }
}
