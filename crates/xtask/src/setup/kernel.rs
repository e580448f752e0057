//! Building the kernel, and registering it with Jupyter.

use super::bundled_data;
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

/// The name of the crate and of its program.
pub const PACKAGE: &str = "tchalk-kernel";

/// The program for this checkout, built or not.
pub fn binary(paths: &Paths) -> Result<PathBuf> {
    let key = fingerprint(&[&sources_fingerprint(paths)?, &rustc::version()?]);
    Ok(paths.home.join(format!("kernel-{}", &key[..8])).join(PACKAGE))
}

/// The fingerprint of everything that the kernel is made from, except the compiler.
pub fn sources_fingerprint(paths: &Paths) -> Result<String> {
    let lock = std::fs::read_to_string(paths.root.join("Cargo.lock")).context("no Cargo.lock")?;
    let manifest = std::fs::read_to_string(paths.root.join("crates/tchalk-kernel/Cargo.toml"))?;
    let sources = fingerprint_of_tree(&paths.root.join("crates/tchalk-kernel/src"))?;
    Ok(fingerprint(&[&lock, &manifest, &sources]))
}

/// The kernel's program; if it does not exist it is copied from a release or built.
pub fn ensure(paths: &Paths, provided: &Provided) -> Result<PathBuf> {
    let binary = binary(paths)?;
    let folder = binary.parent().context("the program is in a folder")?;
    if binary.is_file() && starts(&binary) {
        return Ok(binary);
    }
    if let Some(program) = provided.kernel(&sources_fingerprint(paths)?) {
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

/// The target folder for the kernels of all checkouts, which have the same dependencies.
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

/// Whether cargo's configuration names a target.
fn names_a_target(folder: &Path) -> bool {
    config(folder, Some("build.target")).is_some()
}

/// A cargo command for the kernel, with the target folder of all kernels.
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
    // cargo's lines show that it is working; those from the first error on say why it failed.
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

/// The kernel's settings, as environment variables.
pub fn environment(paths: &Paths, rust_src: &Path) -> Vec<(&'static str, String)> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    vec![
        ("TCHALK_STATE", text(&paths.state)),
        ("TCHALK_LIBRARY", text(&paths.library())),
        ("RUST_SRC_PATH", text(rust_src)),
    ]
}

/// The folder of `cargo`.
pub fn cargo_folder() -> Option<PathBuf> {
    // The first one on the PATH, beside which rustup has rustc.
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|folder| folder.join("cargo").is_file())
}

/// A `PATH` with cargo's folder at the beginning.
fn with_cargo(path: &str) -> String {
    match cargo_folder() {
        Some(folder) => format!("{}:{path}", folder.display()),
        None => path.to_owned(),
    }
}

/// These variables as Jupyter changes them for a kernel: a prewarmed kernel serves only notebooks with the same
/// variables.
pub fn with_cargo_on_path(variables: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    let changed = |(name, value): (&'static str, String)| match name {
        "PATH" => (name, with_cargo(&value)),
        _ => (name, value),
    };
    variables.into_iter().map(changed).collect()
}

/// The kernel specification that Jupyter reads.
fn specification(paths: &Paths, binary: &Path, rust_src: &Path, data: Option<&Path>) -> Value {
    let mut environment: serde_json::Map<String, Value> = environment(paths, rust_src)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    environment.insert("PATH".into(), with_cargo("${PATH}").into());
    if let Some(data) = data {
        environment.insert(DATA_FOLDER.into(), data.to_string_lossy().into());
    }
    // conda sets the linker by such a variable.
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

/// Registers the kernel with the Jupyter of this checkout, and `with_user` with the user's own, such as VS Code's.
pub fn register(paths: &Paths, binary: &Path, rust_src: &Path, with_user: bool) -> Result<()> {
    let write = |folder: &Path, data: Option<&Path>| {
        let text = serde_json::to_string_pretty(&specification(paths, binary, rust_src, data))?;
        write_file(&folder.join("kernels/tchalk/kernel.json"), &(text + "\n"))
    };
    write(&paths.jupyter(), None)?;
    if let Some(user) = user_jupyter().filter(|_| with_user) {
        // The user's own Jupyter does not get the data of a bundle from this program.
        let bundled = bundled_data::find(&paths.home);
        let in_use = data_folder().map(PathBuf::from);
        write(&user, bundled.filter(|data| in_use.as_ref() == Some(data)).as_deref())?;
    }
    Ok(())
}

/// The folder in which Jupyter finds a user's own kernels.
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

/// Writes the cargo configuration of all sessions, which are built below the state folder. The library is
/// optimized, and cells are not.
pub fn configure_sessions(paths: &Paths, glue: &Path) -> Result<()> {
    let profile = "[profile.dev.package.\"*\"]\nopt-level = 3\ndebug = false\n\
                   debug-assertions = false\noverflow-checks = false\n";
    let glue = crate::setup::glue::cargo_config(glue, &rustc::host()?);
    // Sessions get crates from the same place as the checkout.
    let crates = std::fs::read_to_string(vendored_crates::crates_config(paths)).unwrap_or_default();
    let text = format!("{glue}\n{profile}\n{crates}");
    create_folder(&paths.state)?;
    write_file(&paths.state.join(".cargo/config.toml"), &text)
}

/// Whether the kernel starts.
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
    fn a_configuration_with_a_target_is_found() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!names_a_target(folder.path()));
        std::fs::create_dir(folder.path().join(".cargo")).unwrap();
        let text = "[build]\ntarget = \"wasm32-unknown-unknown\"\n";
        std::fs::write(folder.path().join(".cargo/config.toml"), text).unwrap();
        assert!(names_a_target(folder.path()));
    }

    #[test]
    fn the_specification_has_absolute_paths_and_the_interrupt_mode() {
        let paths =
            Paths { root: "/checkout".into(), home: "/home".into(), state: "/home/s".into() };
        let json = specification(
            &paths,
            Path::new("/home/kernel-1/tchalk-kernel"),
            Path::new("/src"),
            None,
        );
        assert_eq!(json["argv"][0], "/home/kernel-1/tchalk-kernel");
        assert_eq!(json["argv"][2], "{connection_file}");
        assert_eq!(json["interrupt_mode"], "message");
        assert_eq!(json["env"]["TCHALK_LIBRARY"], "/checkout/crates/tchalk");
        assert!(json["env"]["PATH"].as_str().unwrap().ends_with(":${PATH}"));
    }

    #[test]
    fn a_prewarmed_kernel_has_the_same_path_as_one_that_jupyter_starts() {
        let paths =
            Paths { root: "/checkout".into(), home: "/home".into(), state: "/home/s".into() };
        let json = specification(&paths, Path::new("/kernel"), Path::new("/src"), None);
        let outside = "/home/python/bin:/usr/bin";
        let jupyters = json["env"]["PATH"].as_str().unwrap().replace("${PATH}", outside);
        let prewarmed = with_cargo_on_path(vec![
            ("PATH", outside.to_owned()),
            ("TCHALK_STATE", "/s".to_owned()),
        ]);
        assert_eq!(prewarmed, [("PATH", jupyters), ("TCHALK_STATE", "/s".to_owned())]);
    }
}
