//! The notebooks for Google Colab and Kaggle are made from the ones in `notebooks`.
//!
//! Machines in the cloud offer Python alone. So each notebook begins there with a cell that brings
//! tchalk (`cloud/set_up.py`), and all other cells begin with `%%rust`, which hands them to it.

use crate::exercise::{lines, text_of};
use crate::paths::Paths;
use crate::step::whole_file;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::PathBuf;

const NAMES: [&str; 2] = ["tutorial.ipynb", "exercise.ipynb"];
const SET_UP: &str = "cloud/set_up.py";
/// Where the project is; the workspace's manifest says it.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

const HEADER: &str = "\
*This is the edition for notebooks in the cloud. Choose a machine with a GPU (Colab: Runtime → Change \
runtime type → T4 GPU; Kaggle: Session options → Accelerator, and Internet on), run the next cell \
once, and wait for* Ready. *When the machine was taken away or restarted, run it again. [What is \
known to work and what is not](REPOSITORY/blob/main/cloud/README.md).*";

/// Writes the cloud's notebooks.
pub fn write(paths: &Paths) -> Result<()> {
    for (path, text) in made(paths)? {
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        whole_file(&path, &text)?;
        let done = if before == text { "is as it was" } else { "was written" };
        println!("{} {done}", path.strip_prefix(&paths.root).unwrap_or(&path).display());
    }
    Ok(())
}

/// An error if one of them is not what the notebooks make it.
pub fn check(paths: &Paths) -> Result<()> {
    for (path, text) in made(paths)? {
        if std::fs::read_to_string(&path).unwrap_or_default() != text {
            bail!(
                "{} is not what notebooks/ and {SET_UP} make it: run cargo xtask cloud",
                path.strip_prefix(&paths.root).unwrap_or(&path).display()
            );
        }
    }
    Ok(())
}

/// Where each belongs, and what it has to be.
fn made(paths: &Paths) -> Result<Vec<(PathBuf, String)>> {
    let read = |name: &str| {
        let path = paths.root.join(name);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let set_up = filled(&read(SET_UP)?);
    let made = NAMES.map(|name| {
        let notebook: Value = serde_json::from_str(&read(&format!("notebooks/{name}"))?)
            .with_context(|| format!("notebooks/{name} is no notebook"))?;
        let text = text_of(&edition(&notebook, &set_up)?)?;
        Ok((paths.root.join("cloud").join(name), text))
    });
    made.into_iter().collect()
}

/// The set-up cell, with what this workspace says of itself.
fn filled(set_up: &str) -> String {
    set_up
        .replace("{repository}", REPOSITORY)
        .replace("{version}", env!("CARGO_PKG_VERSION"))
        .replace("{rust}", concat!(env!("CARGO_PKG_RUST_VERSION"), ".0"))
}

/// A notebook as the cloud gets it.
fn edition(notebook: &Value, set_up: &str) -> Result<Value> {
    let cells = notebook["cells"].as_array().context("a notebook has cells")?;
    let hidden = json!({"cellView": "form", "_kg_hide-input": true});
    let title = "#@title Set tchalk up: run this once { display-mode: \"form\" }\n";
    let header = HEADER.replace("REPOSITORY", REPOSITORY);
    let mut made = vec![
        cell("markdown", "cloud-header", json!({}), &header),
        cell("code", "cloud-set-up", hidden, &format!("{title}{}", set_up.trim_end())),
    ];
    for cell in cells {
        let mut cell = cell.clone();
        let source = lines(&cell["source"]).context("a cell has lines")?;
        let source: Vec<String> = match cell["cell_type"].as_str() {
            Some("code") => [vec!["%%rust\n".to_owned()], source].concat(),
            _ => source.iter().map(|line| with_whole_links(line)).collect(),
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

/// Links between notebooks lead to the cloud's editions, others to the repository: what lies beside a
/// notebook is not there in the cloud.
fn with_whole_links(line: &str) -> String {
    let mut line = line.to_owned();
    for name in NAMES {
        line = line.replace(&format!("]({name}"), &format!("]({}", colab(name)));
    }
    for name in ["glossary.ipynb", "solutions/exercise.ipynb"] {
        let whole = format!("]({REPOSITORY}/blob/main/notebooks/{name}");
        line = line.replace(&format!("]({name}"), &whole);
    }
    line
}

/// The address at which Colab opens a notebook of the repository.
fn colab(name: &str) -> String {
    let place = REPOSITORY.trim_start_matches("https://github.com/");
    format!("https://colab.research.google.com/github/{place}/blob/main/cloud/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cloud_s_edition_sets_up_and_hands_every_cell_on() {
        let notebook = json!({
            "cells": [
                {"cell_type": "markdown", "id": "a", "metadata": {},
                 "source": ["See [that](exercise.ipynb#1) and [this](glossary.ipynb).\n"]},
                {"cell_type": "code", "id": "b", "metadata": {"tags": ["x"]}, "outputs": [],
                 "execution_count": null, "source": ["let a = 1;\n", "a"]},
            ],
            "metadata": {"kernelspec": {"name": "tchalk"}, "title": "T"},
        });
        let edition = edition(&notebook, "set_up()\n").unwrap();
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
    fn nothing_in_the_set_up_cell_stays_open() {
        let paths = Paths::find().unwrap();
        let text = std::fs::read_to_string(paths.root.join(SET_UP)).unwrap();
        let filled = filled(&text);
        for place in ["{repository}", "{version}", "{rust}"] {
            assert!(text.contains(place) && !filled.contains(place), "{place}");
        }
        assert!(filled.contains(REPOSITORY) && REPOSITORY.starts_with("https://github.com/"));
    }

    #[test]
    fn no_link_in_the_cloud_leads_to_a_file_that_is_not_there() {
        for (path, text) in made(&Paths::find().unwrap()).unwrap() {
            for link in text.split("](").skip(1) {
                let whole = ["http", "#", "attachment:"].iter().any(|it| link.starts_with(it));
                assert!(whole, "{}: ]({:.40}", path.display(), link);
            }
        }
    }

    #[test]
    fn the_readme_s_buttons_and_its_first_command_name_the_repository() {
        let readme =
            std::fs::read_to_string(Paths::find().unwrap().root.join("README.md")).unwrap();
        for name in NAMES {
            assert!(readme.contains(&colab(name)), "README.md has no {}", colab(name));
        }
        let clone = format!("git clone {REPOSITORY} && cd tchalk\n");
        assert!(readme.contains(&clone), "README.md has no {clone}");
    }
}
