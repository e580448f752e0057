//! Finding and executing notebooks.

use super::environment::program;
use crate::common::files::entries;
use crate::common::paths::Paths;
use crate::common::process::run as run_command;
use crate::common::step::step;
use crate::setup::{self, Ready, Register};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// Sets up, runs the tutorial, and prints where the result is.
pub fn tutorial(paths: &Paths) -> Result<()> {
    let ready = setup::run(paths, Register::WithUser)?;
    let notebook = paths.root.join("notebooks/tutorial.ipynb");
    let page = step("the tutorial, from top to bottom", || {
        execute(paths, &ready, &notebook, &paths.pages(), &[])
    })?;
    println!("\nThe executed tutorial: {}", page.with_extension("ipynb").display());
    println!("As a page for any browser: {}", page.display());
    println!("To work with it yourself: cargo xtask lab");
    Ok(())
}

/// Executes notebooks.
pub fn run(paths: &Paths, notebooks: &[String]) -> Result<()> {
    if notebooks.is_empty() {
        bail!("a notebook is missing: cargo xtask run notebooks/tutorial.ipynb");
    }
    let ready = setup::run(paths, Register::CheckoutOnly)?;
    for notebook in notebooks {
        let path = std::path::absolute(notebook)?;
        println!("{notebook}");
        execute(paths, &ready, &path, &paths.pages(), &[])?;
    }
    Ok(())
}

/// Executes one notebook, and returns its page. A variable set to `None` is removed.
pub fn execute(
    paths: &Paths,
    ready: &Ready,
    notebook: &Path,
    pages: &Path,
    variables: &[(&str, Option<&str>)],
) -> Result<PathBuf> {
    let mut python = program(paths, ready, "python");
    for (name, value) in variables {
        match value {
            Some(value) => python.env(name, value),
            None => python.env_remove(name),
        };
    }
    // There is no next notebook to prewarm a kernel for.
    python.env("TCHALK_PREWARM", "0");
    python
        .arg(paths.root.join("python/run_notebook.py"))
        .arg(notebook)
        .arg("--output-dir")
        .arg(pages);
    run_command(&mut python)
        .with_context(|| format!("{} did not run to its end", notebook.display()))?;
    let name = notebook.file_name().context("a notebook has a name")?;
    Ok(pages.join(name).with_extension("html"))
}

/// All notebooks below `folder`, sorted by name.
pub fn notebooks(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden {
            found.extend(notebooks(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "ipynb") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notebooks_are_found_in_folders_but_not_in_hidden_ones() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.ipynb", "solutions/a.ipynb", ".ipynb_checkpoints/b.ipynb", "notes.md"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = notebooks(folder.path()).unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
