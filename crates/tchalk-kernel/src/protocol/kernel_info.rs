//! The kernel's description of itself.

use crate::protocol::message::PROTOCOL;
use serde_json::{Value, json};

/// The content of a `kernel_info_reply`.
pub fn kernel_info() -> Value {
    json!({
        "status": "ok",
        "protocol_version": PROTOCOL,
        "implementation": "tchalk",
        "implementation_version": env!("CARGO_PKG_VERSION"),
        "language_info": {
            "name": "rust",
            "version": rust_version(),
            "mimetype": "text/x-rustsrc",
            "file_extension": ".rs",
            "pygments_lexer": "rust",
            "codemirror_mode": "rust",
        },
        "banner": concat!("tchalk ", env!("CARGO_PKG_VERSION"), ": Rust, with libtorch at hand"),
        "help_links": help_links(env!("CARGO_PKG_REPOSITORY")),
    })
}

/// The version that `rustc --version` prints; asked once.
fn rust_version() -> &'static str {
    static VERSION: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    VERSION.get_or_init(|| {
        let output = std::process::Command::new("rustc").arg("--version").output();
        let text =
            output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
        text.split_whitespace().nth(1).unwrap_or_default().to_owned()
    })
}

/// The links of Jupyter's help menu, with tchalk's own pages where the project has an address.
fn help_links(repository: &str) -> Vec<Value> {
    let file = |path: &str| format!("{repository}/blob/main/{path}");
    let own = [
        ("tchalk", format!("{repository}#readme")),
        ("tchalk for Keras users", file("crates/tchalk/src/for_keras_users.md")),
        ("The words of the field", file("notebooks/glossary.ipynb")),
    ];
    let others = [
        ("The Rust book", "https://doc.rust-lang.org/book/"),
        ("Rust by example", "https://doc.rust-lang.org/rust-by-example/"),
        ("The standard library", "https://doc.rust-lang.org/std/"),
        ("tch: tensors", "https://docs.rs/tch/0.24.0/tch/"),
    ];
    let own = own.into_iter().filter(|_| !repository.is_empty());
    let others = others.map(|(text, url)| (text, url.to_owned()));
    own.chain(others).map(|(text, url)| json!({"text": text, "url": url})).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_address_there_are_no_links_to_the_project() {
        let urls = |repository| {
            let links = help_links(repository).into_iter();
            links.map(|link| link["url"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let there = urls("https://github.com/someone/tchalk");
        assert_eq!(there[0], "https://github.com/someone/tchalk#readme");
        assert_eq!(there[3..], urls("")[..]);
        assert!(urls("").iter().all(|url| url.starts_with("https://")));
    }
}
