//! Building the kernel, and telling Jupyter where it is.

use super::bundled_data::remembered_data;
use super::provided::Provided;
use super::vendored_crates;
use crate::common::cargo::config;
use crate::common::files::{create_filled, create_folder, write_file};
use crate::common::fingerprint::{fingerprint, fingerprint_of_tree};
use crate::common::paths::{DATA_FOLDER, Paths, data_folder};
use crate::common::process::{cause, remedy, run_quietly};
use crate::common::rustc;
use crate::common::step::step;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The crate, and the program it makes.
pub const PACKAGE: &str = "tchalk-kernel";

/// The program of this checkout's kernel, built or not.
pub fn binary(paths: &Paths) -> Result<PathBuf> {
    let key = fingerprint(&[&sources_key(paths)?, &rustc::version()?]);
    Ok(paths.home.join(format!("kernel-{}", &key[..8])).join(PACKAGE))
}

/// The key of all that the kernel is made from, but for the compiler.
pub fn sources_key(paths: &Paths) -> Result<String> {
    let lock = std::fs::read_to_string(paths.root.join("Cargo.lock")).context("no Cargo.lock")?;
    let manifest = std::fs::read_to_string(paths.root.join("crates/tchalk-kernel/Cargo.toml"))?;
    let sources = fingerprint_of_tree(&paths.root.join("crates/tchalk-kernel/src"))?;
    Ok(fingerprint(&[&lock, &manifest, &sources]))
}

/// The kernel's program, taken from a release or built if need be.
pub fn ensure(paths: &Paths, provided: &Provided) -> Result<PathBuf> {
    let binary = binary(paths)?;
    let folder = binary.parent().context("the program is in a folder")?;
    if binary.is_file() && starts(&binary) {
        return Ok(binary);
    }
    if let Some(program) = provided.kernel(&sources_key(paths)?) {
        step("the kernel, from this release", || install(&program, folder))?;
    } else {
        paths.require_writable()?;
        step("the kernel (the first time about 10 minutes: rust-analyzer is in it)", || {
            build(paths)?;
            install(&built(paths)?, folder)
        })?;
    }
    Ok(binary)
}

/// Copies the program into its folder, in place of one that does not start.
fn install(program: &Path, folder: &Path) -> Result<()> {
    let _ = std::fs::remove_dir_all(folder);
    create_filled(folder, |part| {
        std::fs::copy(program, part.join(PACKAGE))
            .with_context(|| format!("cannot copy {}", program.display()))?;
        Ok(())
    })
}

/// Kernels are built in one place for all checkouts: their dependencies are the same.
pub fn target(paths: &Paths) -> PathBuf {
    paths.home.join("target")
}

/// The program that cargo has built.
fn built(paths: &Paths) -> Result<PathBuf> {
    let folder = match names_a_target(&paths.root) {
        true => target(paths).join(rustc::host()?),
        false => target(paths),
    };
    Ok(folder.join("release").join(PACKAGE))
}

/// Whether one of cargo's configurations names what to build for, where this machine is meant.
fn names_a_target(folder: &Path) -> bool {
    config(folder, Some("build.target")).is_some()
}

/// A cargo command for the kernel, in the folder where its dependencies are built once.
pub fn cargo(paths: &Paths, command: &str) -> Command {
    let mut cargo = crate::common::cargo::cargo();
    cargo
        .args([command, "--release", "--locked", "--package", PACKAGE])
        .env("CARGO_TARGET_DIR", target(paths))
        .current_dir(&paths.root);
    if names_a_target(&paths.root) {
        cargo.args(["--target", "host-tuple"]);
    }
    cargo
}

fn build(paths: &Paths) -> Result<()> {
    let mut cargo = cargo(paths, "build")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    // cargo's lines are the sign of life; those from the first error on say why it failed.
    let mut lines = Vec::new();
    if let Some(stderr) = cargo.stderr.take() {
        use std::io::BufRead;
        for line in std::io::BufReader::new(stderr).lines() {
            let line = line?;
            eprintln!("  {line}");
            lines.push(line);
        }
    }
    if !cargo.wait()?.success() {
        let output = lines.join("\n");
        let remedy = remedy(&output).map_or(String::new(), |remedy| format!("\n{remedy}"));
        bail!("cargo failed:\n{}{remedy}", cause(&output));
    }
    Ok(())
}

/// What the kernel has to know, as environment variables.
pub fn environment(paths: &Paths, rust_src: &Path) -> Vec<(&'static str, String)> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    vec![
        ("TCHALK_STATE", text(&paths.state)),
        ("TCHALK_LIBRARY", text(&paths.library())),
        ("RUST_SRC_PATH", text(rust_src)),
    ]
}

/// The folder of the `cargo` that is running this.
pub fn cargo_folder() -> Option<PathBuf> {
    // rustup's cargo lives beside rustc; what `cargo` on the PATH points to is the one to use.
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|folder| folder.join("cargo").is_file())
}

/// The folders in which a kernel looks for programs: cargo's own before these.
fn with_cargo(path: &str) -> String {
    match cargo_folder() {
        Some(folder) => format!("{}:{path}", folder.display()),
        None => path.to_owned(),
    }
}

/// These variables as a kernel has them that Jupyter starts with them: a kernel in reserve serves none
/// with others.
pub fn with_cargo_on_path(variables: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    let seen = |(name, value): (&'static str, String)| match name {
        "PATH" => (name, with_cargo(&value)),
        _ => (name, value),
    };
    variables.into_iter().map(seen).collect()
}

/// What Jupyter reads: how to start the kernel, and with which environment.
fn description(paths: &Paths, binary: &Path, rust_src: &Path, data: Option<&Path>) -> Value {
    let mut environment: serde_json::Map<String, Value> = environment(paths, rust_src)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    environment.insert("PATH".into(), with_cargo("${PATH}").into());
    if let Some(data) = data {
        environment.insert(DATA_FOLDER.into(), data.to_string_lossy().into());
    }
    // conda's Rust is told by a variable which linker to use.
    let is_linker = |name: &str| name.starts_with("CARGO_TARGET_") && name.ends_with("_LINKER");
    for (name, value) in std::env::vars() {
        if ["CARGO_HOME", "RUSTUP_HOME"].contains(&name.as_str()) || is_linker(&name) {
            environment.insert(name, value.into());
        }
    }
    json!({
        "argv": [binary, "--connection-file", "{connection_file}"],
        "display_name": "Rust (tchalk)",
        "language": "rust",
        "interrupt_mode": "message",
        "env": environment,
        "metadata": {"checkout": paths.root},
    })
}

/// Describes the kernel to the Jupyter of this checkout, and to the user's own (VS Code's, say) if
/// asked to.
pub fn register(paths: &Paths, binary: &Path, rust_src: &Path, with_user: bool) -> Result<()> {
    let write = |folder: &Path, data: Option<&Path>| {
        let text = serde_json::to_string_pretty(&description(paths, binary, rust_src, data))?;
        write_file(&folder.join("kernels/tchalk/kernel.json"), &(text + "\n"))
    };
    write(&paths.jupyter(), None)?;
    if let Some(user) = user_jupyter().filter(|_| with_user) {
        // A Jupyter of the user's own knows nothing of the data that a bundle has brought.
        let remembered = remembered_data(&paths.home);
        let in_use = data_folder().map(PathBuf::from);
        write(&user, remembered.filter(|data| in_use.as_ref() == Some(data)).as_deref())?;
    }
    Ok(())
}

/// The folder in which Jupyter looks for a user's own kernels.
pub fn user_jupyter() -> Option<PathBuf> {
    let from =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = from("JUPYTER_DATA_DIR") {
        return Some(folder);
    }
    if cfg!(target_os = "macos") {
        return Some(from("HOME")?.join("Library/Jupyter"));
    }
    let data = from("XDG_DATA_HOME").or_else(|| Some(from("HOME")?.join(".local/share")))?;
    Some(data.join("jupyter"))
}

/// The kernel's sessions are built in folders below the state folder: this configuration reaches
/// them all. The library is optimized although cells are not.
pub fn configure_sessions(paths: &Paths, glue: &Path) -> Result<()> {
    let profile = "[profile.dev.package.\"*\"]\nopt-level = 3\ndebug = false\n\
                   debug-assertions = false\noverflow-checks = false\n";
    let glue = crate::setup::glue::cargo_config(glue, &rustc::host()?);
    // Crates come from where the checkout has them.
    let crates = std::fs::read_to_string(vendored_crates::crates_config(paths)).unwrap_or_default();
    let text = format!("{glue}\n{profile}\n{crates}");
    create_folder(&paths.state)?;
    write_file(&paths.state.join(".cargo/config.toml"), &text)
}

/// Whether the kernel starts at all.
pub fn starts(binary: &Path) -> bool {
    run_quietly(Command::new(binary).arg("--version")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_program_that_does_not_start_is_replaced() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let (program, folder) = (home.path().join("program"), home.path().join("kernel-1"));
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::create_dir(&folder).unwrap();
        let binary = folder.join(PACKAGE);
        std::fs::write(&binary, "half a program").unwrap();
        assert!(!starts(&binary));
        install(&program, &folder).unwrap();
        assert!(starts(&binary));
    }

    #[test]
    fn a_configuration_that_names_a_target_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!names_a_target(folder.path()));
        std::fs::create_dir(folder.path().join(".cargo")).unwrap();
        let text = "[build]\ntarget = \"wasm32-unknown-unknown\"\n";
        std::fs::write(folder.path().join(".cargo/config.toml"), text).unwrap();
        assert!(names_a_target(folder.path()));
    }

    #[test]
    fn the_description_has_absolute_paths_and_the_way_to_stop() {
        let paths =
            Paths { root: "/checkout".into(), home: "/home".into(), state: "/home/s".into() };
        let json =
            description(&paths, Path::new("/home/kernel-1/tchalk-kernel"), Path::new("/src"), None);
        assert_eq!(json["argv"][0], "/home/kernel-1/tchalk-kernel");
        assert_eq!(json["argv"][2], "{connection_file}");
        assert_eq!(json["interrupt_mode"], "message");
        assert_eq!(json["env"]["TCHALK_LIBRARY"], "/checkout/crates/tchalk");
        assert!(json["env"]["PATH"].as_str().unwrap().ends_with(":${PATH}"));
    }

    #[test]
    fn a_reserve_looks_for_programs_where_jupyters_kernel_does() {
        let paths =
            Paths { root: "/checkout".into(), home: "/home".into(), state: "/home/s".into() };
        let json = description(&paths, Path::new("/kernel"), Path::new("/src"), None);
        let outside = "/home/python/bin:/usr/bin";
        let jupyters = json["env"]["PATH"].as_str().unwrap().replace("${PATH}", outside);
        let reserve = with_cargo_on_path(vec![
            ("PATH", outside.to_owned()),
            ("TCHALK_STATE", "/s".to_owned()),
        ]);
        assert_eq!(reserve, [("PATH", jupyters), ("TCHALK_STATE", "/s".to_owned())]);
    }
}
