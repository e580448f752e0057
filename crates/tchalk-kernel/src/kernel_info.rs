//! What the kernel says of itself.

use crate::message::PROTOCOL;
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
        "help_links": [
            {"text": "tchalk", "url": concat!(env!("CARGO_PKG_REPOSITORY"), "#readme")},
            {"text": "tchalk for Keras users", "url": in_repository("crates/tchalk/src/for_keras_users.md")},
            {"text": "The words of the field", "url": in_repository("notebooks/glossary.ipynb")},
            {"text": "The Rust book", "url": "https://doc.rust-lang.org/book/"},
            {"text": "Rust by example", "url": "https://doc.rust-lang.org/rust-by-example/"},
            {"text": "The standard library", "url": "https://doc.rust-lang.org/std/"},
            {"text": "tch: tensors", "url": "https://docs.rs/tch/0.24.0/tch/"},
        ],
    })
}

/// What `rustc --version` says its number is; asked once.
fn rust_version() -> &'static str {
    static VERSION: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    VERSION.get_or_init(|| {
        let output = std::process::Command::new("rustc").arg("--version").output();
        let text =
            output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
        text.split_whitespace().nth(1).unwrap_or_default().to_owned()
    })
}

/// Where a file of tchalk can be read.
fn in_repository(path: &str) -> String {
    format!("{}/blob/main/{path}", env!("CARGO_PKG_REPOSITORY"))
}
