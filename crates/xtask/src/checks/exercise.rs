//! The exercise is generated from its solution, so that the two always agree.
//!
//! `notebooks/solutions/exercise.ipynb` is the one to edit. A cell with the tag `solution` has under `starter` in
//! its metadata the source that replaces it in `notebooks/exercise.ipynb`; without a starter the cell is left
//! out. All other cells are the same except for links: the solution is one folder deeper.

use crate::common::files::write_file;
use crate::common::paths::Paths;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::PathBuf;

const SOLUTION: &str = "notebooks/solutions/exercise.ipynb";
const EXERCISE: &str = "notebooks/exercise.ipynb";

/// Writes the exercise.
pub fn write(paths: &Paths) -> Result<()> {
    let (path, text) = generated(paths)?;
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    write_file(&path, &text)?;
    let change = if before == text { "is unchanged" } else { "was written" };
    println!("{EXERCISE} {change}");
    Ok(())
}

/// An error if the exercise is not up to date.
pub fn check(paths: &Paths) -> Result<()> {
    let (path, text) = generated(paths)?;
    let there = std::fs::read_to_string(&path)
        .with_context(|| format!("there is no {EXERCISE}: run cargo xtask exercise"))?;
    if there == text {
        return Ok(());
    }
    let differing = there.lines().zip(text.lines()).position(|(a, b)| a != b);
    let line = differing.unwrap_or_else(|| there.lines().count().min(text.lines().count())) + 1;
    bail!(
        "{EXERCISE} differs from what {SOLUTION} gives, from line {line} on. Make the change in the \
         solution, and run cargo xtask exercise"
    )
}

/// The path of the exercise, and its text.
fn generated(paths: &Paths) -> Result<(PathBuf, String)> {
    let from = paths.root.join(SOLUTION);
    let text = std::fs::read_to_string(&from).with_context(|| format!("cannot read {SOLUTION}"))?;
    let solution: Value =
        serde_json::from_str(&text).with_context(|| format!("{SOLUTION} is no notebook"))?;
    Ok((paths.root.join(EXERCISE), notebook_text(&exercise_of(&solution)?)?))
}

/// The exercise for a solution.
fn exercise_of(solution: &Value) -> Result<Value> {
    let mut exercise = solution.clone();
    let cells = solution["cells"].as_array().context("a notebook has cells")?;
    let mut kept = Vec::new();
    for cell in cells {
        let source = match (is_solved(cell), &cell["metadata"]["starter"]) {
            (true, Value::Null) => continue,
            (true, starter) => lines(starter),
            (false, _) => lines(&cell["source"]),
        };
        let source = source.with_context(|| format!("cell {} has no lines", cell["id"]))?;
        let mut cell = cell.clone();
        if let Some(metadata) = cell["metadata"].as_object_mut() {
            metadata.remove("starter");
            metadata.remove("tags");
        }
        if cell["cell_type"] == "code" {
            (cell["outputs"], cell["execution_count"]) = (json!([]), Value::Null);
        }
        // The exercise is one folder above the solution.
        let nearer = |line: String| match cell["cell_type"].as_str() {
            Some("markdown") => line.replace("](../", "]("),
            _ => line,
        };
        cell["source"] = source.into_iter().map(nearer).collect::<Vec<_>>().into();
        kept.push(cell);
    }
    exercise["cells"] = kept.into();
    if let Some(title) = solution["metadata"]["title"].as_str() {
        exercise["metadata"]["title"] = title.replace(", solved", "").into();
    }
    Ok(exercise)
}

fn is_solved(cell: &Value) -> bool {
    let tags = cell["metadata"]["tags"].as_array();
    tags.is_some_and(|tags| tags.iter().any(|tag| tag == "solution"))
}

/// The lines of a source: a notebook has a list of lines or one text.
pub fn lines(source: &Value) -> Option<Vec<String>> {
    match source {
        Value::String(text) => Some(text.split_inclusive('\n').map(str::to_owned).collect()),
        Value::Array(lines) => lines.iter().map(|line| line.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// A notebook as Jupyter writes it: keys in order, indented by one.
pub fn notebook_text(notebook: &Value) -> Result<String> {
    let wide = serde_json::to_string_pretty(notebook)?;
    let narrow = wide.lines().map(|line| {
        let text = line.trim_start();
        format!("{}{text}\n", " ".repeat((line.len() - text.len()) / 2))
    });
    Ok(narrow.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn solution() -> Value {
        let cell = |kind: &str, source: &str, metadata: Value| json!({"cell_type": kind, "id": source, "metadata": metadata, "source": [source]});
        json!({
            "cells": [
                cell("markdown", "See [1.1](../tutorial.ipynb#1.1).", json!({})),
                cell("code", "good()", json!({"tags": ["solution"], "starter": ["poor()"]})),
                cell("markdown", "Why it is good.", json!({"tags": ["solution"]})),
            ],
            "metadata": {"title": "Digits, solved"},
        })
    }

    #[test]
    fn a_solution_is_replaced_by_its_starter() {
        let exercise = exercise_of(&solution()).unwrap();
        let cells = exercise["cells"].as_array().unwrap();
        assert_eq!(cells.len(), 2, "a solution without a starter is left out");
        assert_eq!(cells[0]["source"], json!(["See [1.1](tutorial.ipynb#1.1)."]));
        assert_eq!(cells[1]["source"], json!(["poor()"]));
        assert_eq!((&cells[1]["outputs"], &cells[1]["metadata"]), (&json!([]), &json!({})));
        assert_eq!(exercise["metadata"]["title"], "Digits");
    }

    #[test]
    fn the_format_is_jupyter_s() {
        let text = notebook_text(&json!({"b": [1], "a": {}})).unwrap();
        assert_eq!(text, "{\n \"a\": {},\n \"b\": [\n  1\n ]\n}\n");
    }

    #[test]
    fn the_exercise_in_this_checkout_is_up_to_date() {
        check(&Paths::find().unwrap()).unwrap();
    }
}
