//! What the cargo shim asks the compile server, and the answer.

use super::environment::LIBRARY_PATH_FILE;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How cargo was called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuildRequest {
    pub arguments: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub folder: PathBuf,
}

impl BuildRequest {
    pub fn is_check(&self) -> bool {
        self.arguments.iter().any(|argument| argument == "check")
    }

    /// Whether this would check what `build` builds.
    pub fn checks(&self, build: &BuildRequest) -> bool {
        let as_check = build.arguments.iter().map(|it| if it == "build" { "check" } else { it });
        let environment = build.environment.iter().filter(|(name, _)| *name != LIBRARY_PATH_FILE);
        self.folder == build.folder
            && self.arguments.iter().map(String::as_str).eq(as_check)
            && self.environment.iter().eq(environment)
    }
}

/// What the shim does.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum BuildResponse {
    /// Runs cargo, and reports whether it succeeded.
    RunCargo,
    /// Ends like cargo, with this output.
    Done { code: i32, stdout: String, stderr: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_belongs_to_the_build_with_the_same_arguments() {
        let request = |command: &str, environment: &[(&str, &str)]| BuildRequest {
            arguments: vec!["--offline".into(), command.into()],
            environment: environment.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
            folder: "/s".into(),
        };
        let build = request("build", &[("A", "1"), (LIBRARY_PATH_FILE, "/s/so")]);
        assert!(request("check", &[("A", "1")]).checks(&build));
        assert!(!request("check", &[("A", "2")]).checks(&build));
        assert!(!request("check", &[]).checks(&build));
        assert!(!request("build", &[("A", "1")]).checks(&build));
        assert!(request("check", &[]).is_check() && !build.is_check());
    }
}
