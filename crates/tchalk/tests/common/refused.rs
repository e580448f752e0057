//! Calls that must fail.

#![allow(dead_code, reason = "not every test file uses both")]

use tchalk::Error;

/// What the error says.
pub fn refused<T>(result: tchalk::Result<T>) -> String {
    match result {
        Ok(_) => panic!("this should have been refused"),
        Err(error) => error.to_string(),
    }
}

/// Asserts that an operation was refused because of an argument, and that the error names this: a value of
/// the argument, or a key word of what was expected.
#[track_caller]
pub fn assert_invalid<T>(result: tchalk::Result<T>, operation: &str, value: &str) {
    match result {
        Err(Error::Invalid { op, expected, got, .. }) => {
            assert_eq!(op, operation);
            let names = [&expected, &got].into_iter().any(|text| text.contains(value));
            assert!(names, "{value:?} is neither in {expected:?} nor in {got:?}");
        }
        Err(error) => panic!("another error: {error:?}"),
        Ok(_) => panic!("{operation} should have been refused"),
    }
}
