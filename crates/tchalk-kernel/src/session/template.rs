//! The template of sessions: a folder in which the library is compiled and a first cell has run.

use super::session_folder::{Session, clone_tree, is_own, use_folder};
use crate::engine::compile_server::{server, setup};
use crate::engine::evcxr_engine::Engine;
use crate::home::Home;
use crate::output::publisher::Publisher;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Builds the template. Dependencies that `other`, another template, contains are not compiled again.
pub fn build(other: Option<&Path>) -> Result<()> {
    let home = Home::from_env()?;
    let session = Session::empty(&home)?;
    if let Some(other) = other {
        clone_tree(&other.join("target"), &session.folder.join("target"), &|path| !is_own(path))
            .with_context(|| format!("cannot take over {}", other.display()))?;
    }
    use_folder(&session.folder);
    run_first_cell(&home)?;
    server::close();
    setup::remove_shims(&session.folder);
    remove_incremental(&session.folder.join("target"))?;
    let template = home.template();
    if template.exists() {
        fs::remove_dir_all(&template)
            .with_context(|| format!("cannot replace {}", template.display()))?;
    }
    publish_template(&session.real_folder, &template)
        .with_context(|| format!("cannot create {}", template.display()))
}

fn run_first_cell(home: &Home) -> Result<()> {
    let (sender, _receiver) = tokio::sync::mpsc::unbounded_channel();
    let mut engine = Engine::start(home, Publisher::new(sender))?;
    engine.run_first_cell()?;
    // Otherwise the first completion would wait until all dependencies have been checked.
    engine.completions("datasets::shapes", 16)?;
    Ok(())
}

/// Moves a session's folder to the template's path, readable for other users as the umask allows.
fn publish_template(session: &Path, template: &Path) -> std::io::Result<()> {
    fs::create_dir(template)?;
    fs::set_permissions(session, fs::metadata(template)?.permissions())?;
    fs::rename(session, template)
}

/// Removes rustc's incremental files, which only rebuild a changed library faster: more than half of all
/// bytes, which each session would copy at its start and remove at its end.
fn remove_incremental(target: &Path) -> Result<()> {
    for entry in fs::read_dir(target)?.flatten().map(|entry| entry.path()).chain([target.into()]) {
        let incremental = entry.join("debug/incremental");
        if incremental.is_dir() {
            fs::remove_dir_all(&incremental)
                .with_context(|| format!("cannot remove {}", incremental.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_as_readable_as_other_folders() {
        let state = tempfile::tempdir().unwrap();
        let home = Home { state: state.path().to_owned(), library: "unused".into() };
        let session = Session::empty(&home).unwrap();
        fs::write(session.folder.join("file"), "").unwrap();
        publish_template(&session.real_folder, &home.template()).unwrap();
        assert!(home.template().join("file").is_file() && !session.real_folder.exists());
        let mode = |folder: &Path| fs::metadata(folder).unwrap().permissions();
        fs::create_dir(home.state.join("other")).unwrap();
        assert_eq!(mode(&home.template()), mode(&home.state.join("other")));
    }

    #[test]
    fn a_template_contains_no_incremental_files() {
        let target = tempfile::tempdir().unwrap();
        for name in ["debug/incremental/a", "host/debug/incremental/b", "host/debug/deps"] {
            fs::create_dir_all(target.path().join(name)).unwrap();
        }
        remove_incremental(target.path()).unwrap();
        assert!(!target.path().join("debug/incremental").exists());
        assert!(!target.path().join("host/debug/incremental").exists());
        assert!(target.path().join("host/debug/deps").exists());
    }
}
