//! The notebooks for Google Colab and Kaggle are made from the ones in `notebooks`.
//!
//! Machines in the cloud have only Python kernels. So each notebook begins with a cell that installs tchalk
//! (`cloud/set_up.py`), and all other cells begin with `%%rust`, which sends them to it.
//!
//! The other texts with the project's address are written here, too: in the README and in CITATION.cff.

use super::exercise::{lines, notebook_text};
use crate::common::files::write_file;
use crate::common::paths::Paths;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::PathBuf;

const NAMES: [&str; 2] = ["tutorial.ipynb", "exercise.ipynb"];
const SET_UP: &str = "cloud/set_up.py";
/// The project's address in the workspace's manifest, empty until there is one.
const ADDRESS: &str = env!("CARGO_PKG_REPOSITORY");
const GITHUB: &str = "https://github.com/";
const README: &str = "README.md";
const CITATION: &str = "CITATION.cff";
/// The README's text between these depends on the address.
const MARKERS: [&str; 2] = ["<!-- by cargo xtask cloud -->", "<!-- end -->"];
const BUTTON_IMAGE: &str = "https://colab.research.google.com/assets/colab-badge.svg";

const HEADER: &str = "\
*This is the edition for notebooks in the cloud. Choose a machine with a GPU (Colab: Runtime → Change \
runtime type → T4 GPU; Kaggle: Session options → Accelerator, and Internet on), run the next cell \
once, and wait for* Ready. *When the machine was taken away or restarted, run it again. \
[cloud/README.md](README.md) says what is known to work and what is not.*";

/// Writes the cloud's notebooks, and the texts with the address.
pub fn write(paths: &Paths) -> Result<()> {
    for (path, text) in generated(paths, ADDRESS)? {
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        write_file(&path, &text)?;
        let change = if before == text { "is unchanged" } else { "was written" };
        println!("{} {change}", path.strip_prefix(&paths.root).unwrap_or(&path).display());
    }
    Ok(())
}

/// An error if one of them is not up to date.
pub fn check(paths: &Paths) -> Result<()> {
    for (path, text) in generated(paths, ADDRESS)? {
        if std::fs::read_to_string(&path).unwrap_or_default() != text {
            bail!(
                "{} differs from what notebooks/, {SET_UP} and the address in Cargo.toml give: run \
                 cargo xtask cloud",
                path.strip_prefix(&paths.root).unwrap_or(&path).display()
            );
        }
    }
    Ok(())
}

/// The path of each file, and its text.
fn generated(paths: &Paths, address: &str) -> Result<Vec<(PathBuf, String)>> {
    if !address.is_empty() && !address.starts_with(GITHUB) {
        bail!(
            "`repository` in Cargo.toml: expected {GITHUB}OWNER/NAME, or nothing yet, got {address:?}"
        );
    }
    let read = |name: &str| {
        let path = paths.root.join(name);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let set_up = filled(&read(SET_UP)?, address);
    let made = NAMES.map(|name| {
        let notebook: Value = serde_json::from_str(&read(&format!("notebooks/{name}"))?)
            .with_context(|| format!("notebooks/{name} is no notebook"))?;
        let text = notebook_text(&edition(&notebook, &set_up, address)?)?;
        Ok((paths.root.join("cloud").join(name), text))
    });
    let mut made = made.into_iter().collect::<Result<Vec<_>>>()?;
    made.push((paths.root.join(README), readme(&read(README)?, address)?));
    made.push((paths.root.join(CITATION), citation(&read(CITATION)?, address)));
    Ok(made)
}

/// The README with the line that clones and the row on the cloud for this address.
fn readme(text: &str, address: &str) -> Result<String> {
    let from = if address.is_empty() { "<this repository>" } else { address };
    let clone = format!("git clone {from} tchalk && cd tchalk");
    let lines: Vec<&str> = text.split('\n').collect();
    let is_clone = |line: &&str| line.starts_with("git clone ");
    if lines.iter().filter(|line| is_clone(line)).count() != 1 {
        bail!("{README}: expected one line that begins with `git clone`");
    }
    let lines: Vec<&str> =
        lines.iter().map(|line| if is_clone(line) { clone.as_str() } else { *line }).collect();
    let text = lines.join("\n");
    let parts = text
        .split_once(MARKERS[0])
        .and_then(|(before, rest)| rest.split_once(MARKERS[1]).map(|(_, after)| (before, after)));
    let (before, after) = parts.with_context(|| format!("{README} has no {MARKERS:?}"))?;
    Ok(format!("{before}{}{}{}{after}", MARKERS[0], buttons(address), MARKERS[1]))
}

/// The links to the cloud's notebooks.
fn buttons(address: &str) -> String {
    if address.is_empty() {
        return "the notebooks of [cloud](cloud/README.md), once the project has an address".into();
    }
    let button = |name: &str| {
        let what = name.trim_end_matches(".ipynb");
        format!("[![the {what} in Colab]({BUTTON_IMAGE}) {what}]({})", colab(address, name))
    };
    let buttons = NAMES.map(button).join(", ");
    format!(
        "nothing to install, but a Google account is needed: {buttons} ([more](cloud/README.md))"
    )
}

/// CITATION.cff with the address after the version, if there is one.
fn citation(text: &str, address: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("repository-code:"));
    lines.fold(String::new(), |mut text, line| {
        text.push_str(&format!("{line}\n"));
        if line.starts_with("version:") && !address.is_empty() {
            text.push_str(&format!("repository-code: \"{address}\"\n"));
        }
        text
    })
}

/// The set-up cell with address and versions of this workspace.
fn filled(set_up: &str, address: &str) -> String {
    set_up
        .replace("{repository}", address)
        .replace("{version}", env!("CARGO_PKG_VERSION"))
        .replace("{rust}", concat!(env!("CARGO_PKG_RUST_VERSION"), ".0"))
}

/// A notebook's edition for the cloud.
fn edition(notebook: &Value, set_up: &str, address: &str) -> Result<Value> {
    let cells = notebook["cells"].as_array().context("a notebook has cells")?;
    let hidden = json!({"cellView": "form", "_kg_hide-input": true});
    let title = "#@title Set tchalk up: run this once { display-mode: \"form\" }\n";
    let mut made = vec![
        cell("markdown", "cloud-header", json!({}), &with_whole_links(HEADER, address)),
        cell("code", "cloud-set-up", hidden, &format!("{title}{}", set_up.trim_end())),
    ];
    for cell in cells {
        let mut cell = cell.clone();
        let source = lines(&cell["source"]).context("a cell has lines")?;
        let source: Vec<String> = match cell["cell_type"].as_str() {
            Some("code") => [vec!["%%rust\n".to_owned()], source].concat(),
            _ => source.iter().map(|line| with_whole_links(line, address)).collect(),
        };
        cell["source"] = source.into();
        made.push(cell);
    }
    let mut edition = notebook.clone();
    edition["cells"] = made.into();
    edition["metadata"]["kernelspec"] =
        json!({"display_name": "Python 3", "language": "python", "name": "python3"});
    edition["metadata"]["language_info"] = json!({"name": "python"});
    edition["metadata"]["accelerator"] = "GPU".into();
    edition["metadata"]["colab"] = json!({"gpuType": "T4", "provenance": []});
    Ok(edition)
}

fn cell(kind: &str, id: &str, metadata: Value, source: &str) -> Value {
    let lines: Vec<&str> = source.split_inclusive('\n').collect();
    let mut cell = json!({"cell_type": kind, "id": id, "metadata": metadata, "source": lines});
    if kind == "code" {
        (cell["execution_count"], cell["outputs"]) = (Value::Null, json!([]));
    }
    cell
}

/// Replaces relative links, because a notebook is alone in the cloud: those between notebooks by links to the
/// cloud's editions, others by links to the repository. Without an address only their texts are left.
fn with_whole_links(line: &str, address: &str) -> String {
    let file = |name: &str| format!("{address}/blob/main/{name}");
    let mut targets: Vec<(&str, String)> =
        NAMES.map(|name| (name, colab(address, name))).into_iter().collect();
    targets.push(("README.md", file("cloud/README.md")));
    targets.push(("glossary.ipynb", file("notebooks/glossary.ipynb")));
    targets.push(("solutions/exercise.ipynb", file("notebooks/solutions/exercise.ipynb")));
    targets.into_iter().fold(line.to_owned(), |line, (name, target)| {
        let link = format!("]({name}");
        match address.is_empty() {
            true => without_links(&line, &link),
            false => line.replace(&link, &format!("]({target}")),
        }
    })
}

/// Replaces the links that contain `link` by their texts.
fn without_links(line: &str, link: &str) -> String {
    let mut line = line.to_owned();
    while let Some(at) = line.find(link) {
        let end = line[at..].find(')').map_or(line.len(), |length| at + length + 1);
        line.replace_range(at..end, "");
        if let Some(begin) = line[..at].rfind('[') {
            line.remove(begin);
        }
    }
    line
}

/// The address at which Colab opens a notebook of the repository.
fn colab(address: &str, name: &str) -> String {
    let repository = address.trim_start_matches(GITHUB);
    format!("https://colab.research.google.com/github/{repository}/blob/main/cloud/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const THERE: &str = "https://github.com/someone/tchalk";

    #[test]
    fn the_cloud_s_edition_sets_up_and_sends_every_cell_on() {
        let notebook = json!({
            "cells": [
                {"cell_type": "markdown", "id": "a", "metadata": {},
                 "source": ["See [that](exercise.ipynb#1) and [this](glossary.ipynb).\n"]},
                {"cell_type": "code", "id": "b", "metadata": {"tags": ["x"]}, "outputs": [],
                 "execution_count": null, "source": ["let a = 1;\n", "a"]},
            ],
            "metadata": {"kernelspec": {"name": "tchalk"}, "title": "T"},
        });
        let edition = |address| edition(&notebook, "set_up()\n", address).unwrap();
        let bare = edition("")["cells"][2]["source"][0].as_str().unwrap().to_owned();
        assert_eq!(bare, "See that and this.\n");
        let edition = edition(THERE);
        let cells = edition["cells"].as_array().unwrap();
        assert_eq!(cells.len(), 4);
        assert_eq!(cells[1]["source"][1], "set_up()");
        let text = cells[2]["source"][0].as_str().unwrap();
        assert!(text.contains("/cloud/exercise.ipynb#1)"), "{text}");
        assert!(text.contains("/blob/main/notebooks/glossary.ipynb)"), "{text}");
        assert_eq!(cells[3]["source"], json!(["%%rust\n", "let a = 1;\n", "a"]));
        assert_eq!(edition["metadata"]["kernelspec"]["name"], "python3");
        assert_eq!(edition["metadata"]["title"], "T");
    }

    #[test]
    fn all_placeholders_in_the_set_up_cell_are_filled() {
        let paths = Paths::find().unwrap();
        let text = std::fs::read_to_string(paths.root.join(SET_UP)).unwrap();
        let filled = filled(&text, THERE);
        for placeholder in ["{repository}", "{version}", "{rust}"] {
            assert!(text.contains(placeholder) && !filled.contains(placeholder), "{placeholder}");
        }
        assert!(filled.contains(THERE));
    }

    #[test]
    fn no_link_in_the_cloud_is_relative() {
        let paths = Paths::find().unwrap();
        let notebooks = |address| generated(&paths, address).unwrap().into_iter().take(NAMES.len());
        for (path, text) in notebooks("").chain(notebooks(THERE)) {
            for link in text.split("](").skip(1) {
                let whole = ["http", "#", "attachment:"].iter().any(|it| link.starts_with(it));
                assert!(whole, "{}: ]({:.40}", path.display(), link);
            }
        }
    }

    #[test]
    fn the_address_in_the_manifest_is_the_only_one_to_change() {
        let paths = Paths::find().unwrap();
        let all = |address| generated(&paths, address).unwrap();
        for (path, text) in all("") {
            assert!(
                !text.contains("github.com//") && !text.contains("badge"),
                "{}",
                path.display()
            );
        }
        for (path, text) in all(THERE) {
            assert!(text.contains("github.com/someone/tchalk"), "{}", path.display());
        }
        let read = |name| std::fs::read_to_string(paths.root.join(name)).unwrap();
        let there = readme(&read(README), THERE).unwrap();
        assert!(
            there.contains("\ngit clone https://github.com/someone/tchalk tchalk && cd tchalk\n")
        );
        assert!(NAMES.iter().all(|name| there.contains(&colab(THERE, name))));
        let back = readme(&there, "").unwrap();
        assert!(back.contains("\ngit clone <this repository> tchalk && cd tchalk\n"));
        assert_eq!(back, readme(&read(README), "").unwrap());
        let cited = citation(&read(CITATION), THERE);
        assert_eq!(citation(&cited, ""), citation(&read(CITATION), ""));
        assert!(generated(&paths, "https://example.org/tchalk").is_err());
    }
}
