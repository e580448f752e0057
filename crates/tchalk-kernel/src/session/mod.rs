//! A folder of its own for each kernel, the template it is cloned from, and kernels started in advance.
//!
//! Evcxr builds each cell as a crate in a folder whose names are always the same, so each kernel has a
//! folder of its own ([`session_folder`]), cloned from a *template* in which the library is already built
//! ([`template`]). Third-party files are hard links, the others are copies. A locked file beside the folder
//! shows that its kernel is running; the next kernel to start removes the folders of those that ended.
//! Only the user can read the folder of sessions. If the state folder belongs to another user or is
//! read-only, sessions are in the user's own cache, with a copy of cargo's configuration above them. A
//! session whose path is long or contains special characters gets an alias ([`user_dir`]).
//!
//! A *prewarmed kernel* ([`prewarmed`]) waits for the next notebook, so that it starts in a second.

pub mod prewarmed;
pub mod session_folder;
pub mod template;
mod user_dir;
