//! Which parts are missing.

use crate::common::paths::Paths;
use crate::setup::provided::Provided;
use crate::setup::python_environment::{self, EnvironmentState};
use crate::setup::{glue, kernel};

/// The parts that set-up would have to make.
pub struct MissingParts {
    /// The Python environment with libtorch, unless an active one is used.
    pub environment: bool,
    /// The C++ glue, which then has to be compiled.
    pub glue: bool,
    pub kernel: bool,
}

impl MissingParts {
    /// A part counts as missing if it cannot be found out.
    pub fn of(paths: &Paths, provided: &Provided) -> MissingParts {
        let environment = python_environment::environment(paths);
        let kernel = || kernel::binary(paths).is_ok_and(|binary| binary.is_file());
        let prebuilt =
            || kernel::sources_fingerprint(paths).is_ok_and(|key| provided.has_kernel(&key));
        MissingParts {
            environment: !environment.is_ok_and(|it| it.state() == EnvironmentState::Ready),
            glue: glue::needs_compiler(paths, provided).unwrap_or(true),
            kernel: !kernel() && !prebuilt(),
        }
    }

    pub fn is_nothing(&self) -> bool {
        !self.environment && !self.glue && !self.kernel
    }
}
