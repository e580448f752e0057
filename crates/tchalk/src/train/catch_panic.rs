//! Panics of callbacks and of libtorch become errors.

use crate::error::{Error, Result};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard};

/// Runs something that may panic, with gradients tracked. Restores the tracking of gradients afterwards:
/// a panic within [`tch::no_grad`] would leave it switched off in this thread.
pub(crate) fn catch_panic<T>(run: impl FnOnce() -> T) -> std::thread::Result<T> {
    let _as_before = tch::no_grad_guard();
    catch_unwind(AssertUnwindSafe(|| tch::with_grad(run)))
}

/// The first line of a panic's message.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
    text.lines().next().unwrap_or_default().to_owned()
}

/// Runs libtorch operations. What libtorch refuses, such as more memory, becomes an error.
pub(crate) fn catch_torch_error<T>(op: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_panic(run).unwrap_or_else(|panic| {
        let text = panic_message(&*panic);
        let start = text.find("Torch(\"").map_or(0, |at| at + 7);
        let mut message = text[start..].split("\\n").next().unwrap_or_default().to_owned();
        if message.contains("out of memory") || message.contains("can't allocate memory") {
            let remedy = match op {
                "Model::fit" | "Model::find_learning_rate" => "Try a smaller batch_size.",
                _ => "Other variables may hold memory: restart the kernel to free all of it.",
            };
            message = format!("{}. {remedy}", message.trim_end_matches('.'));
        }
        Err(Error::Torch { op: op.into(), message })
    })
}

/// Locks a mutex, also after a panic of another owner.
pub(crate) fn lock<T: ?Sized>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Tensor;

    #[test]
    fn gradients_are_tracked_after_a_panic_without_them() {
        let learns = || {
            let x = Tensor::from_slice(&[2f32]).set_requires_grad(true);
            (&x * &x).requires_grad()
        };
        assert!(catch_panic(|| tch::no_grad(|| panic!("as libtorch does"))).is_err() && learns());
        assert_eq!(tch::no_grad(|| (catch_panic(learns).unwrap(), learns())), (true, false));
    }

    #[test]
    fn the_message_of_a_panic_is_its_first_line() {
        let panic = catch_unwind(|| panic!("one\n{}", "two")).unwrap_err();
        assert_eq!(panic_message(&*panic), "one");
    }

    #[test]
    fn a_gpu_without_memory_is_an_error_with_a_hint() {
        // As tch gives it: the error of libtorch inside that of an unwrap.
        let panic = "called `Result::unwrap()` on an `Err` value: Torch(\"CUDA out of memory. Tried \
                    to allocate 2.00 GiB. GPU 0 has a total capacity of 7.79 GiB.\\nException \
                    raised from malloc at …\")";
        let message =
            |op: &str| catch_torch_error::<()>(op, || panic!("{panic}")).unwrap_err().to_string();
        assert_eq!(
            message("Model::fit"),
            "Model::fit: libtorch says: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a \
             total capacity of 7.79 GiB. Try a smaller batch_size."
        );
        assert!(message("Model::evaluate").contains("restart the kernel"));
    }
}
