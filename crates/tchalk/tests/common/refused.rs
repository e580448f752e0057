//! What must not work.

/// What the refusal says.
pub fn refused<T>(result: tchalk::Result<T>) -> String {
    match result {
        Ok(_) => panic!("this should have been refused"),
        Err(error) => error.to_string(),
    }
}
