//! Advice above the compiler's message, for the mistakes that readers of notebooks make.

/// Advice on a common compile error.
pub fn on_compile_error(code: Option<&str>, message: &str) -> Option<&'static str> {
    let code = code?;
    on_ownership(code).or_else(|| on_types_and_names(code, message))
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
        "E0277" if message.contains("`?` operator") => {
            "`?` works on a `Result` or an `Option`; this is neither. Remove it."
        }
        "E0599" | "E0609" | "E0610" if message.contains("Result<") => {
            "This is a `Result`, a value or an error. Put `?` after the call that returns it."
        }
        "E0308" => {
            "The types differ. If one of them is a `Result`, put `?` after its call; if a number, \
             convert it: `x as f64`."
        }
        "E0282" | "E0283" => {
            "The type cannot be inferred from this line. Write it: `let x: Vec<f32> = …`, or \
             `.collect::<Vec<_>>()`."
        }
        "unused_must_use" if message.contains("Result") => {
            "The call may fail, and its result is not used. Put `?` after the call, or keep the \
             result with `let`."
        }
        "E0061" => "The call has more or fewer arguments than the function takes.",
        "E0432" => "There is no item of that name to `use`.",
        _ => return None,
    })
}

/// Advice on an error of Evcxr's own, which has no code.
pub fn on_evcxr_error(message: &str) -> Option<&'static str> {
    if message.contains("Couldn't automatically determine type") || message.contains("impl ") {
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
    fn common_mistakes_have_advice() {
        assert!(
            on_compile_error(Some("E0382"), "borrow of moved value: `a`")
                .unwrap()
                .contains(".clone()")
        );
        let shown = on_compile_error(Some("E0277"), "`Secret` doesn't implement `Debug`").unwrap();
        assert!(shown.contains("derive(Debug)"));
        assert_eq!(
            on_compile_error(Some("E0277"), "the trait bound `u8: Layer` is not satisfied"),
            None
        );
        assert_eq!(on_compile_error(None, "expected one of"), None);
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
