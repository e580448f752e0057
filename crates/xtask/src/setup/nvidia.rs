//! The NVIDIA driver.

use crate::common::process::first_line;

/// The oldest driver for CUDA 13, which set-up's libtorch needs.
pub const OLDEST: u32 = 580;

/// The version of this machine's driver, `580.95.05`, if there is one. It is empty if it is unknown.
pub fn driver() -> Option<String> {
    if let Ok(text) = std::fs::read_to_string("/proc/driver/nvidia/version") {
        return Some(version_in(&text).unwrap_or_default().to_owned());
    }
    let asked = first_line("nvidia-smi", &["--query-gpu=driver_version", "--format=csv,noheader"]);
    asked.filter(|version| !version.is_empty())
}

/// Whether a driver of this version is too old. One of unknown version is not.
pub fn is_too_old(version: &str) -> bool {
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major < OLDEST)
}

/// The version in the first line of the driver's description.
fn version_in(text: &str) -> Option<&str> {
    let is_version = |word: &&str| {
        let numbers: Vec<&str> = word.split('.').collect();
        numbers.len() > 1 && numbers.iter().all(|number| number.parse::<u32>().is_ok())
    };
    text.lines().next()?.split_whitespace().find(is_version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_the_driver_s_description() {
        let closed = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 2024\n\
                      GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n";
        let open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release\n";
        assert_eq!(version_in(closed), Some("550.54.15"));
        assert_eq!(version_in(open), Some("580.95.05"));
        assert_eq!(version_in("nothing of the kind\n1.2.3"), None);
    }

    #[test]
    fn a_known_old_version_is_too_old() {
        assert!(is_too_old("550.54.15") && is_too_old("579.1"));
        assert!(!is_too_old("580.95.05") && !is_too_old("610.1") && !is_too_old(""));
    }
}
