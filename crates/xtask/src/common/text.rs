//! Numbers and values as text.

/// `0.4 s`, `12 s`, `3 min 20 s`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 99.5 => format!("{s:.0} s"),
        s => format!("{} min {} s", s.round() as u64 / 60, s.round() as u64 % 60),
    }
}

/// A string as TOML writes it. JSON escapes the same way, and Rust's `{:?}` does not: it writes `\u{308}`.
pub fn toml_string(text: &str) -> String {
    serde_json::json!(text).to_string()
}

/// The numbers of a version, for comparison: `[1, 96, 0]` of `1.96.0-nightly`.
pub fn version_numbers(version: &str) -> Vec<u32> {
    version.split(['.', '-']).map_while(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_digits_or_minutes() {
        assert_eq!(duration(0.44), "0.4 s");
        assert_eq!(duration(42.4), "42 s");
        assert_eq!([200.0, 119.7].map(duration), ["3 min 20 s", "2 min 0 s"]);
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(version_numbers("1.9.0") < version_numbers("1.95"));
        assert!(version_numbers("1.95.0") >= version_numbers("1.95"));
        assert!(version_numbers("1.96.0-nightly") >= version_numbers("1.95"));
    }
}
