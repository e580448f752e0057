//! Tests that cannot run here.

use std::io::Write;

/// Notes that the test that calls this has not run, and why. Rust's harness takes it for one that
/// passed; `cargo xtask test` reads the file that `TCHALK_SKIPPED_TESTS` names, and knows better.
pub fn skipped(why: &str) {
    eprintln!("skipped: {why}");
    let Some(list) = std::env::var_os("TCHALK_SKIPPED_TESTS") else { return };
    // The harness names the thread of a test after it.
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("a test");
    let file = std::fs::OpenOptions::new().append(true).create(true).open(list);
    // One write, so that lines of several tests do not mix.
    file.and_then(|mut file| file.write_all(format!("{name}\t{why}\n").as_bytes())).unwrap();
}
