//! What set-up need neither build nor fetch: the parts that a release brings along, compiled, in its
//! folder `prebuilt`, and the packages of a [bundle](crate::release::bundle) for a room without network.
//!
//! Each part says what it was made with. What does not fit this machine is passed over, and set-up
//! says so and makes it in the ordinary way.

use crate::common::paths::Paths;
use crate::common::rustc;
use crate::common::text::version_numbers;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::PathBuf;

/// The folder of a release that holds its parts.
pub const PREBUILT: &str = "prebuilt";
/// Says with what the parts were made.
pub const MANIFEST: &str = "manifest.json";
/// The names of the parts, inside that folder.
pub const KERNEL: &str = "tchalk-kernel";
pub const GLUE: &str = "glue";
pub const CRATES: &str = "crates";
pub const RUST_SRC: &str = "rust-src";

/// What is at hand for this set-up.
pub struct Provided {
    release: Option<ReleaseParts>,
    /// The folder of Python's packages, if they come from a bundle.
    pub wheels: Option<PathBuf>,
}

impl Provided {
    /// What lies beside the sources.
    pub fn of(paths: &Paths) -> Result<Provided> {
        Ok(Provided { release: ReleaseParts::of(paths)?, wheels: None })
    }

    /// Nothing at all.
    pub fn none() -> Provided {
        Provided { release: None, wheels: None }
    }

    /// The kernel's program, made from the sources that `key` stands for.
    pub fn kernel(&self, key: &str) -> Option<PathBuf> {
        // It is a program of its own: it need not be made by the compiler that compiles the cells.
        self.part(KERNEL, "the kernel", &[("kernel", key)])
    }

    /// The compiled glue, not yet linked.
    pub fn objects(&self, torch_sys: &str, torch: &str) -> Option<PathBuf> {
        self.part(GLUE, "the C++ glue", &[("torch-sys", torch_sys), ("torch", torch)])
    }

    /// The library's dependencies, as cargo names them: each name says for which compiler.
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

    /// A part that was made with all that is `wanted`. If there is one that was not, it is said why it
    /// is not used.
    fn part(&self, name: &str, what: &str, wanted: &[(&str, &str)]) -> Option<PathBuf> {
        match self.fit(name, wanted)? {
            Ok(part) => Some(part),
            Err(why) => {
                eprintln!("  {what} that came with this release cannot be used: {why}");
                None
            }
        }
    }

    /// A part, or why it does not fit, if there is one.
    fn fit(&self, name: &str, wanted: &[(&str, &str)]) -> Option<Result<PathBuf, String>> {
        let release = self.release.as_ref()?;
        let part = release.folder.join(name);
        part.exists().then(|| match release.misfit(wanted, &Machine::this()) {
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

/// What programs that were built elsewhere ask of a machine.
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

    fn says(&self, name: &str) -> &str {
        self.manifest[name].as_str().unwrap_or("?")
    }

    /// Why a part made with what the manifest says does not fit; `None` if it does.
    fn misfit(&self, wanted: &[(&str, &str)], machine: &Machine) -> Option<String> {
        if self.says("target") != machine.target {
            let (made, here) = (self.says("target"), &machine.target);
            return Some(format!("it was made for {made}, and this machine is {here}"));
        }
        if let Some(needed) = self.manifest["glibc"].as_str()
            && let Some(here) = &machine.glibc
            && version_numbers(here) < version_numbers(needed)
        {
            return Some(format!("it needs glibc {needed}, and this machine has {here}"));
        }
        let (name, here) = wanted.iter().find(|(name, value)| self.says(name) != *value)?;
        if *name == "kernel" {
            return Some("the kernel's sources have been changed".into());
        }
        Some(format!("it was made with {name} {}, and here is {here}", self.says(name)))
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

/// The newest glibc that one of these programs and libraries asks for: `2.34`.
pub fn glibc_needed(files: &[PathBuf]) -> Result<Option<String>> {
    let mut newest: Option<Vec<u32>> = None;
    for file in files {
        let bytes =
            std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        newest = newest.max(newest_glibc(&bytes));
    }
    Ok(newest.map(|numbers| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(".")))
}

/// The newest of the versions of glibc's symbols that are named among these bytes.
fn newest_glibc(bytes: &[u8]) -> Option<Vec<u32>> {
    const MARK: &[u8] = b"GLIBC_2.";
    let mut newest = None;
    let mut rest = bytes;
    while let Some(at) = rest.windows(MARK.len()).position(|window| window == MARK) {
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
    fn a_part_is_used_where_it_fits_and_else_it_is_said_why_not() {
        let (release, here) = (release(), machine("x86_64-unknown-linux-gnu", "2.36"));
        assert_eq!(release.misfit(&[("rustc", "1.95.0")], &here), None);
        let says = |wanted, machine: &Machine| release.misfit(wanted, machine).unwrap();
        assert!(says(&[("rustc", "1.96.0")], &here).contains("rustc 1.95.0, and here is 1.96.0"));
        assert!(says(&[("kernel", "other")], &here).contains("sources have been changed"));
        assert!(says(&[], &machine("aarch64-apple-darwin", "2.36")).contains("aarch64"));
        let old = machine("x86_64-unknown-linux-gnu", "2.9");
        assert!(says(&[], &old).contains("needs glibc 2.34"));
    }

    #[test]
    fn the_newest_glibc_is_the_one_needed() {
        let bytes = b"..GLIBC_2.4\0GLIBC_2.34\0GLIBC_2.9\0..";
        assert_eq!(newest_glibc(bytes), Some(vec![2, 34]));
        assert_eq!(newest_glibc(b"none"), None);
    }

    #[test]
    fn a_damaged_manifest_is_an_error_and_none_is_not() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths { root: root.path().into(), home: "/h".into(), state: "/s".into() };
        assert!(ReleaseParts::of(&paths).unwrap().is_none());
        std::fs::create_dir(root.path().join(PREBUILT)).unwrap();
        std::fs::write(root.path().join(PREBUILT).join(MANIFEST), "{").unwrap();
        let error = ReleaseParts::of(&paths).err().unwrap().to_string();
        assert!(error.contains("unpack the release again"), "{error}");
    }

    #[test]
    fn a_part_is_there_only_if_it_fits() {
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
