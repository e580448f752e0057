//! `.dockerignore`: which files of the checkout an image can get at all.

/// The patterns, in order; of those that fit a path the last decides.
pub struct Ignore(Vec<(Vec<String>, bool)>);

impl Ignore {
    pub fn parse(text: &str) -> Ignore {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        Ignore(
            lines
                .filter(|line| !line.starts_with('#'))
                .map(|line| match line.strip_prefix('!') {
                    Some(kept) => (parts(kept), false),
                    None => (parts(line), true),
                })
                .collect(),
        )
    }

    /// Whether the file at `path`, relative to the checkout, stays out.
    pub fn ignores(&self, path: &str) -> bool {
        let path = parts(path);
        let fits = |pattern: &[String]| (1..=path.len()).any(|end| fits(pattern, &path[..end]));
        let last = self.0.iter().rev().find(|(pattern, _)| fits(pattern));
        last.is_some_and(|(_, out)| *out)
    }
}

fn parts(path: &str) -> Vec<String> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
}

fn fits(pattern: &[String], path: &[String]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => {
            (0..=path.len()).any(|skipped| fits(rest, &path[skipped..]))
        }
        (Some((first, rest)), Some((name, below))) => {
            fits_name(first.as_bytes(), name.as_bytes()) && fits(rest, below)
        }
        _ => false,
    }
}

/// `*` stands for any letters, `?` for one.
fn fits_name(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            (0..=name.len()).any(|skipped| fits_name(rest, &name[skipped..]))
        }
        (Some((p, rest)), Some((n, below))) => (*p == b'?' || p == n) && fits_name(rest, below),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pattern_that_fits_decides() {
        let ignore = Ignore::parse(
            "# only\n*\n!crates\n!.cargo/config.toml\n**/target\n**/*.pyc\n!crates/a/target/keep",
        );
        for (path, out) in [
            ("README.md", true),
            ("crates/a/src/lib.rs", false),
            (".cargo/config.toml", false),
            (".cargo/libtorch.toml", true),
            ("target/debug/x", true),
            ("crates/a/target/x", true),
            ("crates/a/target/keep", false),
            ("crates/b.pyc", true),
        ] {
            assert_eq!(ignore.ignores(path), out, "{path}");
        }
        assert!(!Ignore::parse("").ignores("x"));
        assert!(Ignore::parse("a?c").ignores("abc/d"));
    }
}
