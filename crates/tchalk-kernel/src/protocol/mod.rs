//! Jupyter's messages: how they are framed and signed, and the replies that need no compiler.
//!
//! Frames carry an HMAC signature; a message with a wrong signature is dropped. The kernel describes itself
//! ([`kernel_info`]), says whether a piece of code is complete ([`completeness`]), and lists earlier
//! cells ([`history`]).

pub mod completeness;
pub mod history;
pub mod kernel_info;
pub mod message;
pub mod wire;
