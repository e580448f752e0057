//! `:dep` lines: crates that a notebook adds.
//!
//! A kernel works offline, so that no cell waits for a network. A cell with a `:dep` line may fetch, unless
//! `TCHALK_OFFLINE` is set.

/// Keeps the kernel off the network.
const OFFLINE: &str = "TCHALK_OFFLINE";

/// What a cell says of crates.
#[derive(Debug, PartialEq)]
pub enum Dependencies<'a> {
    /// There is no `:dep` line, or only such with a path.
    Local,
    /// These lines need a registry.
    Remote(Vec<&'a str>),
    /// This line is below Rust code, where Evcxr takes it for Rust.
    Misplaced(&'a str),
}

/// The `:dep` lines of a cell.
pub fn of_cell(code: &str) -> Dependencies<'_> {
    let is_command = |line: &str| line.starts_with(':');
    let mut lines = code.lines().map(str::trim);
    let mut remote = Vec::new();
    let rust = lines.by_ref().find(|line| {
        if line.starts_with(":dep") && !line.contains("path") {
            remote.push(*line);
        }
        !(line.is_empty() || line.starts_with("//") || is_command(line))
    });
    match lines.filter(|_| rust.is_some()).find(|line| line.starts_with(":dep ")) {
        Some(line) => Dependencies::Misplaced(line),
        None if remote.is_empty() => Dependencies::Local,
        None => Dependencies::Remote(remote),
    }
}

/// Whether a cell may use the network.
pub fn network_is_allowed() -> bool {
    std::env::var(OFFLINE).is_ok_and(|value| value != "1") || std::env::var_os(OFFLINE).is_none()
}

/// Advice on an error of cargo's about a crate.
pub fn advice(message: &str) -> Option<&'static str> {
    let any = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if any(&["you're using offline mode", "--offline was specified"]) {
        Some(
            "The crate is not on this computer, and TCHALK_OFFLINE=1 keeps the kernel off the network. Start \
             Jupyter without it, or name a folder: `:dep name = { path = \"…\" }`.",
        )
    } else if any(&[
        "failed to download",
        "download of config.json failed",
        "Could not resolve host",
    ]) {
        Some("The registry of crates cannot be reached. Is there a network?")
    } else if any(&["no matching package"]) {
        Some("The registry has no crate of this name: see https://crates.io.")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart_by_where_they_are_and_what_they_need() {
        let remote = ":dep rand = \"0.9\"";
        assert_eq!(of_cell(remote), Dependencies::Remote(vec![remote]));
        let above = format!("// first\n{remote}\n\n:dep serde\nlet a = 1;");
        assert_eq!(of_cell(&above), Dependencies::Remote(vec![remote, ":dep serde"]));
        let below = format!("let a = 1;\n  {remote}");
        assert_eq!(of_cell(&below), Dependencies::Misplaced(remote));
        for code in [":dep mine = { path = \"x\" }", "let a = 1;", "", ":clear"] {
            assert_eq!(of_cell(code), Dependencies::Local);
        }
    }

    #[test]
    fn advice_names_what_is_in_the_way() {
        let offline =
            "no matching package named `x` found\nAs a reminder, you're using offline mode";
        assert!(advice(offline).unwrap().contains(OFFLINE));
        assert!(advice("error: failed to download `x`").unwrap().contains("network"));
        assert!(advice("no matching package named `x` found").unwrap().contains("crates.io"));
        assert_eq!(advice("mismatched types"), None);
    }
}
