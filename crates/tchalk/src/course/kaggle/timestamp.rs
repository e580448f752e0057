//! The time in a file's name.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// `20260131-235959`, in local time.
#[cfg(unix)]
pub(super) fn timestamp(seconds: i64) -> String {
    let time = seconds as libc::time_t;
    // SAFETY: all zeros is a value of this plain struct.
    let mut parts: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid for the call, and the function keeps neither.
    if unsafe { libc::localtime_r(&time, &mut parts) }.is_null() {
        return utc(seconds);
    }
    let date = (i64::from(parts.tm_year) + 1900, parts.tm_mon + 1, parts.tm_mday);
    formatted(date, (parts.tm_hour, parts.tm_min, parts.tm_sec))
}

/// `20260131-235959`, in UTC where local time is not available.
#[cfg(not(unix))]
pub(super) fn timestamp(seconds: i64) -> String {
    utc(seconds)
}

/// `20260131-235959`, in UTC: days to dates by the Gregorian calendar, in years that begin in March.
fn utc(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400) + 719_468, seconds.rem_euclid(86_400) as i32);
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = (day - (153 * month + 2) / 5 + 1) as i32;
    let month = if month < 10 { month + 3 } else { month - 9 } as i32;
    let year = year + 400 * era + i64::from(month <= 2);
    formatted((year, month, date), (rest / 3_600, rest / 60 % 60, rest % 60))
}

fn formatted(
    (year, month, day): (i64, i32, i32),
    (hour, minute, second): (i32, i32, i32),
) -> String {
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utc_is_exact_and_local_time_is_near_it() {
        for (seconds, expected) in [
            (0, "19700101-000000"),
            (951_827_696, "20000229-123456"),
            (1_709_251_199, "20240229-235959"),
            (4_107_542_400, "21000301-000000"),
        ] {
            assert_eq!(utc(seconds), expected);
        }
        let local = timestamp(now());
        assert!(local.len() == 15 && local.as_bytes()[8] == b'-', "{local}");
        // No time zone is more than 14 hours from UTC.
        let day = |text: &str| text[..8].parse::<i64>().unwrap();
        assert!(day(&local) >= day(&utc(now() - 14 * 3_600)), "{local}");
        assert!(day(&local) <= day(&utc(now() + 14 * 3_600)), "{local}");
    }
}
