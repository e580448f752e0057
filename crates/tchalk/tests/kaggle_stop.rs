//! The stop button ends Kaggle's client. It belongs to the whole process, and so do the variables: one
//! test, alone in this file.

#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tchalk::prelude::*;
use tchalk::runtime::interrupt;

#[test]
fn the_stop_button_ends_the_client_and_keeps_nothing_half() {
    let home = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str, mode: u32| {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    // It has begun to write, and goes on for ten minutes.
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
    let told = child.clone();
    let presser = std::thread::spawn(move || {
        while !told.exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        interrupt::request();
    });
    let error = kaggle::download().unwrap_err();
    presser.join().unwrap();
    interrupt::clear();
    assert!(error.to_string().contains("kaggle::download: interrupted"), "{error}");
    let child = std::fs::read_to_string(child).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
    assert!(!stat.contains(") S "), "what it had started is ended, too: {stat}");
    let left = std::fs::read_dir(home.path().join("data/digit-recognizer")).unwrap().count();
    assert_eq!(left, 0, "nothing half is left");
}
