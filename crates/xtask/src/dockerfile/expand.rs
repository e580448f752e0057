//! Variables in instructions: `$NAME`, `${NAME}`, `${NAME:-default}`.

use anyhow::{Context, Result, bail};

/// `text` with its variables in place; one that is not set is empty, as in Docker.
pub fn expand(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(inner) = rest.strip_prefix('{') {
            let end = inner.find('}').with_context(|| format!("{text}: ${{ is not closed"))?;
            let (name, default) = match inner[..end].split_once(":-") {
                Some((name, default)) => (name, default),
                None => (&inner[..end], ""),
            };
            if !name.chars().all(is_of_a_name) || name.is_empty() {
                bail!("{text}: ${{{name}}} is not a variable that is followed here");
            }
            let found = value(name).filter(|found| !found.is_empty());
            expanded.push_str(&found.unwrap_or_else(|| default.to_owned()));
            rest = &inner[end + 1..];
        } else {
            let end = rest.find(|c| !is_of_a_name(c)).unwrap_or(rest.len());
            match end {
                0 => expanded.push('$'),
                _ => expanded.push_str(&value(&rest[..end]).unwrap_or_default()),
            }
            rest = &rest[end..];
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in_their_place() {
        let value = |name: &str| (name == "A").then(|| "1".to_owned());
        let expand = |text: &str| expand(text, &value).unwrap();
        assert_eq!(expand("x${A}y $A/$B. ${B:-two}"), "x1y 1/. two");
        assert_eq!(expand("5 $ and ${A:-no}"), "5 $ and 1");
        assert!(super::expand("${A", &value).is_err());
        assert!(super::expand("${A%x}", &value).is_err());
    }
}
