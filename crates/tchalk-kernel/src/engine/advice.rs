//! Advice above the compiler's message, for the mistakes that readers of notebooks make.

use crate::engine::{dependencies, python_habits};
use evcxr::CompilationError;

/// Advice on a compile error of the cell `code`: the first that fits.
pub fn on_compile_error(error: &CompilationError, code: &str) -> Option<&'static str> {
    let labels: Vec<&str> = error.spanned_messages().iter().map(|it| it.label.as_str()).collect();
    on_line(error, code)
        .or_else(|| on_code(error.code()?, &error.message(), &labels.join("\n")))
        .or_else(|| on_evcxr_error(&error.message()))
}

/// Advice on a line that is written as in Python: one with the error, or, where that has no line, any.
fn on_line(error: &CompilationError, code: &str) -> Option<&'static str> {
    let spans = error.spanned_messages().iter().filter(|it| it.is_primary);
    let lines: Vec<usize> = spans.filter_map(|it| Some(it.span?.start_line)).collect();
    let mut numbered = code.lines().zip(1..);
    numbered.find_map(|(line, number)| {
        let counts = lines.is_empty() || lines.contains(&number);
        counts.then(|| python_habits::advice(line))?
    })
}

/// Advice on an error with this code, message, and labels of lines.
fn on_code(code: &str, message: &str, labels: &str) -> Option<&'static str> {
    on_ownership(code)
        .or_else(|| on_question_mark(code, message))
        .or_else(|| on_mismatch(code, labels))
        .or_else(|| on_types_and_names(code, message))
}

/// `?` where it does not fit.
fn on_question_mark(code: &str, message: &str) -> Option<&'static str> {
    if code != "E0277" || !message.contains('?') {
        return None;
    }
    Some(if message.contains("values that implement `Try`") {
        "`?` works on a `Result` or an `Option`; this is neither. Remove it."
    } else if message.contains("`Result`s, not `Option`s") {
        "This is an `Option`, and `?` is for a `Result` here. `.unwrap()` takes out the value; \
         `.ok_or(\"there is none\")?` makes a `Result` of it."
    } else if message.contains("`Option`s, not `Result`s") {
        "This is a `Result`, and the function returns an `Option`. `.ok()?` makes an `Option` of it."
    } else if message.contains("in a closure that returns") {
        "`?` ends the closure, which returns no `Result`. Let it return one, with `Ok(…)` at its end, or use \
         `.unwrap()`."
    } else if message.contains("that returns") {
        "`?` ends the function, which returns no `Result`. Let it return one: `-> tchalk::Result<…>`, with \
         `Ok(…)` at its end."
    } else if message.contains("couldn't convert the error") {
        "The function returns a `Result` with another kind of error. `Box<dyn std::error::Error>` takes any."
    } else {
        return None;
    })
}

/// Two types that differ, by what was expected and what was found.
fn on_mismatch(code: &str, labels: &str) -> Option<&'static str> {
    if code != "E0308" {
        return None;
    }
    let line =
        labels.lines().find(|line| line.contains("expected ") && line.contains(", found "))?;
    let (expected, found) = line.split_once(", found ")?;
    let expected = expected.rsplit_once("expected ")?.1.trim_matches('`');
    let found = found.trim_matches('`');
    let numbers = [
        "f32",
        "f64",
        "usize",
        "i32",
        "i64",
        "u8",
        "u32",
        "u64",
        "integer",
        "floating-point number",
    ];
    let is_number = |text: &str| numbers.contains(&text);
    Some(
        if expected.contains("TensorSet") && (found.contains("Split") || found.contains("Dataset"))
        {
            "A network takes tensors: `.to_tensors(device)` makes them of the images."
        } else if found.starts_with("Result<") {
            "This is a `Result`, a value or an error. Put `?` after the call that returns it."
        } else if found.starts_with("Option<") {
            "This is an `Option`, a value or none. `.unwrap()` takes out the value."
        } else if expected.strip_prefix('&').is_some_and(|lent| lent == found) {
            "The function only looks at the value: lend it with `&`."
        } else if is_number(expected) && is_number(found) {
            "The kinds of the numbers differ. Convert one, `x as f64`, or write it as the other kind: `2.0`."
        } else if expected.contains("String") && found.contains("str") {
            "`.to_string()` makes a `String` of a text."
        } else if expected.contains("fn") && found.contains("closure") {
            "The closure uses variables from outside, so it is no `fn`. Write a `fn` and pass the values."
        } else {
            return None;
        },
    )
}

fn on_ownership(code: &str) -> Option<&'static str> {
    Some(match code {
        "E0382" => {
            "The value was moved: it has a new owner, and its old name is empty. Borrow it with `&`, or \
             pass a copy with `.clone()`."
        }
        "E0384" | "E0596" => "A variable can only be changed if it is declared with `let mut`.",
        "E0499" | "E0502" | "E0506" => {
            "The value is borrowed while it is being changed. End the use of the reference first, or \
             work on a copy (`.clone()`)."
        }
        "E0505" => {
            "The value is moved while something still refers to it. Move a copy: `.clone()`."
        }
        "E0597" | "E0716" => {
            "A reference outlives the value it points to. Name the value with `let`, in the same or an \
             earlier cell, and keep the value itself, not the reference."
        }
        "E0373" => {
            "The closure may outlive the values it uses. Write `move` before its bars: `move |x| …`."
        }
        _ => return None,
    })
}

fn on_types_and_names(code: &str, message: &str) -> Option<&'static str> {
    Some(match code {
        "E0425" | "E0433" | "E0412" if message.contains("cannot find") => {
            "There is no such name here. Has the cell that defines it run without an error? A value \
             that was moved in an earlier cell is gone, too. Run the cells above again."
        }
        "E0277" if message.contains("doesn't implement") && message.contains("Debug") => {
            "`{:?}` needs a type that implements `Debug`. Put `#[derive(Debug)]` above its definition."
        }
        "E0277" if message.contains("is not an iterator") => {
            "`for` needs something to go through: `0..n`, `v.iter()`. The images of a set: \
             `for i in 0..set.len() { let image = set.image(i); … }`."
        }
        "E0599" | "E0609" | "E0610" if message.contains("Result<") => {
            "This is a `Result`, a value or an error. Put `?` after the call that returns it."
        }
        "E0282" | "E0283" => {
            "The type cannot be inferred from this line. Write it: `let x: Vec<f32> = …`, or \
             `.collect::<Vec<_>>()`."
        }
        "unused_must_use" if message.contains("Result") => {
            "The call may fail, and its result is not used. Put `?` after the call, or keep the \
             result with `let`."
        }
        "unused_must_use" => "The value is computed and not used. Keep it: `let x = …;`.",
        "E0061" => "The call has more or fewer arguments than the function takes.",
        "E0432" => "There is no item of that name to `use`.",
        _ => return None,
    })
}

/// Advice on an error of Evcxr's own, which has no code.
pub fn on_evcxr_error(message: &str) -> Option<&'static str> {
    if let Some(advice) = dependencies::advice(message) {
        Some(advice)
    } else if message.contains("Couldn't automatically determine type") || message.contains("impl ")
    {
        Some(
            "A notebook needs to know the type of every variable that later cells can use. Write it: \
             `let x: Vec<f32> = …`. Turn an iterator into a list with `.collect()`, and write a \
             closure as a `fn`.",
        )
    } else if message.contains("cannot be persisted") || message.contains("contains a reference") {
        Some(
            "A variable that later cells can use cannot be a reference. Keep the value itself \
             (`.clone()`, `.to_owned()`), or use the reference within one cell, inside braces.",
        )
    } else {
        None
    }
}

/// The message of a panic or an error that came from libtorch, without the C++ trace, with advice.
/// `None` if it did not come from libtorch.
pub fn torch_message(message: &str) -> Option<String> {
    let trace = ["Exception raised from", "frame #0"];
    let find = |mark: &&str| {
        [format!("\\n{mark}"), format!("\n{mark}")].iter().filter_map(|it| message.find(it)).min()
    };
    let end = trace.iter().filter_map(find).min()?;
    let text = &message[..end];
    let text = ["Torch(\"", "Internal torch error: "]
        .iter()
        .find_map(|mark| text.find(mark).map(|at| &text[at + mark.len()..]))
        .unwrap_or(text);
    let text = text.replace("\\n", "\n").replace("\\\"", "\"");
    let advice = if text.contains("DefaultCPUAllocator") || text.contains("can't allocate memory") {
        "\nThe computer's memory does not suffice. Use fewer images (`.take(10_000)`), smaller ones or \
         a smaller batch_size, and free what you no longer need (`drop(name)`)."
    } else if text.contains("out of memory") {
        "\nThe GPU's memory is full. Use a smaller batch_size or fewer images (`.take(10_000)`), free \
         what you no longer need (`drop(name)`), or restart the kernel."
    } else {
        ""
    };
    // The line of libtorch's source is not useful here.
    let text = match text.strip_prefix("[enforce fail at ").and_then(|text| text.split_once("] ")) {
        Some((_, text)) => text.trim_start_matches("err == 0. ").to_owned(),
        None => text,
    };
    Some(format!("libtorch says: {}{advice}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_fits_the_case() {
        let try_in = "the `?` operator can only be used";
        for (code, message, labels, word) in [
            ("E0382", "borrow of moved value: `a`", "", Some(".clone()")),
            ("E0277", "`Secret` doesn't implement `Debug`", "", Some("derive(Debug)")),
            ("E0277", "the trait bound `u8: Layer` is not satisfied", "", None),
            (
                "E0277",
                &format!("{try_in} on `Result`s, not `Option`s, in a closure"),
                "",
                Some("ok_or"),
            ),
            (
                "E0277",
                &format!("{try_in} on `Option`s, not `Result`s, in a function"),
                "",
                Some(".ok()?"),
            ),
            ("E0277", &format!("{try_in} in a closure that returns `Result`"), "", Some("closure")),
            (
                "E0277",
                &format!("{try_in} in a function that returns `Result`"),
                "",
                Some("-> tchalk::Result"),
            ),
            ("E0277", "`&Split` is not an iterator", "", Some("0..set.len()")),
            ("E0308", "mismatched types", "expected `&TensorSet`, found `TensorSet`", Some("`&`")),
            (
                "E0308",
                "mismatched types",
                "expected `&TensorSet`, found `&Split`",
                Some("to_tensors"),
            ),
            ("E0308", "mismatched types", "expected `f64`, found integer", Some("as f64")),
            (
                "E0308",
                "mismatched types",
                "expected `Model`, found `Result<Model, Error>`",
                Some("`?`"),
            ),
            ("E0308", "mismatched types", "expected `()`, found `Model`", None),
            ("E0061", "this function takes 1 argument", "", Some("arguments")),
        ] {
            let told = on_code(code, message, labels);
            assert_eq!(told.is_some(), word.is_some(), "{message} {labels}: {told:?}");
            assert!(word.is_none_or(|word| told.unwrap().contains(word)), "{message}: {told:?}");
        }
    }

    #[test]
    fn a_libtorch_error_is_one_sentence() {
        let panic = "called `Result::unwrap()` on an `Err` value: Torch(\"mat1 and mat2 shapes cannot \
                     be multiplied (2x3 and 4x5)\\nException raised from addmm_impl_cpu_ at ../a.cpp:324 \
                     (most recent call first):\\nframe #0: c10::Error\")";
        let expected = "libtorch says: mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)";
        assert_eq!(torch_message(panic).unwrap(), expected);
        let memory = "Torch(\"CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity \
                      of 79.1 GiB of which 1.1 GiB is free.\\nException raised from malloc at x.cpp";
        let told = torch_message(memory).unwrap();
        assert!(told.contains("1.1 GiB is free") && told.contains("smaller batch_size"), "{told}");
        let memory = "called `Result::unwrap()` on an `Err` value: Torch(\"[enforce fail at \
                      alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried \
                      to allocate 17592186044416 bytes. Error code 12 (Cannot allocate \
                      memory)\\nframe #0: c10::ThrowEnforceNotMet(char const*, int) + 0x6a\\n\")";
        let told = torch_message(memory).unwrap();
        let said =
            "libtorch says: DefaultCPUAllocator: can't allocate memory: you tried to allocate";
        assert!(told.starts_with(said) && told.contains("smaller batch_size"), "{told}");
        assert!(!told.contains("frame #") && !told.contains("GPU"), "{told}");
        assert_eq!(torch_message("index out of bounds"), None);
    }
}
