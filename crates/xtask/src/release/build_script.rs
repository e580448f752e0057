//! Build scripts of dependencies that compile C, for a release.
//!
//! A release brings dependencies along compiled, but cargo runs their build scripts all the same. Where
//! one compiles C, a small script takes its place, which lays out what was made when the release was
//! made. It carries the real one behind it, for any run that it does not know.

use crate::common::files::{copy_file, create_folder, files_below, write_file};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The folder of what was made, beside the scripts.
const RUNS: &str = "runs";

/// One run of a build script: the folder that cargo gave it.
pub struct Run {
    folder: PathBuf,
}

impl Run {
    /// The runs in a template's `target` that have compiled C.
    pub fn all(target: &Path) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        for file in files_below(target)? {
            let is_library = file.extension().is_some_and(|extension| extension == "a");
            let run = file.ancestors().find(|above| above.file_name().is_some_and(|n| n == "out"));
            let Some(run) = run.and_then(Path::parent).filter(|_| is_library) else { continue };
            if !runs.iter().any(|known: &Run| known.folder == run) {
                runs.push(Run { folder: run.to_owned() });
            }
        }
        Ok(runs)
    }

    /// The package's name, without cargo's hash.
    pub fn package(&self) -> &str {
        package(&self.folder)
    }

    /// Keeps what was made, and what was said to cargo, with words in the place of folders.
    pub fn keep(&self, crates: &Path) -> Result<()> {
        let to = crates.join(RUNS).join(self.folder.file_name().context("a run has a name")?);
        let out = self.folder.join("out");
        for file in files_below(&out)? {
            if file.extension().is_some_and(|extension| extension != "o") {
                let copy = to.join("out").join(file.strip_prefix(&out)?);
                create_folder(copy.parent().context("a file is in a folder")?)?;
                copy_file(&file, &copy)?;
            }
        }
        let said = std::fs::read_to_string(self.folder.join("output"))?;
        // Where the run was made; the template has been moved since.
        let made = std::fs::read_to_string(self.folder.join("root-output"))?;
        write_file(&to.join("output"), &without_folders(&said, made.trim_end()))
    }
}

/// `ring` of `…/ring-54a8e034ccec6eb6`.
pub fn package(folder: &Path) -> &str {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.rsplit_once('-').map_or(name, |(package, _)| package)
}

/// What a script told cargo, with `@OUT_DIR@` and `@SOURCES@` in the place of the two folders.
fn without_folders(said: &str, out: &str) -> String {
    let lines = said.lines().filter(|line| line.starts_with("cargo:")).map(|line| {
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

/// A program that lays out what is kept for a run, or else runs the real build script.
pub fn stand_in(real: &[u8]) -> Vec<u8> {
    let script = "\
#!/bin/sh
# Lays out what this build script made when the release was made; runs it where that is not known.
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
    fn folders_become_words() {
        let said = "AR = None\ncargo:rerun-if-env-changed=AR\n\
                    cargo:rustc-link-search=native=/s/build/zstd-sys-1/out\n\
                    cargo:include=/h/.cargo/registry/src/index.io-12/zstd-sys-2.1/zstd/lib\n";
        assert_eq!(
            without_folders(said, "/s/build/zstd-sys-1/out"),
            "cargo:rerun-if-env-changed=AR\ncargo:rustc-link-search=native=@OUT_DIR@\n\
             cargo:include=@SOURCES@/zstd/lib\n"
        );
    }

    #[test]
    fn what_is_kept_is_laid_out_and_what_is_not_is_made() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("target/debug/build/zstd-sys-0123456789abcdef");
        let made = target.join("out");
        std::fs::create_dir_all(&made).unwrap();
        std::fs::write(made.join("libzstd.a"), "compiled").unwrap();
        std::fs::write(made.join("zstd.o"), "compiled").unwrap();
        std::fs::write(target.join("output"), "cargo:root=/elsewhere/out\n").unwrap();
        std::fs::write(target.join("root-output"), "/elsewhere/out").unwrap();
        let runs = Run::all(&home.path().join("target")).unwrap();
        assert_eq!(runs.iter().map(Run::package).collect::<Vec<_>>(), ["zstd-sys"]);
        let crates = home.path().join("crates");
        runs[0].keep(&crates).unwrap();

        let program = home.path().join("build_script_build-1");
        std::fs::write(&program, stand_in(b"#!/bin/sh\necho the real one\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let run = |name: &str| {
            let out = home.path().join("new").join(name).join("out");
            std::fs::create_dir_all(&out).unwrap();
            let mut script = Command::new(&program);
            script.env("OUT_DIR", &out).env("CARGO_MANIFEST_DIR", "/v/zstd-sys");
            let output = script.env("TCHALK_PREBUILT", &crates).output().unwrap();
            (out, String::from_utf8(output.stdout).unwrap())
        };
        let (out, said) = run("zstd-sys-0123456789abcdef");
        assert_eq!(said, format!("cargo:root={}\n", out.display()));
        assert!(out.join("libzstd.a").is_file() && !out.join("zstd.o").exists());
        assert_eq!(run("zstd-sys-ffffffffffffffff").1, "the real one\n");
    }
}
