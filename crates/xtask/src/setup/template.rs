//! The template: the folder that every notebook's session is cloned from, with the library already built.

use super::kernel;
use super::provided::Provided;
use super::vendored_crates;
use crate::common::files::{files_below, write_file};
use crate::common::fingerprint::{fingerprint, fingerprint_of_tree};
use crate::common::paths::Paths;
use crate::common::rustc;
use crate::common::step::step;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The file with the fingerprints of what the template beside it was built from.
const FILE: &str = "template.stamp";

/// The fingerprint of what the dependencies are built from: versions, glue, compiler, and the folder of their
/// sources, if that is not cargo's own.
fn dependencies_fingerprint(paths: &Paths, glue: &Path) -> Result<String> {
    let mut parts = vec![
        std::fs::read_to_string(paths.root.join("Cargo.lock"))?,
        std::fs::read_to_string(paths.library().join("Cargo.toml"))?,
        glue.to_string_lossy().into_owned(),
        rustc::version()?,
    ];
    let folder = vendored_crates::crates_in_use(paths);
    parts.extend(folder.map(|folder| folder.to_string_lossy().into_owned()));
    Ok(fingerprint(&parts.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// The fingerprints of what the template is built from: the dependencies; the library and the kernel.
fn fingerprints(paths: &Paths, kernel: &Path, glue: &Path) -> Result<String> {
    let library = fingerprint_of_tree(&paths.library().join("src"))?;
    let dependencies = dependencies_fingerprint(paths, glue)?;
    Ok(format!("{dependencies} {}", fingerprint(&[&library, &kernel.to_string_lossy()])))
}

/// A template of this checkout or another that has the same dependencies and can be read.
fn similar_template(paths: &Paths, glue: &Path) -> Result<Option<PathBuf>> {
    let dependencies = dependencies_fingerprint(paths, glue)?;
    let folders = paths.state.parent().into_iter().map(Path::to_owned);
    let folders = folders.chain([paths.home.join("checkouts")]);
    let mut states =
        folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    Ok(states.find_map(|entry| {
        let state = entry.path();
        let text = std::fs::read_to_string(state.join(FILE)).ok()?;
        let template = state.join("template");
        let is_readable = template.join("target").read_dir().is_ok();
        (text.split(' ').next()? == dependencies && is_readable).then_some(template)
    }))
}

/// cargo's target folder in the template.
pub fn target(paths: &Paths) -> PathBuf {
    paths.state.join("template/target")
}

/// The library's dependencies in the template: every file with a hash in its name.
pub fn dependencies(paths: &Paths) -> Result<Vec<PathBuf>> {
    let mut files = files_below(&target(paths))?;
    files.retain(|file| has_hash(file));
    Ok(files)
}

/// Whether cargo has named this file with a hash of its inputs: a library, a macro, a build script.
fn has_hash(file: &Path) -> bool {
    let extension = file.extension().unwrap_or_default().to_string_lossy();
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let hash = stem.rsplit_once('-').map(|(_, hash)| hash).unwrap_or_default();
    matches!(&*extension, "" | "rlib" | "rmeta" | "so" | "dylib")
        && hash.len() == 16
        && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
        && !file.components().any(|part| part.as_os_str() == ".fingerprint")
}

fn file(paths: &Paths) -> PathBuf {
    paths.state.join(FILE)
}

/// Whether the template is up to date.
pub fn is_current(paths: &Paths, kernel: &Path, glue: &Path) -> Result<bool> {
    let old = std::fs::read_to_string(file(paths)).unwrap_or_default();
    Ok(paths.state.join("template").is_dir()
        && old == fingerprints(paths, kernel, glue)?
        && !is_touched_since(&paths.library(), &file(paths)))
}

/// Whether a source of the library is newer than `file`. cargo compares times, and would build the library in
/// every session.
fn is_touched_since(library: &Path, file: &Path) -> bool {
    let time = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let mut sources = files_below(&library.join("src")).unwrap_or_default();
    sources.push(library.join("Cargo.toml"));
    sources.iter().any(|source| time(source) > time(file))
}

/// Builds the template, if it is not up to date.
pub fn ensure(
    paths: &Paths,
    kernel: &Path,
    glue: &Path,
    rust_src: &Path,
    provided: &Provided,
) -> Result<()> {
    if is_current(paths, kernel, glue)? {
        return Ok(());
    }
    let similar = similar_template(paths, glue)?;
    let prebuilt = match similar {
        Some(_) => None,
        None => provided.crates(&rustc::version()?),
    };
    let how_long = match (&similar, &prebuilt) {
        (Some(_), _) => "half a minute",
        (_, Some(_)) => "about a minute",
        _ => "about 4 minutes",
    };
    step(&format!("the library for notebooks, built once in advance ({how_long})"), || {
        let fingerprints = fingerprints(paths, kernel, glue)?;
        let mut warm = Command::new(kernel);
        warm.arg("--warm").args(similar).envs(kernel::environment(paths, rust_src));
        warm.envs(prebuilt.map(|folder| ("TCHALK_PREBUILT", folder)));
        // Backtraces are for the kernel's developers.
        let output =
            warm.env_remove("RUST_BACKTRACE").output().context("cannot start the kernel")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        rewrite(&file(paths), &fingerprints)
    })
}

/// Writes the file even if its content stays the same: a source may have a new time without a change.
fn rewrite(file: &Path, text: &str) -> Result<()> {
    let _ = std::fs::remove_file(file);
    write_file(file, text)
}

/// The file that names the checkout to which a state folder belongs.
pub const OWNER: &str = "checkout";

/// Writes which checkout this state folder belongs to, and removes the state folders of deleted checkouts.
pub fn remove_state_of_deleted_checkouts(paths: &Paths) -> Result<()> {
    write_file(&paths.state.join(OWNER), &paths.root.to_string_lossy())?;
    let Some(Ok(checkouts)) = paths.state.parent().map(std::fs::read_dir) else { return Ok(()) };
    for state in checkouts.flatten().map(|entry| entry.path()) {
        if std::fs::read_to_string(state.join(OWNER)).is_ok_and(|owner| !Path::new(&owner).exists())
        {
            let _ = std::fs::remove_dir_all(state);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_recognized_by_their_names() {
        let named = |name: &str| has_hash(Path::new(name));
        assert!(named("deps/libserde-0123456789abcdef.rlib"));
        assert!(named("build/serde-0123456789abcdef/build_script_build-0123456789abcdef"));
        assert!(!named("deps/libtchalk.so") && !named("build/serde-0123456789abcdef/output"));
        assert!(!named("deps/serde-0123456789abcdef.d"));
        assert!(!named(".fingerprint/serde-0123456789abcdef/lib-serde-0123456789abcdef"));
    }

    #[test]
    fn crates_from_another_folder_give_another_template() {
        let root = tempfile::tempdir().unwrap();
        let library = root.path().join("crates/tchalk");
        std::fs::create_dir_all(&library).unwrap();
        std::fs::write(root.path().join("Cargo.lock"), "").unwrap();
        std::fs::write(library.join("Cargo.toml"), "").unwrap();
        let paths = Paths { root: root.path().into(), home: "/h".into(), state: "/s".into() };
        let fingerprint = || dependencies_fingerprint(&paths, Path::new("/g")).unwrap();
        let before = fingerprint();
        assert_eq!(before, fingerprint());
        let config = vendored_crates::crates_config(&paths);
        write_file(&config, "[source.tchalk-bundle]\ndirectory = \"/c\"\n").unwrap();
        assert_ne!(before, fingerprint());
    }

    #[test]
    fn a_source_newer_than_the_file_is_found() {
        let library = tempfile::tempdir().unwrap();
        let (src, file) = (library.path().join("src"), library.path().join("file"));
        std::fs::create_dir_all(&src).unwrap();
        let write = |path: &Path, seconds: u64| {
            std::fs::write(path, "").unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            std::fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
        };
        write(&src.join("lib.rs"), 100);
        write(&library.path().join("Cargo.toml"), 100);
        write(&file, 200);
        assert!(!is_touched_since(library.path(), &file));
        write(&src.join("lib.rs"), 300);
        assert!(is_touched_since(library.path(), &file));
        rewrite(&file, "").unwrap();
        assert!(!is_touched_since(library.path(), &file), "the same text with a new time");
    }

    #[test]
    fn only_the_state_of_a_deleted_checkout_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let state = |name: &str| home.path().join("checkouts").join(name);
        let owned = [("mine", home.path().to_owned()), ("gone", home.path().join("gone"))];
        for (name, root) in &owned {
            std::fs::create_dir_all(state(name)).unwrap();
            std::fs::write(state(name).join(OWNER), root.to_string_lossy().as_bytes()).unwrap();
        }
        std::fs::create_dir_all(state("unknown")).unwrap();
        let (root, home) = (home.path().to_owned(), home.path().to_owned());
        remove_state_of_deleted_checkouts(&Paths { root, home, state: state("mine") }).unwrap();
        assert!(state("mine").exists() && state("unknown").exists() && !state("gone").exists());
    }
}
