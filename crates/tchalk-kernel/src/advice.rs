//! Plain sentences above the compiler's own words, for the mistakes that notebook readers make.

/// What to say about an error of the compiler, if it is a usual one.
pub fn about(code: Option<&str>, message: &str) -> Option<&'static str> {
    let by_code = match code? {
        "E0382" => {
            "The value was moved: it has a new owner, and its old name is empty. Lend it with `&`, or \
             give away a copy with `.clone()`."
        }
        "E0499" | "E0502" | "E0506" => {
            "The value is lent out while it is being changed. End the use of the reference first, or \
             work on a copy (`.clone()`)."
        }
        "E0505" => {
            "The value is moved while something still refers to it. Move a copy: `.clone()`."
        }
        "E0597" | "E0716" => {
            "A reference outlives the value it points to. Give the value a name with `let`, in the same \
             or an earlier cell, and keep the value itself, not the reference."
        }
        "E0373" => {
            "The closure may outlive what it uses. Write `move` before its bars: `move |x| …`."
        }
        "E0425" | "E0433" | "E0412" if message.contains("cannot find") => {
            "There is no such name here. Was the cell that makes it run, and did it succeed? A value \
             that was moved in an earlier cell is gone, too. Run the cells above again."
        }
        "E0277" if message.contains("doesn't implement") && message.contains("Debug") => {
            "The last line of a cell is shown with `{:?}`, and this type has no such form. End the line \
             with a semicolon, or put `#[derive(Debug)]` above the type."
        }
        "E0277" if message.contains("`?` operator") => {
            "`?` works on a `Result` or an `Option`; this is neither. Leave it out."
        }
        "E0599" | "E0609" | "E0610" if message.contains("Result<") => {
            "This is a `Result`, a value or an error. Put `?` behind the call that made it."
        }
        "E0308" => {
            "The types differ. If one of them is a `Result`, put `?` behind its call; if a number, \
             convert it: `x as f64`."
        }
        "E0282" | "E0283" => {
            "The type cannot be guessed from this line. Write it down: `let x: Vec<f32> = …`, or \
             `.collect::<Vec<_>>()`."
        }
        "unused_must_use" if message.contains("Result") => {
            "The call may fail, and its result is thrown away. Put `?` behind the call, or keep the \
             result with `let`."
        }
        "E0384" | "E0596" => "A variable can only be changed if it was made with `let mut`.",
        "E0061" => "The call has more or fewer arguments than the function takes.",
        "E0432" => "There is nothing of that name to `use`.",
        _ => return None,
    };
    Some(by_code)
}

/// What to say about a refusal of Evcxr's own, which has no code.
pub fn about_refusal(message: &str) -> Option<&'static str> {
    if message.contains("Couldn't automatically determine type") || message.contains("impl ") {
        Some(
            "A notebook has to know the type of every variable that lives on. Write it down, \
             `let x: Vec<f32> = …`; an iterator becomes a list with `.collect()`; a closure is best \
             written as a `fn`.",
        )
    } else if message.contains("cannot be persisted") || message.contains("contains a reference") {
        Some(
            "A variable that lives on from cell to cell cannot be a reference. Keep the value itself \
             (`.clone()`, `.to_owned()`), or use the reference within one cell, between braces.",
        )
    } else {
        None
    }
}

/// What to say about a panic or an error that came from libtorch: one sentence, the C++ trace left
/// out. `None` if it did not come from there.
pub fn about_torch(message: &str) -> Option<String> {
    let trace = ["Exception raised from", "frame #0"];
    let begins = |mark: &&str| {
        [format!("\\n{mark}"), format!("\n{mark}")].iter().filter_map(|it| message.find(it)).min()
    };
    let end = trace.iter().filter_map(begins).min()?;
    let said = &message[..end];
    let said = ["Torch(\"", "Internal torch error: "]
        .iter()
        .find_map(|mark| said.find(mark).map(|at| &said[at + mark.len()..]))
        .unwrap_or(said);
    let said = said.replace("\\n", "\n").replace("\\\"", "\"");
    let advice = if said.contains("DefaultCPUAllocator") || said.contains("can't allocate memory") {
        "\nThe computer's memory does not suffice. Use fewer images (`.take(10_000)`), smaller ones or \
         a smaller batch_size, and let go of what you no longer need (`drop(name)`)."
    } else if said.contains("out of memory") {
        "\nThe GPU's memory is full. Use a smaller batch_size or fewer images (`.take(10_000)`), let go \
         of what you no longer need (`drop(name)`), or restart the kernel."
    } else {
        ""
    };
    // Which line of libtorch it was helps nobody here.
    let said = match said.strip_prefix("[enforce fail at ").and_then(|said| said.split_once("] ")) {
        Some((_, said)) => said.trim_start_matches("err == 0. ").to_owned(),
        None => said,
    };
    Some(format!("libtorch says: {}{advice}", said.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_mistakes_have_advice_and_others_none() {
        assert!(about(Some("E0382"), "borrow of moved value: `a`").unwrap().contains(".clone()"));
        let shown = about(Some("E0277"), "`Secret` doesn't implement `Debug`").unwrap();
        assert!(shown.contains("derive(Debug)"));
        assert_eq!(about(Some("E0277"), "the trait bound `u8: Layer` is not satisfied"), None);
        assert_eq!(about(None, "expected one of"), None);
    }

    #[test]
    fn libtorch_is_told_in_a_sentence() {
        let panic = "called `Result::unwrap()` on an `Err` value: Torch(\"mat1 and mat2 shapes cannot \
                     be multiplied (2x3 and 4x5)\\nException raised from addmm_impl_cpu_ at ../a.cpp:324 \
                     (most recent call first):\\nframe #0: c10::Error\")";
        let expected = "libtorch says: mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)";
        assert_eq!(about_torch(panic).unwrap(), expected);
        let memory = "Torch(\"CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity \
                      of 79.1 GiB of which 1.1 GiB is free.\\nException raised from malloc at x.cpp";
        let told = about_torch(memory).unwrap();
        assert!(told.contains("1.1 GiB is free") && told.contains("smaller batch_size"), "{told}");
        let memory = "called `Result::unwrap()` on an `Err` value: Torch(\"[enforce fail at \
                      alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried \
                      to allocate 17592186044416 bytes. Error code 12 (Cannot allocate \
                      memory)\\nframe #0: c10::ThrowEnforceNotMet(char const*, int) + 0x6a\\n\")";
        let told = about_torch(memory).unwrap();
        let said =
            "libtorch says: DefaultCPUAllocator: can't allocate memory: you tried to allocate";
        assert!(told.starts_with(said) && told.contains("smaller batch_size"), "{told}");
        assert!(!told.contains("frame #") && !told.contains("GPU"), "{told}");
        assert_eq!(about_torch("index out of bounds"), None);
    }
}
