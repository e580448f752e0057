//! An interrupt ends Kaggle's client. It concerns the whole process, and so do environment variables:
//! one test, alone in this file.

#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tchalk::prelude::*;
use tchalk::runtime::interrupt;

#[test]
fn an_interrupt_ends_the_client_and_leaves_no_partial_file() {
    let home = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str, mode: u32| {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    // It begins to write, and goes on for ten minutes.
    let script = "#!/bin/sh\nprintf PK > \"$6/digit-recognizer.zip\"\nsleep 600 &\n\
                  echo $! > \"$HOME/new\"\nmv \"$HOME/new\" \"$HOME/child\"\nwait\n";
    let program = put("client", script, 0o755);
    // SAFETY: this is the only test of this program, and no other thread runs yet.
    unsafe {
        std::env::set_var("HOME", home.path());
        std::env::set_var("TCHALK_HOME", home.path());
        std::env::set_var("TCHALK_KAGGLE", program);
        std::env::set_var("KAGGLE_USERNAME", "ada");
        std::env::set_var("KAGGLE_KEY", "key-of-ada");
        for name in ["TCHALK_OFFLINE", "TCHALK_BUDGET", "TCHALK_DATA_DIR"] {
            std::env::remove_var(name);
        }
    }
    let child = home.path().join("child");
    let started = child.clone();
    let interrupter = std::thread::spawn(move || {
        while !started.exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        interrupt::request();
    });
    let error = kaggle::download().unwrap_err();
    interrupter.join().unwrap();
    interrupt::clear();
    assert!(error.to_string().contains("kaggle::download: interrupted"), "{error}");
    let child = std::fs::read_to_string(child).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
    assert!(!stat.contains(") S "), "what it started is ended, too: {stat}");
    let left = std::fs::read_dir(home.path().join("data/digit-recognizer")).unwrap().count();
    assert_eq!(left, 0, "no partial file is left");
}
