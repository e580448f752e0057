//! `cargo xtask bench`: the speed of kernel and library, beside others on the same machine.

use super::environment::environment;
use super::examples;
use super::references;
use crate::common::files::{create_folder, write_file};
use crate::common::paths::Paths;
use crate::common::process::{first_line, run as run_command};
use crate::setup::kernel;
use crate::setup::{self, Register};
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the benchmark that is named.
pub fn run(paths: &Paths, what: &[String]) -> Result<()> {
    match what.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["kernel"] => kernels(paths),
        ["data"] => {
            scripts(paths, "data.py", &["bench_csv", "bench_pca", "bench_tsne", "bench_augment"])
        }
        ["train"] => scripts(paths, "train.py", &["bench_train"]),
        ["explain"] => scripts(paths, "explain.py", &["bench_explain"]),
        _ => bail!("cargo xtask bench knows: kernel, data, train, explain"),
    }
}

/// Runs a script that measures both sides, in the environment of the references, with the folder of our
/// programs as its argument.
fn scripts(paths: &Paths, script: &str, programs: &[&str]) -> Result<()> {
    setup::run(paths, Register::CheckoutOnly)?;
    let python = references::python(paths)?;
    let mut bench = Command::new(python);
    bench.arg(paths.root.join("benches").join(script));
    bench.arg(examples::release(paths, programs)?);
    run_command(bench.env("KERAS_BACKEND", "torch").current_dir(&paths.root))
}

/// Cells of the tutorial under this kernel, stock Evcxr, and ipykernel with PyTorch.
fn kernels(paths: &Paths) -> Result<()> {
    let ready = setup::run(paths, Register::CheckoutOnly)?;
    let reference = references::python(paths)?;
    let folder = paths.state.join("bench");
    let ipykernel = json!([reference, "-m", "ipykernel_launcher", "-f", "{connection_file}"]);
    register(&folder, "python3", &ipykernel, &json!({}))?;
    let mut names = vec!["tchalk", "tchalk-prewarmed", "python3"];
    let mut library = None;
    if first_line("evcxr_jupyter", &["--help"]).is_some() {
        // Stock Evcxr builds an ordinary library, with torch-sys's C++ code, in its own folder and links it into
        // every cell. Here the folder is kept between starts, which Evcxr does not do.
        let stock = ordinary_library(paths, &folder.join("stock"))?;
        let torch = ready.environment.torch()?;
        let own = first_line("rustc", &["--print", "target-libdir"]).unwrap_or_default();
        let libraries = std::env::join_paths([torch.join("lib"), own.into()])?;
        let sessions = folder.join("evcxr");
        let argv = json!(["evcxr_jupyter", "--control_file", "{connection_file}"]);
        let mut variables = json!({"EVCXR_TMPDIR": sessions.join("session"), "LIBTORCH": torch,
                                   "LD_LIBRARY_PATH": libraries.to_string_lossy()});
        for (name, value) in kernel::environment(paths, &ready.rust_src) {
            variables[name] = value.into();
        }
        create_folder(&sessions.join("session"))?;
        register(&folder, "rust", &argv, &variables)?;
        names.push("rust");
        library = Some(stock);
    } else {
        println!("stock Evcxr is not measured: cargo install evcxr_jupyter --version 0.22.0");
    }
    let mut bench = Command::new(ready.environment.python());
    bench.arg(paths.root.join("benches/kernel.py")).args(names).envs(environment(paths, &ready));
    if let Some(library) = library {
        bench.env("TCHALK_STOCK_LIBRARY", library);
    }
    let jupyter = format!("{}:{}", folder.display(), paths.jupyter().display());
    run_command(bench.env("JUPYTER_PATH", jupyter).env("TCHALK_BUDGET", "ci"))
}

/// Copies the library as an ordinary crate that is not a shared library; returns its folder.
fn ordinary_library(paths: &Paths, folder: &Path) -> Result<PathBuf> {
    create_folder(folder)?;
    for part in ["Cargo.toml", "Cargo.lock", "crates"] {
        run_command(Command::new("cp").arg("-rf").arg(paths.root.join(part)).arg(folder))?;
    }
    let library = folder.join("crates/tchalk");
    let manifest = std::fs::read_to_string(library.join("Cargo.toml"))?;
    let shared = "crate-type = [\"lib\", \"dylib\"]";
    if !manifest.contains(shared) {
        bail!("crates/tchalk/Cargo.toml no longer has {shared}: adapt ordinary_library");
    }
    write_file(&library.join("Cargo.toml"), &manifest.replace(shared, "crate-type = [\"lib\"]"))?;
    Ok(library)
}

/// Registers a kernel with Jupyter.
fn register(folder: &Path, name: &str, argv: &Value, environment: &Value) -> Result<()> {
    let text = json!({"argv": argv, "display_name": name, "language": "any", "env": environment,
                      "interrupt_mode": "message"});
    write_file(&folder.join("kernels").join(name).join("kernel.json"), &text.to_string())
}
