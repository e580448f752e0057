//! The glue: torch-sys's C++ code between tch and libtorch, compiled once into a shared library.
//!
//! `torch-sys` would compile it in every target folder and profile, minutes each time. It declares
//! `links = "tch"`, so a cargo configuration can replace its build script by a library. The library's name
//! (its soname) is its absolute path: programs that link to it find it without a search path.

use super::provided::Provided;
use super::python_environment::{self, EnvironmentState, PythonEnvironment};
use super::torch_build::TORCH;
use crate::common::cargo;
use crate::common::files::{create_filled, write_file};
use crate::common::fingerprint::fingerprint;
use crate::common::paths::Paths;
use crate::common::process::{first_line, run_quietly};
use crate::common::rustc;
use crate::common::step::step;
use crate::common::text::toml_string;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Describes how the glue is linked; changed with the way of linking, so that old libraries are not used.
const LINKING: &str = "libtorch before LD_LIBRARY_PATH";

const SOURCES: [&str; 2] = ["torch_api", "torch_api_generated"];

/// The file name of the glue on this system.
pub fn library_name() -> &'static str {
    if cfg!(target_os = "macos") { "libtch.dylib" } else { "libtch.so" }
}

/// The C++ compiler: `CXX`, or the usual names.
pub fn compiler() -> Result<String> {
    let named = std::env::var("CXX").ok().filter(|name| !name.is_empty());
    let candidates = named.into_iter().chain(["c++", "g++", "clang++"].map(String::from));
    candidates.into_iter().find(|name| first_line(name, &["--version"]).is_some()).context(
        "there is no C++ compiler: install one (Debian, Ubuntu: `sudo apt install g++`; macOS: \
         `xcode-select --install`)",
    )
}

/// The program that links: the C++ compiler, or else a C compiler.
pub fn linker() -> Result<String> {
    let c_compiler = || {
        ["cc", "gcc", "clang"].into_iter().find(|name| first_line(name, &["--version"]).is_some())
    };
    compiler().ok().or_else(|| c_compiler().map(String::from)).context(
        "there is no linker: install a C compiler (Debian, Ubuntu: `sudo apt install gcc libc6-dev`)",
    )
}

/// The C++ sources of the glue in the `torch-sys` package.
pub struct Source {
    /// torch-sys's version.
    pub version: String,
    folder: PathBuf,
}

/// The folder of the glue for this environment, linked or not.
fn folder(paths: &Paths, environment: &PythonEnvironment, torch_sys: &str) -> Result<PathBuf> {
    let torch = environment.torch()?;
    let package = format!("torch-sys-{torch_sys}");
    // An active environment may get another libtorch at the same path.
    let version_file = environment.active.as_ref().map_or("", |active| &active.version_file);
    let key = fingerprint(&[
        &package,
        &torch.to_string_lossy(),
        environment.build.name(),
        version_file,
        LINKING,
    ]);
    Ok(paths.home.join(format!("glue-{}-{}", environment.build.name(), &key[..8])))
}

/// Compiles and links the glue, if it does not exist; returns its folder.
pub fn ensure(
    paths: &Paths,
    environment: &PythonEnvironment,
    provided: &Provided,
) -> Result<PathBuf> {
    let source = source(paths)?;
    let folder = folder(paths, environment, &source.version)?;
    if !folder.join(library_name()).is_file() {
        let objects = objects(paths, environment, &source, provided)?;
        let linker = linker()?;
        step("linking the glue", || {
            create_filled(&folder, |part| {
                let name = folder.join(library_name());
                link(&linker, &objects, &environment.torch()?, part, &name, environment.has_cuda())
            })
        })?;
    }
    Ok(folder)
}

/// The folder of the glue's object files, which fit every environment with this libtorch.
pub fn objects(
    paths: &Paths,
    environment: &PythonEnvironment,
    source: &Source,
    provided: &Provided,
) -> Result<PathBuf> {
    let torch = environment.torch_version()?;
    if let Some(objects) = provided.objects(&source.version, &torch) {
        return Ok(objects);
    }
    let folder = objects_folder(paths, &source.version, &torch);
    if !object(&folder, SOURCES[0]).is_file() {
        let compiler = compiler()?;
        step("C++ glue between tch and libtorch (about 2 minutes)", || {
            create_filled(&folder, |part| {
                compile(&compiler, &source.folder, &environment.torch()?, part)
            })
        })?;
    }
    Ok(folder)
}

fn objects_folder(paths: &Paths, torch_sys: &str, torch: &str) -> PathBuf {
    paths.home.join(format!("glue-objects-{torch_sys}-{torch}"))
}

/// Whether the glue has to be compiled: it is neither linked, nor compiled, nor in a release.
pub fn needs_compiler(paths: &Paths, provided: &Provided) -> Result<bool> {
    let lock = std::fs::read_to_string(paths.root.join("Cargo.lock")).context("no Cargo.lock")?;
    let torch_sys = locked(&lock, "torch-sys").context("torch-sys is not in Cargo.lock")?;
    let environment = python_environment::environment(paths)?;
    let is_linked = environment.state() == EnvironmentState::Ready
        && folder(paths, &environment, torch_sys)?.join(library_name()).is_file();
    let is_compiled = object(&objects_folder(paths, torch_sys, TORCH), SOURCES[0]).is_file();
    Ok(!is_linked && !is_compiled && !provided.has_objects(torch_sys, TORCH))
}

/// The version of a package in `Cargo.lock`.
fn locked<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let (_, rest) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    Some(rest.split_once('"')?.0)
}

/// The object file of a source.
fn object(folder: &Path, source: &str) -> PathBuf {
    folder.join(source).with_extension("o")
}

/// The C++ sources in the `torch-sys` package, which cargo downloads if necessary.
pub fn source(paths: &Paths) -> Result<Source> {
    // All packages, also those for other systems: Evcxr asks an offline cargo about them.
    let packages = cargo::packages(&paths.root, &[])?;
    let package = packages
        .iter()
        .find(|package| package["name"] == "torch-sys")
        .context("torch-sys is not among the dependencies")?;
    let manifest = package["manifest_path"].as_str().context("torch-sys has no manifest")?;
    let version = package["version"].as_str().context("torch-sys has no version")?;
    let folder = Path::new(manifest).with_file_name("libtch");
    Ok(Source { version: version.to_owned(), folder })
}

fn compile(compiler: &str, source: &Path, torch: &Path, to: &Path) -> Result<()> {
    std::thread::scope(|scope| {
        let threads = SOURCES.map(|name| {
            scope.spawn(move || {
                let include = torch.join("include");
                run_quietly(
                    Command::new(compiler)
                        .args(["-std=c++17", "-O1", "-fPIC", "-w", "-D_GLIBCXX_USE_CXX11_ABI=1"])
                        .args(["-DGLOG_USE_GLOG_EXPORT", "-c"])
                        .arg(source.join(name).with_extension("cpp"))
                        .arg("-I")
                        .arg(&include)
                        .arg("-I")
                        .arg(include.join("torch/csrc/api/include"))
                        .arg("-o")
                        .arg(object(to, name)),
                )
            })
        });
        threads.into_iter().try_for_each(|thread| thread.join().expect("compiling does not panic"))
    })
}

fn link(
    linker: &str,
    objects: &Path,
    torch: &Path,
    folder: &Path,
    name: &Path,
    cuda: bool,
) -> Result<()> {
    let libraries = torch.join("lib");
    let mut command = Command::new(linker);
    command.arg("-shared").arg("-o").arg(folder.join(library_name()));
    command.args(SOURCES.map(|name| object(objects, name)));
    let flag = if cfg!(target_os = "macos") { "-install_name" } else { "-soname" };
    // One argument each: after `-Wl` a comma in a path would split it.
    for (option, path) in [(flag, name), ("-rpath", &libraries)] {
        command.args(["-Xlinker", option, "-Xlinker"]).arg(path);
    }
    if !cfg!(target_os = "macos") {
        // With a RUNPATH, another libtorch in LD_LIBRARY_PATH would be loaded.
        command.args(["-Xlinker", "--disable-new-dtags"]);
    }
    command.arg("-L").arg(&libraries);
    if cuda {
        // The glue uses no CUDA symbol, so the linker would leave the library out, and CUDA would silently be
        // missing.
        command.args(["-Wl,--no-as-needed", "-ltorch_cuda", "-lc10_cuda"]);
    }
    command.args(["-ltorch_cpu", "-lc10"]);
    // A C compiler does not add the C++ standard library. The system has it, because libtorch needs it.
    let cxx = first_line(linker, &["-print-file-name=libstdc++.so.6"]).unwrap_or_default();
    command.args(Path::new(&cxx).is_absolute().then_some(cxx));
    run_quietly(&mut command)
}

/// The cargo configuration that replaces torch-sys's build script by the glue.
pub fn cargo_config(glue: &Path, host: &str) -> String {
    let search = toml_string(&format!("native={}", glue.display()));
    format!(
        "[target.{host}.tch]\nrustc-link-lib = [\"dylib=tch\"]\nrustc-link-search = [{search}]\n"
    )
}

/// Writes the cargo configuration with which the checkout uses the glue.
pub fn configure_checkout(paths: &Paths, glue: &Path) -> Result<()> {
    let header = "# Written by `cargo xtask setup`: the prebuilt glue to libtorch.\n";
    let text = format!("{header}{}", cargo_config(glue, &rustc::host()?));
    write_file(&paths.root.join(".cargo/libtorch.toml"), &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_names_the_glue() {
        let text = cargo_config(Path::new("/a b/glue"), "x86_64-unknown-linux-gnu");
        assert!(text.starts_with("[target.x86_64-unknown-linux-gnu.tch]\n"), "{text}");
        assert!(text.contains("[\"native=/a b/glue\"]"), "{text}");
        let text = cargo_config(Path::new("/Pru\u{308}fung \"1\""), "host");
        assert!(text.contains("[\"native=/Pru\u{308}fung \\\"1\\\"\"]"), "{text}");
    }

    /// The glue is made from two small sources, with a space and a comma in all paths, while LD_LIBRARY_PATH
    /// names another libtorch.
    #[test]
    #[cfg(target_os = "linux")]
    fn the_glue_finds_its_own_libtorch_first_at_any_path() {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = root.path().join(name);
            std::fs::create_dir_all(&folder).unwrap();
            folder
        };
        let (torch, glue, other) = (folder("a b,c"), folder("u\u{308}, 'x"), folder("other"));
        let cc = linker().unwrap();
        let compile = |code: &str, options: &[&str], to: &Path| {
            let source = root.path().join("source.c");
            std::fs::write(&source, code).unwrap();
            let mut compile = Command::new(&cc);
            compile.arg("-xc").arg(&source).arg("-xnone").args(options).arg("-o").arg(to);
            run_quietly(&mut compile).unwrap();
        };
        // These sources are valid C and C++.
        let shared = ["-shared", "-fPIC"];
        for (answer, folder) in [("0", folder("a b,c/lib")), ("1", other.clone())] {
            for name in ["libtorch_cpu.so", "libc10.so"] {
                let code = format!("int answer(void) {{ return {answer}; }}");
                compile(&code, &shared, &folder.join(name));
            }
        }
        let code = "int answer(void); int asked(void) { return answer(); }";
        compile(code, &["-c", "-fPIC"], &object(&glue, SOURCES[0]));
        compile("", &["-c", "-fPIC"], &object(&glue, SOURCES[1]));
        let library = glue.join(library_name());
        link(&cc, &glue, &torch, &glue, &library, false).unwrap();
        let program = root.path().join("program");
        let code = "int asked(void); int main(void) { return asked(); }";
        let options = [library.to_str().unwrap(), "-Wl,--allow-shlib-undefined"];
        compile(code, &options, &program);
        let status = Command::new(&program).env("LD_LIBRARY_PATH", &other).status().unwrap();
        assert_eq!(status.code(), Some(0));
    }

    #[test]
    fn a_locked_version_is_found_by_the_whole_name() {
        let lock = "[[package]]\nname = \"sys\"\nversion = \"1.0.0\"\n\n\
                    [[package]]\nname = \"torch-sys\"\nversion = \"0.24.0\"\nsource = \"x\"\n";
        assert_eq!(locked(lock, "torch-sys"), Some("0.24.0"));
        assert_eq!(locked(lock, "sys"), Some("1.0.0"));
        assert_eq!(locked(lock, "torch"), None);
        let paths = Paths::find().unwrap();
        let lock = std::fs::read_to_string(paths.root.join("Cargo.lock")).unwrap();
        assert!(locked(&lock, "torch-sys").is_some());
    }
}
