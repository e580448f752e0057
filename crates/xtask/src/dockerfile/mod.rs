//! `cargo xtask try-dockerfile`: follows a Dockerfile where there is no Docker.
//!
//! Each stage is a folder that begins as a clean Debian root (or an earlier stage), and each
//! instruction does to it what it would do to an image: `RUN` in a chroot of its own, `COPY` by way of
//! `.dockerignore`. What is followed is the Dockerfile itself, so what was tried and what is built
//! cannot drift apart. It knows the instructions that the project uses, and refuses all others.

mod container;
mod expand;
mod ignore;
mod options;
mod parse;
mod stage;
mod walk;

pub use walk::follow;

#[cfg(test)]
mod tests {
    use super::ignore::Ignore;
    use super::parse::{Instruction, Step, parse};
    use std::path::Path;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
    }

    fn steps() -> Vec<Step> {
        parse(&std::fs::read_to_string(root().join("Dockerfile")).unwrap()).unwrap()
    }

    #[test]
    fn the_project_s_dockerfile_is_one_that_can_be_followed() {
        let ignored = std::fs::read_to_string(root().join(".dockerignore")).unwrap();
        let ignore = Ignore::parse(&ignored);
        for step in steps() {
            let Instruction::Copy { from: None, sources, .. } = &step.instruction else { continue };
            for source in sources {
                assert!(root().join(source).exists(), "line {}: no {source}", step.line);
                assert!(!ignore.ignores(source), "line {}: {source} is ignored", step.line);
            }
        }
        for local in [".cargo/libtorch.toml", "target/x", "notebooks/results/x", ".git/config"] {
            assert!(ignore.ignores(local), "{local} has no place in an image");
        }
    }

    #[test]
    fn the_readme_s_requirements_are_the_ones_that_are_tried() {
        let text = std::fs::read_to_string(root().join("docker/two-commands.Dockerfile")).unwrap();
        parse(&text).unwrap();
        let packages = "g++ git python3-venv\n";
        assert!(text.contains(&format!("--no-install-recommends {packages}")));
        let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
        assert!(readme.contains(&format!("sudo apt install {}`", packages.trim())));
    }

    #[test]
    fn the_image_has_the_versions_that_are_checked() {
        let default = |wanted: &str| {
            steps().iter().find_map(|step| match &step.instruction {
                Instruction::Arg { name, default } if name == wanted => default.clone(),
                _ => None,
            })
        };
        let rust = default("RUST").unwrap();
        assert!(rust.starts_with(env!("CARGO_PKG_RUST_VERSION")), "{rust}");
        let checks = std::fs::read_to_string(root().join(".github/workflows/ci.yml")).unwrap();
        assert!(
            checks.contains(&format!("rustup default {rust}\n")),
            "the checks use another Rust"
        );
        let debian = default("DEBIAN").unwrap();
        assert!(debian.starts_with("debian:12.") && debian.ends_with("-slim"), "{debian}");
        assert_eq!(default("RUSTUP_SHA256").unwrap().len(), 64);
    }
}
