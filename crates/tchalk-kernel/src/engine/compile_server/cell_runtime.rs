//! The code that every cell needs, compiled once. It replaces a module that Evcxr writes into each cell,
//! with the same names and the same layout, so cells of both kinds share their variables. The kernel
//! appends the definition of `MARKER_PREFIX`.

use std::any::Any;
use std::collections::HashMap;
use std::fmt::Display;
use std::panic::Location;
use std::sync::Arc;

/// An error that reached a `?` of the cell.
pub struct Failure {}

impl<T: Display> From<T> for Failure {
    #[track_caller]
    fn from(error: T) -> Failure {
        report(&error, Location::caller());
        Failure {}
    }
}

/// Reports the location of the `?` and its error. A marker says where the report begins on standard
/// error.
fn report(error: &dyn Display, location: &Location) {
    let location = location.to_string();
    eprintln!("{MARKER_PREFIX}{{\"kind\":\"report\",\"location\":{location:?}}}\n{error}");
    println!("{}", cell::USER_ERROR_OCCURRED);
}

pub mod cell {
    use super::*;

    pub const USER_ERROR_OCCURRED: &str = "EVCXR_ERROR_OCCURRED";

    /// The variables of a notebook between cells.
    pub struct VariableStore {
        variables: HashMap<String, Box<dyn Any + 'static>>,
    }

    #[inline(never)]
    pub fn create_variable_store() -> *mut VariableStore {
        Box::into_raw(Box::new(VariableStore { variables: HashMap::new() }))
    }

    impl VariableStore {
        pub fn put_variable<T: 'static>(&mut self, name: &str, value: T) {
            self.put(name, Box::new(value));
        }

        /// Whether the variable, if there is one, still has this type.
        pub fn check_variable<T: 'static>(&mut self, name: &str) -> bool {
            let same = self.get(name).is_none_or(|value| value.is::<T>());
            if !same {
                changed(name);
            }
            same
        }

        pub fn take_variable<T: 'static>(&mut self, name: &str) -> T {
            match self.take(name).downcast() {
                Ok(value) => *value,
                Err(_) => missing(name),
            }
        }

        /// Returns the old value of a variable if the cell has not stored a new one.
        pub fn keep_variable<T: 'static>(&mut self, name: &str, value: T) {
            self.keep(name, Box::new(value));
        }

        /// A value that cells with futures share.
        pub fn lazy_arc<T: 'static, F: FnOnce() -> T>(&mut self, name: &str, create: F) -> Arc<T> {
            if self.get(name).is_none() {
                self.put(name, Box::new(Arc::new(create())));
            }
            match self.get(name).and_then(|value| value.downcast_ref::<Arc<T>>()) {
                Some(value) => value.clone(),
                None => missing(name),
            }
        }

        #[inline(never)]
        pub fn put(&mut self, name: &str, value: Box<dyn Any>) {
            self.variables.insert(name.to_owned(), value);
        }

        #[inline(never)]
        pub fn keep(&mut self, name: &str, value: Box<dyn Any>) {
            if !self.variables.contains_key(name) {
                self.put(name, value);
                println!("{MARKER_PREFIX}{{\"kind\":\"kept\",\"name\":{name:?}}}");
            }
        }

        #[inline(never)]
        pub fn get(&self, name: &str) -> Option<&dyn Any> {
            self.variables.get(name).map(|value| &**value)
        }

        #[inline(never)]
        pub fn take(&mut self, name: &str) -> Box<dyn Any> {
            self.variables.remove(name).unwrap_or_else(|| missing(name))
        }
    }

    #[inline(never)]
    pub fn changed(name: &str) {
        eprintln!("The type of the variable {name} was redefined, so was lost.");
        println!("EVCXR_VARIABLE_CHANGED_TYPE:{name}");
    }

    #[inline(never)]
    pub fn missing(name: &str) -> ! {
        panic!("the variable `{name}` is missing, or its type has changed")
    }
}
