//! Where files come from: a bundle, the cache, or the network, in this order.
//!
//! | file | answers |
//! |---|---|
//! | `locations` | which of the three has all files of a set, and why did the others not? |
//! | `bundle` | what is in the folder that `TCHALK_DATA_DIR` names? |
//! | `cache` | where are downloads kept? |
//! | `remote_file` | where is a file published, and which size and checksums has it? |
//! | `download` | how does it get here? |
//!
//! A sample stands in for a set only if none of the three has it, and the source of the data says so in a
//! sentence. A damaged file in a bundle is an error. A remote file has only sizes and checksums that were
//! published; where none was, that of the first download is recorded. The request of a download runs on a
//! thread of its own, so an interrupt works whatever the network does. No test uses the network: the
//! tests have a web server that misbehaves as real ones do (`download/server.rs`).

pub(crate) mod bundle;
pub(crate) mod cache;
pub(crate) mod checksum;
pub(crate) mod download;
pub(crate) mod locations;
pub(crate) mod remote_file;
