//! The parts that set-up neither builds nor downloads: the compiled parts of a release, in its folder
//! `prebuilt`, and the Python packages of a bundle.
//!
//! A manifest says with what the parts were made. Set-up makes a part that does not fit this machine itself, and
//! prints why.

use crate::common::paths::Paths;
use crate::common::rustc;
use crate::common::text::version_numbers;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::PathBuf;

/// The folder of a release with its compiled parts.
pub const PREBUILT: &str = "prebuilt";
/// The file that says with what the parts were made.
pub const MANIFEST: &str = "manifest.json";
/// The names of the parts in that folder.
pub const KERNEL: &str = "tchalk-kernel";
pub const GLUE: &str = "glue";
pub const CRATES: &str = "crates";
pub const RUST_SRC: &str = "rust-src";

/// The parts that are provided.
pub struct Provided {
    release: Option<ReleaseParts>,
    /// The folder of Python packages, if they come from a bundle.
    pub wheels: Option<PathBuf>,
}

impl Provided {
    /// The parts beside the sources.
    pub fn of(paths: &Paths) -> Result<Provided> {
        Ok(Provided { release: ReleaseParts::of(paths)?, wheels: None })
    }

    /// No parts.
    pub fn none() -> Provided {
        Provided { release: None, wheels: None }
    }

    /// The kernel's program, made from the sources with this fingerprint.
    pub fn kernel(&self, key: &str) -> Option<PathBuf> {
        // The program need not be made by the compiler that compiles the cells.
        self.part(KERNEL, "the kernel", &[("kernel", key)])
    }

    /// The object files of the glue.
    pub fn objects(&self, torch_sys: &str, torch: &str) -> Option<PathBuf> {
        self.part(GLUE, "the C++ glue", &[("torch-sys", torch_sys), ("torch", torch)])
    }

    /// The library's compiled dependencies, under cargo's names, which depend on the compiler.
    pub fn crates(&self, rustc: &str) -> Option<PathBuf> {
        self.part(CRATES, "the library's dependencies", &[("rustc", rustc)])
    }

    /// The sources of the standard library.
    pub fn rust_src(&self, rustc: &str) -> Option<PathBuf> {
        self.part(RUST_SRC, "the sources of the standard library", &[("rustc", rustc)])
    }

    /// Whether [`kernel`](Provided::kernel) has one.
    pub fn has_kernel(&self, key: &str) -> bool {
        matches!(self.fit(KERNEL, &[("kernel", key)]), Some(Ok(_)))
    }

    /// Whether [`objects`](Provided::objects) has any.
    pub fn has_objects(&self, torch_sys: &str, torch: &str) -> bool {
        matches!(self.fit(GLUE, &[("torch-sys", torch_sys), ("torch", torch)]), Some(Ok(_)))
    }

    /// A part that was made with what is `required`. If there is one that does not fit, prints why.
    fn part(&self, name: &str, what: &str, required: &[(&str, &str)]) -> Option<PathBuf> {
        match self.fit(name, required)? {
            Ok(part) => Some(part),
            Err(why) => {
                eprintln!("  {what} that came with this release cannot be used: {why}");
                None
            }
        }
    }

    /// A part, or why it does not fit, if there is one.
    fn fit(&self, name: &str, required: &[(&str, &str)]) -> Option<Result<PathBuf, String>> {
        let release = self.release.as_ref()?;
        let part = release.folder.join(name);
        part.exists().then(|| match release.misfit(required, &Machine::this()) {
            None => Ok(part),
            Some(why) => Err(why),
        })
    }
}

/// The parts of a release.
struct ReleaseParts {
    folder: PathBuf,
    manifest: Value,
}

/// What decides whether programs that were built elsewhere run.
struct Machine {
    target: String,
    glibc: Option<String>,
}

impl Machine {
    fn this() -> Machine {
        Machine { target: rustc::host().unwrap_or_default(), glibc: glibc() }
    }
}

impl ReleaseParts {
    fn of(paths: &Paths) -> Result<Option<ReleaseParts>> {
        let folder = paths.root.join(PREBUILT);
        let file = folder.join(MANIFEST);
        let Ok(text) = std::fs::read_to_string(&file) else { return Ok(None) };
        let manifest = serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged: unpack the release again", file.display()))?;
        Ok(Some(ReleaseParts { folder, manifest }))
    }

    fn text(&self, name: &str) -> &str {
        self.manifest[name].as_str().unwrap_or("?")
    }

    /// Why the parts do not fit; `None` if they do.
    fn misfit(&self, required: &[(&str, &str)], machine: &Machine) -> Option<String> {
        if self.text("target") != machine.target {
            let (made, here) = (self.text("target"), &machine.target);
            return Some(format!("it was made for {made}, and this machine is {here}"));
        }
        if let Some(needed) = self.manifest["glibc"].as_str()
            && let Some(here) = &machine.glibc
            && version_numbers(here) < version_numbers(needed)
        {
            return Some(format!("it needs glibc {needed}, and this machine has {here}"));
        }
        let (name, here) = required.iter().find(|(name, value)| self.text(name) != *value)?;
        if *name == "kernel" {
            return Some("the kernel's sources have been changed".into());
        }
        Some(format!("it was made with {name} {}, and this machine has {here}", self.text(name)))
    }
}

/// The version of the C library, where it is glibc.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn glibc() -> Option<String> {
    // SAFETY: the function returns a terminated text that is never freed.
    let text = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
    text.to_str().ok().map(str::to_owned)
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn glibc() -> Option<String> {
    None
}

/// The newest glibc that one of these programs and libraries needs: `2.34`.
pub fn glibc_needed(files: &[PathBuf]) -> Result<Option<String>> {
    let mut newest: Option<Vec<u32>> = None;
    for file in files {
        let bytes =
            std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        newest = newest.max(newest_glibc(&bytes));
    }
    Ok(newest.map(|numbers| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(".")))
}

/// The newest version of a glibc symbol in these bytes.
fn newest_glibc(bytes: &[u8]) -> Option<Vec<u32>> {
    const PREFIX: &[u8] = b"GLIBC_2.";
    let mut newest = None;
    let mut rest = bytes;
    while let Some(at) = rest.windows(PREFIX.len()).position(|window| window == PREFIX) {
        rest = &rest[at + b"GLIBC_".len()..];
        let end = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'.'));
        let text = std::str::from_utf8(&rest[..end.unwrap_or(rest.len())]).unwrap_or_default();
        newest = newest.max(Some(version_numbers(text)));
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn release() -> ReleaseParts {
        ReleaseParts {
            folder: "/r/prebuilt".into(),
            manifest: json!({"target": "x86_64-unknown-linux-gnu", "glibc": "2.34",
                             "rustc": "1.95.0", "kernel": "12ab"}),
        }
    }

    fn machine(target: &str, glibc: &str) -> Machine {
        Machine { target: target.into(), glibc: Some(glibc.into()) }
    }

    #[test]
    fn a_part_that_does_not_fit_has_a_reason() {
        let (release, here) = (release(), machine("x86_64-unknown-linux-gnu", "2.36"));
        assert_eq!(release.misfit(&[("rustc", "1.95.0")], &here), None);
        let reason = |required, machine: &Machine| release.misfit(required, machine).unwrap();
        assert!(
            reason(&[("rustc", "1.96.0")], &here)
                .contains("rustc 1.95.0, and this machine has 1.96.0")
        );
        assert!(reason(&[("kernel", "other")], &here).contains("sources have been changed"));
        assert!(reason(&[], &machine("aarch64-apple-darwin", "2.36")).contains("aarch64"));
        let old = machine("x86_64-unknown-linux-gnu", "2.9");
        assert!(reason(&[], &old).contains("needs glibc 2.34"));
    }

    #[test]
    fn the_newest_glibc_is_found() {
        let bytes = b"..GLIBC_2.4\0GLIBC_2.34\0GLIBC_2.9\0..";
        assert_eq!(newest_glibc(bytes), Some(vec![2, 34]));
        assert_eq!(newest_glibc(b"none"), None);
    }

    #[test]
    fn a_damaged_manifest_is_an_error_and_a_missing_one_is_not() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths { root: root.path().into(), home: "/h".into(), state: "/s".into() };
        assert!(ReleaseParts::of(&paths).unwrap().is_none());
        std::fs::create_dir(root.path().join(PREBUILT)).unwrap();
        std::fs::write(root.path().join(PREBUILT).join(MANIFEST), "{").unwrap();
        let error = ReleaseParts::of(&paths).err().unwrap().to_string();
        assert!(error.contains("unpack the release again"), "{error}");
    }

    #[test]
    fn only_a_part_that_fits_is_provided() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(PREBUILT);
        std::fs::create_dir_all(folder.join(GLUE)).unwrap();
        let manifest = json!({"target": rustc::host().unwrap(), "torch": "2.11.0",
                              "torch-sys": "0.24.0", "kernel": "12ab"});
        std::fs::write(folder.join(MANIFEST), manifest.to_string()).unwrap();
        let paths = Paths { root: root.path().into(), home: "/h".into(), state: "/s".into() };
        let provided = Provided::of(&paths).unwrap();
        assert!(provided.has_objects("0.24.0", "2.11.0"));
        assert!(!provided.has_objects("0.24.0", "2.12.0"));
        assert!(!provided.has_kernel("12ab"), "its file is missing");
        assert!(!Provided::none().has_objects("0.24.0", "2.11.0"));
    }
}
