//! Text that several rooms format: durations, hexadecimal digits, shortened values.

/// A longer value keeps this many bytes of its beginning and of its end.
const VALUE_START: usize = 1 << 14;
const VALUE_END: usize = 1 << 11;

/// A duration for readers: `350 ms`, `12.3 s`, `3 min 5 s`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", 1000.0 * s),
        s if s < 59.95 => format!("{s:.1} s"),
        s => format!("{} min {} s", s.round() as u64 / 60, s.round() as u64 % 60),
    }
}

/// Bytes as lowercase hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text itself, or its beginning and its end if it is too long for a page.
pub fn shortened(text: &str) -> String {
    if text.len() <= VALUE_START + VALUE_END {
        return text.to_owned();
    }
    let (start, rest) = text.split_at(text.floor_char_boundary(VALUE_START));
    let (omitted, end) = rest.split_at(rest.ceil_char_boundary(rest.len() - VALUE_END));
    format!("{start}\n… {:.2} MB are left out here …\n{end}", omitted.len() as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_unit_that_fits() {
        assert_eq!(duration(0.35), "350 ms");
        assert_eq!(duration(12.34), "12.3 s");
        assert_eq!(duration(185.2), "3 min 5 s");
    }

    #[test]
    fn hexadecimal_digits_keep_leading_zeros() {
        assert_eq!(hex(&[0x0a, 0xff]), "0aff");
    }

    #[test]
    fn a_long_value_keeps_its_beginning_and_its_end() {
        assert_eq!(shortened("[1, 2]"), "[1, 2]");
        let long = shortened(&format!("[{}]", "é, ".repeat(1_000_000)));
        assert!(long.len() < 20_000, "{} bytes", long.len());
        assert!(long.starts_with("[é, ") && long.ends_with("é, ]"));
        assert!(long.contains("3.98 MB"), "{long}");
    }
}
