//! Statics of a notebook, which keep their values from cell to cell.
//!
//! Each cell is a crate of its own and contains all items of the notebook, so an ordinary `static` would begin
//! again in every cell. The kernel writes these types in its place. The values are in the library, which all
//! cells share, by name.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Mutex, OnceLock};

type Key = (&'static str, TypeId);
type Shared = HashMap<Key, &'static (dyn Any + Send + Sync)>;

static SHARED: OnceLock<Mutex<Shared>> = OnceLock::new();

thread_local! {
    static LOCAL: RefCell<HashMap<Key, &'static dyn Any>> = RefCell::new(HashMap::new());
}

/// A `static` whose value all cells share.
pub struct NotebookStatic<T: 'static> {
    name: &'static str,
    init: fn() -> T,
    value: OnceLock<&'static T>,
}

impl<T: Send + Sync> NotebookStatic<T> {
    /// The static of this name.
    pub const fn new(name: &'static str, init: fn() -> T) -> NotebookStatic<T> {
        NotebookStatic { name, init, value: OnceLock::new() }
    }
}

impl<T: Send + Sync> Deref for NotebookStatic<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.get_or_init(|| {
            let key = (self.name, TypeId::of::<T>());
            let shared = SHARED.get_or_init(Mutex::default);
            let known = || shared.lock().unwrap_or_else(|it| it.into_inner()).get(&key).copied();
            // The lock is free while the value is made, which may use another static.
            let value = known().unwrap_or_else(|| {
                let made: &'static T = Box::leak(Box::new((self.init)()));
                let mut shared = shared.lock().unwrap_or_else(|it| it.into_inner());
                *shared.entry(key).or_insert(made)
            });
            value.downcast_ref().expect("the key holds the type")
        })
    }
}

/// What `thread_local!` declares, with one value for each thread that all cells share.
pub struct NotebookThreadLocal<T: 'static> {
    name: &'static str,
    init: fn() -> T,
}

impl<T: 'static> NotebookThreadLocal<T> {
    /// The variable of this name.
    pub const fn new(name: &'static str, init: fn() -> T) -> NotebookThreadLocal<T> {
        NotebookThreadLocal { name, init }
    }

    fn value(&self) -> &'static T {
        let key = (self.name, TypeId::of::<T>());
        let known = LOCAL.with_borrow(|values| values.get(&key).copied());
        let value = known.unwrap_or_else(|| {
            let made: &'static T = Box::leak(Box::new((self.init)()));
            LOCAL.with_borrow_mut(|values| *values.entry(key).or_insert(made))
        });
        value.downcast_ref().expect("the key holds the type")
    }

    /// Calls `f` with this thread's value.
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        f(self.value())
    }
}

impl<T: 'static> NotebookThreadLocal<Cell<T>> {
    /// Sets this thread's value.
    pub fn set(&'static self, value: T) {
        self.value().set(value);
    }

    /// A copy of this thread's value.
    pub fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.value().get()
    }

    /// Takes this thread's value and leaves the default.
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.value().take()
    }

    /// Replaces this thread's value and returns the old one.
    pub fn replace(&'static self, value: T) -> T {
        self.value().replace(value)
    }
}

impl<T: 'static> NotebookThreadLocal<RefCell<T>> {
    /// Calls `f` with a reference to what this thread's cell holds.
    pub fn with_borrow<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        f(&self.value().borrow())
    }

    /// Calls `f` with a mutable reference to what this thread's cell holds.
    pub fn with_borrow_mut<R>(&'static self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.value().borrow_mut())
    }

    /// Sets what this thread's cell holds.
    pub fn set(&'static self, value: T) {
        *self.value().borrow_mut() = value;
    }

    /// Takes what this thread's cell holds and leaves the default.
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.value().take()
    }

    /// Replaces what this thread's cell holds and returns the old value.
    pub fn replace(&'static self, value: T) -> T {
        self.value().replace(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn two_statics_of_one_name_share_their_value() {
        static ONE: NotebookStatic<AtomicUsize> =
            NotebookStatic::new("count", || AtomicUsize::new(5));
        static TWO: NotebookStatic<AtomicUsize> =
            NotebookStatic::new("count", || AtomicUsize::new(5));
        static OTHER: NotebookStatic<AtomicUsize> =
            NotebookStatic::new("other", || AtomicUsize::new(5));
        ONE.fetch_add(1, Ordering::SeqCst);
        TWO.fetch_add(1, Ordering::SeqCst);
        let values = [&ONE, &TWO, &OTHER].map(|count| count.load(Ordering::SeqCst));
        assert_eq!(values, [7, 7, 5]);
    }

    #[test]
    fn each_thread_has_a_value_of_its_own() {
        static ONE: NotebookThreadLocal<Cell<i32>> =
            NotebookThreadLocal::new("local", || Cell::new(1));
        static TWO: NotebookThreadLocal<Cell<i32>> =
            NotebookThreadLocal::new("local", || Cell::new(1));
        ONE.set(2);
        assert_eq!(TWO.get(), 2);
        assert_eq!(std::thread::spawn(|| TWO.get()).join().unwrap(), 1);
        static LIST: NotebookThreadLocal<RefCell<Vec<i32>>> =
            NotebookThreadLocal::new("list", || RefCell::new(Vec::new()));
        LIST.with_borrow_mut(|list| list.push(3));
        assert_eq!((LIST.with(|list| list.borrow().len()), LIST.take()), (1, vec![3]));
    }
}
