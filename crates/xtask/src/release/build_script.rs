//! Replacements in a release for build scripts that compile C.
//!
//! A release contains compiled dependencies, but cargo still runs their build scripts. A build script that
//! compiles C is replaced by a shell script, which copies the files that were compiled for the release. The real
//! build script is appended to it, for a run that has no files.

use crate::common::files::{copy_file, create_folder, files_below, write_file};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The folder with the files of each run, beside the scripts.
const RUNS: &str = "runs";

/// One run of a build script, in the folder that cargo gave it.
pub struct BuildScriptRun {
    folder: PathBuf,
}

impl BuildScriptRun {
    /// The runs in a template's `target` that have compiled C.
    pub fn all(target: &Path) -> Result<Vec<BuildScriptRun>> {
        let mut runs = Vec::new();
        for file in files_below(target)? {
            let is_library = file.extension().is_some_and(|extension| extension == "a");
            let run = file.ancestors().find(|above| above.file_name().is_some_and(|n| n == "out"));
            let Some(run) = run.and_then(Path::parent).filter(|_| is_library) else { continue };
            if !runs.iter().any(|known: &BuildScriptRun| known.folder == run) {
                runs.push(BuildScriptRun { folder: run.to_owned() });
            }
        }
        Ok(runs)
    }

    /// The package's name, without cargo's hash.
    pub fn package(&self) -> &str {
        package(&self.folder)
    }

    /// Saves the compiled files and the output for cargo, with placeholders for paths.
    pub fn save(&self, crates: &Path) -> Result<()> {
        let to = crates.join(RUNS).join(self.folder.file_name().context("a run has a name")?);
        let out = self.folder.join("out");
        for file in files_below(&out)? {
            if file.extension().is_some_and(|extension| extension != "o") {
                let copy = to.join("out").join(file.strip_prefix(&out)?);
                create_folder(copy.parent().context("a file is in a folder")?)?;
                copy_file(&file, &copy)?;
            }
        }
        let output = std::fs::read_to_string(self.folder.join("output"))?;
        // The folder at the time of the run; the template has been moved since.
        let made = std::fs::read_to_string(self.folder.join("root-output"))?;
        write_file(&to.join("output"), &with_placeholders(&output, made.trim_end()))
    }
}

/// `ring` of `…/ring-54a8e034ccec6eb6`.
pub fn package(folder: &Path) -> &str {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.rsplit_once('-').map_or(name, |(package, _)| package)
}

/// A script's output for cargo, with `@OUT_DIR@` and `@SOURCES@` in place of the two folders.
fn with_placeholders(output: &str, out: &str) -> String {
    let lines = output.lines().filter(|line| line.starts_with("cargo:")).map(|line| {
        let line = line.replace(out, "@OUT_DIR@");
        // `…/registry/src/index.crates.io-1949cf8c6b5b557f/zstd-sys-2.0.1/zstd/lib`
        let Some(at) = line.find("/registry/src/") else { return line };
        let start = line[..at].rfind('=').map_or(0, |equals| equals + 1);
        let inside = line[at + "/registry/src/".len()..].splitn(3, '/').nth(2);
        let inside = inside.map_or(String::new(), |inside| format!("/{inside}"));
        format!("{}@SOURCES@{inside}", &line[..start])
    });
    lines.map(|line| line + "\n").collect()
}

/// A program that copies the saved files of a run, or else runs the real build script.
pub fn replacement(real: &[u8]) -> Vec<u8> {
    let script = "\
#!/bin/sh
# Copies what this build script compiled for the release; without such files it runs the script.
run=$TCHALK_PREBUILT/runs/$(basename \"$(dirname \"$OUT_DIR\")\")
if [ -n \"$TCHALK_PREBUILT\" ] && [ -f \"$run/output\" ]; then
    cp -R \"$run/out/.\" \"$OUT_DIR\" || exit 1
    sed -e \"s|@OUT_DIR@|$OUT_DIR|g\" -e \"s|@SOURCES@|$CARGO_MANIFEST_DIR|g\" \"$run/output\"
    exit
fi
tail -n +LINE \"$0\" > \"$OUT_DIR/../real\" && chmod +x \"$OUT_DIR/../real\" || exit 1
exec \"$OUT_DIR/../real\"
";
    let line = (script.lines().count() + 1).to_string();
    let mut program = script.replace("LINE", &line).into_bytes();
    program.extend(real);
    program
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    #[test]
    fn paths_become_placeholders() {
        let output = "AR = None\ncargo:rerun-if-env-changed=AR\n\
                    cargo:rustc-link-search=native=/s/build/zstd-sys-1/out\n\
                    cargo:include=/h/.cargo/registry/src/index.io-12/zstd-sys-2.1/zstd/lib\n";
        assert_eq!(
            with_placeholders(output, "/s/build/zstd-sys-1/out"),
            "cargo:rerun-if-env-changed=AR\ncargo:rustc-link-search=native=@OUT_DIR@\n\
             cargo:include=@SOURCES@/zstd/lib\n"
        );
    }

    #[test]
    fn saved_files_are_copied_and_others_compiled() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("target/debug/build/zstd-sys-0123456789abcdef");
        let made = target.join("out");
        std::fs::create_dir_all(&made).unwrap();
        std::fs::write(made.join("libzstd.a"), "compiled").unwrap();
        std::fs::write(made.join("zstd.o"), "compiled").unwrap();
        std::fs::write(target.join("output"), "cargo:root=/elsewhere/out\n").unwrap();
        std::fs::write(target.join("root-output"), "/elsewhere/out").unwrap();
        let runs = BuildScriptRun::all(&home.path().join("target")).unwrap();
        assert_eq!(runs.iter().map(BuildScriptRun::package).collect::<Vec<_>>(), ["zstd-sys"]);
        let crates = home.path().join("crates");
        runs[0].save(&crates).unwrap();

        let program = home.path().join("build_script_build-1");
        std::fs::write(&program, replacement(b"#!/bin/sh\necho the real one\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let run = |name: &str| {
            let out = home.path().join("new").join(name).join("out");
            std::fs::create_dir_all(&out).unwrap();
            let mut script = Command::new(&program);
            script.env("OUT_DIR", &out).env("CARGO_MANIFEST_DIR", "/v/zstd-sys");
            let output = script.env("TCHALK_PREBUILT", &crates).output().unwrap();
            (out, String::from_utf8(output.stdout).unwrap())
        };
        let (out, text) = run("zstd-sys-0123456789abcdef");
        assert_eq!(text, format!("cargo:root={}\n", out.display()));
        assert!(out.join("libzstd.a").is_file() && !out.join("zstd.o").exists());
        assert_eq!(run("zstd-sys-ffffffffffffffff").1, "the real one\n");
    }
}
