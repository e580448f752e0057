#![doc = include_str!("for_keras_users.md")]
