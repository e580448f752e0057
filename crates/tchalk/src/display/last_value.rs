//! What a cell ends in: it is shown, or, if it is an `Err`, the cell fails.
//!
//! The kernel wraps the last expression of a cell: `match &(…) { it => … }`. Which method is called on the
//! wrapper depends on the type of the value, at compile time. Method calls look at references first, so an
//! implementation for more references has priority: each trait here is one level.

use super::{Content, Show, emit_debug, emit_value};
use std::fmt::{Debug, Display};
use std::panic::Location;

/// A reference to the last value of a cell.
pub struct LastValue<'a, T: ?Sized>(pub &'a T);

/// Reports an `Err` as the error of the cell, as `?` does.
#[track_caller]
#[inline(never)]
fn report(error: &str) -> bool {
    let location = Location::caller().to_string();
    let marker = serde_json::json!({"kind": "report", "location": location});
    eprintln!("\u{1}tchalk {marker}\n{error}");
    println!("EVCXR_ERROR_OCCURRED");
    true
}

/// An `Err` with a message.
pub trait FailedWithMessage {
    /// Whether it is an error, which is reported.
    fn fails_cell(&self) -> bool;
}

impl<T, E: Display> FailedWithMessage for &&LastValue<'_, Result<T, E>> {
    #[track_caller]
    fn fails_cell(&self) -> bool {
        // No closure: the caller's location is that of the cell.
        match self.0 {
            Ok(_) => false,
            Err(error) => report(&error.to_string()),
        }
    }
}

/// An `Err` without a message.
pub trait FailedWithDebug {
    /// Whether it is an error, which is reported.
    fn fails_cell(&self) -> bool;
}

impl<T, E: Debug> FailedWithDebug for &LastValue<'_, Result<T, E>> {
    #[track_caller]
    fn fails_cell(&self) -> bool {
        match self.0 {
            Ok(_) => false,
            Err(error) => report(&format!("{error:?}")),
        }
    }
}

/// Any other value.
pub trait NotFailed {
    /// It is no error.
    fn fails_cell(&self) -> bool;
}

impl<T: ?Sized> NotFailed for LastValue<'_, T> {
    fn fails_cell(&self) -> bool {
        false
    }
}

/// `Ok` of what can be shown.
pub trait DisplayOk {
    /// Shows what is in it.
    fn show_last_value(&self);
}

impl<T: Show, E> DisplayOk for &&&&LastValue<'_, Result<T, E>> {
    fn show_last_value(&self) {
        if let Ok(value) = self.0 {
            emit_value(&value.content());
        }
    }
}

/// What can be shown.
pub trait DisplayShow {
    /// Shows it.
    fn show_last_value(&self);
}

impl<T: Show + ?Sized> DisplayShow for &&&LastValue<'_, T> {
    fn show_last_value(&self) {
        emit_value(&self.0.content());
    }
}

/// `Ok` of what has a text.
pub trait DisplayOkDebug {
    /// Prints what is in it.
    fn show_last_value(&self);
}

impl<T: Debug, E> DisplayOkDebug for &&LastValue<'_, Result<T, E>> {
    fn show_last_value(&self) {
        if let Ok(value) = self.0 {
            emit_debug(value);
        }
    }
}

/// What has a text.
pub trait DisplayDebug {
    /// Prints it.
    fn show_last_value(&self);
}

impl<T: Debug + ?Sized> DisplayDebug for &LastValue<'_, T> {
    fn show_last_value(&self) {
        emit_debug(&self.0);
    }
}

/// What has none.
pub trait DisplayType {
    /// Says what it is.
    fn show_last_value(&self);
}

impl<T: ?Sized> DisplayType for LastValue<'_, T> {
    fn show_last_value(&self) {
        emit_type(std::any::type_name::<T>());
    }
}

#[inline(never)]
fn emit_type(name: &str) {
    let text = format!(
        "a value of type {name}, which has no text: #[derive(Debug)] above its definition gives it one"
    );
    emit_value(&Content::text(text));
}

/// Implements `Show` for what points to something that can be shown.
macro_rules! pointer {
    ($($kind:ty),*) => {$(
        impl<T: Show + ?Sized> Show for $kind {
            fn content(&self) -> Content {
                (**self).content()
            }
        }
    )*};
}

pointer!(&T, &mut T, Box<T>, std::rc::Rc<T>, std::sync::Arc<T>);

impl<T: Show> Show for Option<T> {
    fn content(&self) -> Content {
        self.as_ref().map_or_else(|| Content::text("None"), Show::content)
    }
}

impl<T: Show> Show for [T] {
    fn content(&self) -> Content {
        one_below_the_other(self.iter().map(Show::content).collect())
    }
}

impl<T: Show> Show for Vec<T> {
    fn content(&self) -> Content {
        self[..].content()
    }
}

impl<T: Show, const N: usize> Show for [T; N] {
    fn content(&self) -> Content {
        self[..].content()
    }
}

/// Implements `Show` for tuples.
macro_rules! tuple {
    ($($name:ident $index:tt),*) => {
        impl<$($name: Show),*> Show for ($($name,)*) {
            fn content(&self) -> Content {
                one_below_the_other(vec![$(self.$index.content()),*])
            }
        }
    };
}

tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);

/// Several contents as one: HTML if one of them has it.
fn one_below_the_other(contents: Vec<Content>) -> Content {
    let plain: Vec<String> = contents.iter().map(Content::plain).collect();
    let plain = plain.join("\n");
    if contents.iter().all(|content| content.html.is_none()) {
        return Content::text(plain);
    }
    let html = contents.into_iter().map(|content| match content.html {
        Some(html) => format!("<div>{html}</div>"),
        None => format!("<pre>{}</pre>", crate::text::escape_html(&content.plain)),
    });
    Content::html(plain, html.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Drawn;

    impl Debug for Drawn {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("it has a better form")
        }
    }

    impl Show for Drawn {
        fn content(&self) -> Content {
            Content::html("drawn", "<b>drawn</b>")
        }
    }

    struct Nothing;

    /// What the kernel writes after the last expression of a cell; prints nothing but to standard output.
    macro_rules! end {
        ($value:expr) => {
            match &($value) {
                it => {
                    let it = LastValue(it);
                    let failed = (&&&it).fails_cell();
                    if !failed {
                        (&&&&&it).show_last_value();
                    }
                    failed
                }
            }
        };
    }

    #[test]
    fn every_kind_of_value_has_its_way() {
        let (drawn, text): (Result<Drawn, String>, &str) = (Ok(Drawn), "text");
        assert!(!end!(Drawn));
        assert!(!end!(&Drawn));
        assert!(!end!(drawn));
        assert!(!end!(Some(Drawn)));
        assert!(!end!(vec![Drawn, Drawn]));
        assert!(!end!((Drawn, Drawn)));
        assert!(!end!(1 + 1));
        assert!(!end!(*text));
        assert!(!end!(Ok::<i32, String>(1)));
        assert!(!end!(Ok::<Nothing, String>(Nothing)));
        assert!(!end!(Nothing));
        assert!(!end!(()));
        assert!(end!(Err::<Drawn, &str>("wrong")));
        assert!(end!(Err::<i32, ()>(())));
        assert!(end!("x".parse::<i32>()));
    }

    #[test]
    fn several_values_are_shown_one_below_the_other() {
        let content = vec![Drawn, Drawn].content();
        assert_eq!(content.plain(), "drawn\ndrawn");
        assert_eq!(content.as_html().unwrap().matches("<b>").count(), 2);
        assert_eq!(None::<Drawn>.content().plain(), "None");
        assert_eq!(Box::new(Drawn).content(), Drawn.content());
        assert!((&Drawn, Some(Drawn)).content().as_html().is_some());
    }
}
