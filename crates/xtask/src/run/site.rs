//! `cargo xtask site`: executed notebooks, the gallery and the library's documentation as pages that
//! need no server and no network.

use super::examples;
use super::notebooks::execute;
use super::notebooks::notebooks;
use crate::common::cargo::cargo;
use crate::common::files::{copy_tree, create_folder, files_below, write_file};
use crate::common::fingerprint::{fingerprint, fingerprint_of_tree};
use crate::common::paths::{Paths, data_folder};
use crate::common::process::run as run_command;
use crate::common::step::step;
use crate::setup::{self, Ready, Register};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The order in which a reader meets the notebooks; those not named come after them.
const ORDER: [&str; 4] =
    ["tutorial.ipynb", "exercise.ipynb", "solutions/exercise.ipynb", "glossary.ipynb"];
const API: &str = "api/tchalk/index.html";
const KERAS: &str = "api/tchalk/for_keras_users/index.html";
const GALLERY: &str = "gallery.html";

/// An executed notebook.
struct ExecutedNotebook {
    /// Relative to the folder of notebooks.
    name: PathBuf,
    file: PathBuf,
    failed: bool,
}

/// Makes every page; fails at the end if a notebook has failed or a link is broken.
pub fn build(paths: &Paths) -> Result<()> {
    let ready = setup::run(paths, Register::CheckoutOnly)?;
    let site = paths.target().join("site");
    let executed = execute_all(paths, &ready)?;
    let gallery = step("the gallery of figures", || examples::draw_gallery(paths))?;
    let documents = step("documentation of the library", || document(paths))?;
    step("pages", || {
        let _ = std::fs::remove_dir_all(&site);
        create_folder(&site)?;
        copy_documents(&documents, &site.join("api"))?;
        std::fs::copy(paths.root.join("python/site.css"), site.join("site.css"))?;
        std::fs::write(site.join(GALLERY), with_home_link(&std::fs::read_to_string(&gallery)?))?;
        let plan = paths.target().join("site.json");
        write_file(&plan, &plan_of(&site, &executed).to_string())?;
        let script = paths.root.join("python/write_site.py");
        run_command(Command::new(ready.environment.python()).arg(script).arg(&plan))
    })?;
    let broken = broken_links(&site)?;
    println!("\nThe pages, for any browser: {}", site.join("index.html").display());
    for link in &broken {
        println!("a broken link: {link}");
    }
    let failed: Vec<_> = executed.iter().filter(|notebook| notebook.failed).collect();
    for notebook in &failed {
        println!("did not run to its end: {}", notebook.name.display());
    }
    if !failed.is_empty() || !broken.is_empty() {
        bail!("{} notebooks failed, {} links are broken", failed.len(), broken.len());
    }
    Ok(())
}

/// Executes the notebooks that have changed since the last time, or all if library, kernel or conditions have.
fn execute_all(paths: &Paths, ready: &Ready) -> Result<Vec<ExecutedNotebook>> {
    let folder = paths.root.join("notebooks");
    let mut names: Vec<PathBuf> = notebooks(&folder)?
        .iter()
        .map(|path| path.strip_prefix(&folder).unwrap_or(path).to_owned())
        .collect();
    names.sort_by_key(|name| rank(name));
    let library = fingerprint_of_tree(&paths.library().join("src"))?;
    let mut executed = Vec::new();
    for name in names {
        let source = folder.join(&name);
        let text = std::fs::read_to_string(&source)?;
        let kernel = ready.kernel.to_string_lossy();
        let key =
            fingerprint(&[&text, &library, &kernel, &budget(), &data_folder().unwrap_or_default()]);
        let pages = paths.target().join("site-executed").join(name.parent().unwrap_or(&name));
        let file = pages.join(name.file_name().context("a notebook has a name")?);
        let key_file = file.with_extension("stamp");
        let mut failed = false;
        if file.is_file() && std::fs::read_to_string(&key_file).is_ok_and(|old| old == key) {
            println!("{}: as it was executed before", name.display());
        } else {
            println!("{}, {}", name.display(), conditions());
            // An old result must not count for this run.
            for old in [&key_file, &file] {
                let _ = std::fs::remove_file(old);
            }
            let ran = execute(paths, ready, &source, &pages, &[("TCHALK_BUDGET", Some(&budget()))]);
            failed = ran.is_err();
            if !file.is_file() {
                ran.with_context(|| format!("{} left no page", name.display()))?;
            } else if !failed {
                write_file(&key_file, &key)?;
            }
        }
        executed.push(ExecutedNotebook { name, file, failed });
    }
    Ok(executed)
}

/// The sort key of a notebook: the reading order.
fn rank(name: &Path) -> (usize, PathBuf) {
    let position = ORDER.iter().position(|known| Path::new(known) == name);
    (position.unwrap_or(ORDER.len()), name.to_owned())
}

/// The budget: `class`, if `TCHALK_BUDGET` is not set, so that a site does not take a day.
fn budget() -> String {
    std::env::var("TCHALK_BUDGET").ok().filter(|name| !name.is_empty()).unwrap_or("class".into())
}

/// The conditions under which notebooks run, for the pages.
fn conditions() -> String {
    let data = match data_folder() {
        Some(_) => "on the data sets in TCHALK_DATA_DIR",
        None => "on the data sets that are available",
    };
    format!("with budget {}, {data}", budget())
}

fn plan_of(site: &Path, executed: &[ExecutedNotebook]) -> serde_json::Value {
    let page = |name: &Path| Path::new("notebooks").join(name).with_extension("html");
    let notebooks = executed.iter().map(|notebook| {
        json!({
            "executed": notebook.file,
            "page": page(&notebook.name),
            "failed": notebook.failed,
        })
    });
    json!({
        "site": site,
        "told": conditions(),
        "notebooks": notebooks.collect::<Vec<_>>(),
        "others": [
            {"page": KERAS, "title": "For Keras users",
             "text": "Keras on the left, tchalk on the right, and what surprises. Every line is run."},
            {"page": GALLERY, "title": "Gallery", "text": "Every kind of figure, from built-in data."},
            {"page": API, "title": "Library", "text": "Every type and method, with examples that are run."},
        ],
    })
}

/// The library's documentation, and the folder it is in.
fn document(paths: &Paths) -> Result<PathBuf> {
    let arguments = ["doc", "--quiet", "--no-deps", "--locked", "--package", "tchalk"];
    run_command(cargo().args(arguments).current_dir(&paths.root))?;
    Ok(paths.target().join("doc"))
}

/// Copies the library's documentation; that of other crates may be in the same folder.
fn copy_documents(from: &Path, to: &Path) -> Result<()> {
    let ours = ["tchalk", "static.files", "search.index", "trait.impl", "type.impl"];
    create_folder(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_file() {
            std::fs::copy(&path, to.join(&name))?;
        } else if ours.contains(&name.as_str()) {
            copy_tree(&path, &to.join(&name), &|_| true)?;
        }
    }
    copy_tree(&from.join("src/tchalk"), &to.join("src/tchalk"), &|_| true)
}

/// A single page with a link to the list of all pages.
fn with_home_link(page: &str) -> String {
    let link = "<body><p><a href=\"index.html\" style=\"color:inherit\">tchalk: all pages</a></p>";
    page.replacen("<body>", link, 1)
}

/// The broken links of the notebooks' pages and the first page. (rustdoc checks those of the documentation.)
fn broken_links(site: &Path) -> Result<Vec<String>> {
    let mut pages = files_below(&site.join("notebooks"))?;
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "html"));
    pages.push(site.join("index.html"));
    pages.sort();
    let mut broken = Vec::new();
    for page in pages {
        let text = std::fs::read_to_string(&page)?;
        for link in attributes(&text, "href").into_iter().chain(attributes(&text, "src")) {
            if !link_exists(&page, &text, &link)? {
                let page = page.strip_prefix(site).unwrap_or(&page);
                broken.push(format!("{} → {link}", page.display()));
            }
        }
    }
    Ok(broken)
}

/// The values of an attribute on a page.
fn attributes(page: &str, name: &str) -> Vec<String> {
    let mark = format!(" {name}=\"");
    let ends = page.match_indices(&mark).map(|(at, _)| &page[at + mark.len()..]);
    ends.filter_map(|rest| rest.split('"').next())
        .map(|value| value.replace("&amp;", "&"))
        .collect()
}

fn link_exists(page: &Path, text: &str, link: &str) -> Result<bool> {
    // Links to the network are not checked.
    if link.contains(':') || link.is_empty() {
        return Ok(true);
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = page.parent().unwrap_or(page).join(decoded(file));
    if !file.is_empty() && !target.is_file() {
        return Ok(false);
    }
    if anchor.is_empty() {
        return Ok(true);
    }
    let id = format!(" id=\"{}\"", decoded(anchor));
    match file.is_empty() {
        true => Ok(text.contains(&id)),
        false => Ok(std::fs::read_to_string(target)?.contains(&id)),
    }
}

/// An address with `%20` and the like decoded.
fn decoded(address: &str) -> String {
    let bytes = address.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| address.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tutorial_comes_first_and_unknown_notebooks_last() {
        let mut names =
            ["zebra.ipynb", "solutions/exercise.ipynb", "exercise.ipynb", "tutorial.ipynb"]
                .map(PathBuf::from);
        names.sort_by_key(|name| rank(name));
        assert_eq!(names[0], Path::new("tutorial.ipynb"));
        assert_eq!(names[3], Path::new("zebra.ipynb"));
    }

    #[test]
    fn broken_links_are_found() {
        let site = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = site.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "index.html",
            "<a href=\"notebooks/a%20b.html#Max-pooling\"> <a href=\"https://x.y/z\">",
        );
        write(
            "notebooks/a b.html",
            "<h2 id=\"Max-pooling\"></h2> <a href=\"#gone\"> <a href=\"../no.html\">",
        );
        let broken = broken_links(site.path()).unwrap();
        assert_eq!(broken, ["notebooks/a b.html → #gone", "notebooks/a b.html → ../no.html"]);
    }

    /// The anchors of a notebook's headings as Jupyter makes them, and its links to notebooks.
    fn anchors_and_links(notebook: &Path) -> (Vec<String>, Vec<String>) {
        let text = std::fs::read_to_string(notebook).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let cells = json["cells"].as_array().unwrap().iter();
        let texts = cells.filter(|cell| cell["cell_type"] == "markdown").map(|cell| {
            match cell["source"].as_array() {
                Some(lines) => lines.iter().filter_map(|line| line.as_str()).collect::<String>(),
                None => cell["source"].as_str().unwrap_or_default().to_owned(),
            }
        });
        let text: String = texts.map(|text| text + "\n").collect();
        let headings = text.lines().filter(|line| line.starts_with('#'));
        let anchor = |line: &str| line.trim_start_matches('#').trim().replace(' ', "-");
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let links = links.filter(|link| link.starts_with('#') || link.contains(".ipynb"));
        (headings.map(anchor).collect(), links.map(str::to_owned).collect())
    }

    #[test]
    fn links_between_notebooks_lead_to_existing_headings() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../notebooks");
        for notebook in notebooks(&folder).unwrap() {
            for link in anchors_and_links(&notebook).1 {
                let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
                let target = match file.is_empty() {
                    true => notebook.clone(),
                    false => notebook.parent().unwrap().join(file),
                };
                assert!(target.is_file(), "{}: {link}", notebook.display());
                let anchors = anchors_and_links(&target).0;
                let found = anchor.is_empty() || anchors.contains(&decoded(anchor));
                assert!(found, "{}: {link}", notebook.display());
            }
        }
    }

    #[test]
    fn a_single_page_gets_a_link_to_all_pages() {
        assert!(
            with_home_link("<html><body><h1>All</h1>").contains("<body><p><a href=\"index.html\"")
        );
    }
}
