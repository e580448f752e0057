//! Where files come from: a bundle, the cache, or the network, in this order.
//!
//! | file | answers |
//! |---|---|
//! | `locations` | which of the three has all files of a set, and why did the others not? |
//! | `bundle` | what is in the folder that `TCHALK_DATA_DIR` names? |
//! | `cache` | where are downloads kept? |
//! | `remote_file` | where is a file published, and which size and checksums has it? |
//! | `download` | how does it get here? |

pub(crate) mod bundle;
pub(crate) mod cache;
pub(crate) mod checksum;
pub(crate) mod download;
pub(crate) mod locations;
pub(crate) mod remote_file;
