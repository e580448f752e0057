//! The sources of the standard library, which rust-analyzer inside Evcxr needs to infer the types of variables.
//!
//! They come with rustup's `rust-src` component. Without it they are restored from the pages of the `rust-docs`
//! component, which rustup installs by default and which shows every line. A release contains them.

use super::provided::Provided;
use crate::common::files::{copy_tree, create_filled};
use crate::common::paths::Paths;
use crate::common::rustc;
use crate::common::step::step;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The crates that are needed.
pub const CRATES: [&str; 3] = ["core", "alloc", "std"];
/// Vendor intrinsics and portable SIMD: three quarters of the size, and no notebook needs them.
const LEFT_OUT: [&str; 2] = ["stdarch", "portable-simd"];
/// Without a network rustup may try for minutes.
const RUSTUP_TIMEOUT: Duration = Duration::from_secs(90);

/// Whether a file belongs to a part that no notebook needs.
pub fn is_left_out(file: &Path) -> bool {
    LEFT_OUT.iter().any(|name| file.components().any(|part| part.as_os_str() == *name))
}

/// The folder `library` of the sources, if it exists.
pub fn find(paths: &Paths) -> Result<Option<PathBuf>> {
    let component = rustc::sysroot()?.join("lib/rustlib/src/rust/library");
    let restored = restored_folder(paths)?.join("library");
    Ok([component, restored].into_iter().find(|library| library.join("core/src/lib.rs").is_file()))
}

fn restored_folder(paths: &Paths) -> Result<PathBuf> {
    Ok(paths.home.join(format!("rust-src-{}", rustc::version()?)))
}

/// The folder `library` of the sources, made if it does not exist.
pub fn ensure(paths: &Paths, provided: &Provided) -> Result<PathBuf> {
    if let Some(library) = find(paths)? {
        return Ok(library);
    }
    paths.require_writable()?;
    step("sources of the standard library", || {
        if let Some(library) = provided.rust_src(&rustc::version()?) {
            return create_filled(&restored_folder(paths)?, |part| {
                copy_tree(&library, &part.join("library"), &|_| true)
            });
        }
        let pages = rustc::sysroot()?.join("share/doc/rust/html/src");
        if pages.join("core/lib.rs.html").is_file() {
            let folder = restored_folder(paths)?;
            let _ = std::fs::remove_dir_all(&folder);
            let made = create_filled(&folder, |part| restore(&pages, &part.join("library")));
            let Err(error) = made else { return Ok(()) };
            eprintln!("  the documentation does not contain them ({error:#}); asking rustup");
        }
        add_component()
    })?;
    find(paths)?.context(
        "the sources of Rust's standard library are missing: run `rustup component add rust-src`",
    )
}

/// Asks rustup for the component, with a time limit.
fn add_component() -> Result<()> {
    let started = Command::new("rustup")
        .args(["component", "add", "rust-src"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut rustup) = started else {
        bail!(
            "the sources of Rust's standard library are missing, and there is no rustup: install \
             the rust-src package that belongs to your Rust"
        )
    };
    let begun = Instant::now();
    while begun.elapsed() < RUSTUP_TIMEOUT {
        if let Some(status) = rustup.try_wait()? {
            if status.success() {
                return Ok(());
            }
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let _ = rustup.kill();
    let _ = rustup.wait();
    bail!(
        "the sources of Rust's standard library could not be downloaded: run `rustup component add \
         rust-src` with a network"
    )
}

/// Writes the sources on `pages` to `library`.
fn restore(pages: &Path, library: &Path) -> Result<()> {
    for name in CRATES {
        restore_folder(&pages.join(name), &library.join(name).join("src"))?;
    }
    Ok(())
}

fn restore_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in
        std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?
    {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !LEFT_OUT.contains(&name.as_str()) {
                restore_folder(&path, &to.join(name))?;
            }
        } else if let Some(source) = name.strip_suffix(".html").filter(|name| name.ends_with(".rs"))
        {
            let page = std::fs::read_to_string(&path)?;
            let code = code_of(&page)
                .with_context(|| format!("{} does not look as expected", path.display()))?;
            std::fs::write(to.join(source), code)?;
        }
    }
    Ok(())
}

/// The source code on a page of the documentation.
fn code_of(page: &str) -> Option<String> {
    const OPEN: &str = "<pre class=\"rust\"><code>";
    let code = &page[page.find(OPEN)? + OPEN.len()..];
    let code = &code[..code.find("</code></pre>")?];
    let mut text = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find('<') {
        push_unescaped(&mut text, &rest[..at]);
        let end = at + rest[at..].find('>')? + 1;
        // Line numbers are links that are not part of the code.
        let is_number =
            rest[at..end].starts_with("<a ") && rest[at..end].contains("data-nosnippet");
        rest = if is_number { &rest[end + rest[end..].find("</a>")? + 4..] } else { &rest[end..] };
    }
    push_unescaped(&mut text, rest);
    Some(text)
}

fn push_unescaped(to: &mut String, html: &str) {
    let mut rest = html;
    while let Some(at) = rest.find('&') {
        to.push_str(&rest[..at]);
        rest = &rest[at..];
        let entities =
            [("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&#39;", '\''), ("&amp;", '&')];
        match entities.iter().find(|(entity, _)| rest.starts_with(entity)) {
            Some((entity, c)) => {
                to.push(*c);
                rest = &rest[entity.len()..];
            }
            None => {
                to.push('&');
                rest = &rest[1..];
            }
        }
    }
    to.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_extracted_from_a_page() {
        let page = "<h1>x.rs</h1><pre class=\"rust\"><code><a href=#1 id=1 data-nosnippet>1</a>\
                    <span class=\"kw\">fn </span>f&lt;T: Fn(&amp;str) -&gt; char&gt;() {\n\
                    <a href=#2 id=2 data-nosnippet>2</a>    <a href=\"y.html\">g</a>(<span>&quot;1 &amp;&amp; 2&quot;</span>)\n\
                    <a href=#3 id=3 data-nosnippet>3</a>}</code></pre></div>";
        assert_eq!(code_of(page).unwrap(), "fn f<T: Fn(&str) -> char>() {\n    g(\"1 && 2\")\n}");
        assert_eq!(code_of("<html>something else</html>"), None);
    }

    #[test]
    fn parts_that_no_notebook_needs_are_left_out() {
        let pages = tempfile::tempdir().unwrap();
        let page = "<pre class=\"rust\"><code>mod x;</code></pre>";
        for name in [
            "core/lib.rs.html",
            "core/stdarch/a.rs.html",
            "alloc/vec/mod.rs.html",
            "std/lib.rs.html",
        ] {
            let path = pages.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, page).unwrap();
        }
        let library = pages.path().join("library");
        restore(pages.path(), &library).unwrap();
        assert_eq!(
            std::fs::read_to_string(library.join("alloc/src/vec/mod.rs")).unwrap(),
            "mod x;"
        );
        assert!(!library.join("core/src/stdarch").exists());
    }
}
