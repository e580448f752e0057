//! Fused optimizer updates on the CPU: one pass over memory instead of six.
//!
//! `tch` has no fused optimizers, and every tensor operation reads and writes whole tensors. On a CPU
//! the arithmetic of an update costs nothing compared with that traffic. Where weight, gradient and
//! slots have the same memory layout in `f32`, one loop reads each number once. Elsewhere (on a GPU, in
//! another kind) [`update`] returns `false`, and the caller uses tensor operations. Results do not
//! depend on the number of threads.

use tch::{Device, Kind, Tensor};

/// The numbers that are worth a thread of their own.
const NUMBERS_PER_THREAD: usize = 1 << 19;

/// Applies `rule` to the numbers of `weight`, `gradient` and `slots` at each position. The rule returns
/// the new numbers of weight and slots. Returns `false`, and changes nothing, where the tensors do not
/// have the same layout in the memory of the CPU as `f32`.
pub(crate) fn update<const N: usize>(
    weight: &Tensor,
    gradient: &Tensor,
    slots: &[Tensor; N],
    rule: impl Fn(f32, f32, [f32; N]) -> (f32, [f32; N]) + Sync,
) -> bool {
    let strides = weight.stride();
    let plain = |tensor: &Tensor| {
        tensor.device() == Device::Cpu
            && tensor.kind() == Kind::Float
            && tensor.numel() == weight.numel()
    };
    let alike = |tensor: &Tensor| plain(tensor) && tensor.stride() == strides;
    if !alike(weight) || !slots.iter().all(alike) || !is_dense(&weight.size(), &strides) {
        return false;
    }
    // Gradients of convolutions come in another order; a copy costs less than several passes.
    let gradient = &match () {
        _ if alike(gradient) => gradient.shallow_clone(),
        _ if plain(gradient) && weight.is_contiguous() => gradient.contiguous(),
        _ => return false,
    };
    let count = weight.numel();
    let pointers = Pointers {
        weight: weight.data_ptr().cast(),
        gradient: gradient.data_ptr().cast_const().cast(),
        slots: std::array::from_fn(|i| slots[i].data_ptr().cast()),
    };
    let threads = (count / NUMBERS_PER_THREAD).clamp(1, tch::get_num_threads().max(1) as usize);
    let share = count.div_ceil(threads);
    // SAFETY: each tensor holds `count` numbers of type f32 without gaps (checked above), and lives
    // as long as this call; threads get ranges that do not overlap.
    unsafe {
        if threads == 1 {
            pointers.run(0, count, &rule);
            return true;
        }
        std::thread::scope(|scope| {
            for start in (0..count).step_by(share) {
                let (pointers, rule) = (&pointers, &rule);
                scope.spawn(move || pointers.run(start, share.min(count - start), rule));
            }
        });
    }
    true
}

/// Whether the strides visit each number once, in some order.
fn is_dense(size: &[i64], strides: &[i64]) -> bool {
    let mut axes: Vec<(i64, i64)> =
        strides.iter().copied().zip(size.iter().copied()).filter(|&(_, size)| size != 1).collect();
    axes.sort_unstable();
    let mut expected = 1;
    axes.iter().all(|&(stride, size)| {
        let fits = stride == expected;
        expected *= size;
        fits
    })
}

/// The first numbers of the tensors.
struct Pointers<const N: usize> {
    weight: *mut f32,
    gradient: *const f32,
    slots: [*mut f32; N],
}

// SAFETY: threads use ranges that do not overlap; see `update`.
unsafe impl<const N: usize> Sync for Pointers<N> {}

impl<const N: usize> Pointers<N> {
    /// # Safety
    ///
    /// All pointers must be valid for `start + count` numbers, and nothing else may access the numbers
    /// of this range during the call.
    unsafe fn run<F>(&self, start: usize, count: usize, rule: &F)
    where
        F: Fn(f32, f32, [f32; N]) -> (f32, [f32; N]),
    {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has it; the rest as above.
            return unsafe { self.run_wide(start, count, rule) };
        }
        // SAFETY: as above.
        unsafe { self.each(start, count, rule) }
    }

    /// The same loop with eight numbers at a time. It does not use fused multiply-add, so results are
    /// the same on every machine.
    ///
    /// # Safety
    ///
    /// As for `run`, on a processor with AVX2.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    unsafe fn run_wide<F>(&self, start: usize, count: usize, rule: &F)
    where
        F: Fn(f32, f32, [f32; N]) -> (f32, [f32; N]),
    {
        // SAFETY: as for `run`.
        unsafe { self.each(start, count, rule) }
    }

    /// # Safety
    ///
    /// As for `run`.
    #[inline(always)]
    unsafe fn each<F>(&self, start: usize, count: usize, rule: &F)
    where
        F: Fn(f32, f32, [f32; N]) -> (f32, [f32; N]),
    {
        // SAFETY: as for `run`.
        unsafe {
            let (weight, gradient) = (self.weight.add(start), self.gradient.add(start));
            let slots = self.slots.map(|slot| slot.add(start));
            for i in 0..count {
                let before = slots.map(|slot| *slot.add(i));
                let (changed, kept) = rule(*weight.add(i), *gradient.add(i), before);
                *weight.add(i) = changed;
                for (slot, value) in slots.iter().zip(kept) {
                    *slot.add(i) = value;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_changed_once() {
        let options = (Kind::Float, Device::Cpu);
        for size in [vec![], vec![7], vec![3, 5, 2, 2], vec![2 * NUMBERS_PER_THREAD as i64 + 3]] {
            let (weight, memory) = (Tensor::ones(&size, options), Tensor::zeros(&size, options));
            let gradient = Tensor::rand(&size, options);
            let done = update(&weight, &gradient, &[memory.shallow_clone()], |w, g, [m]| {
                (w + 2.0 * g, [m + g])
            });
            assert!(done);
            assert_eq!(memory, gradient);
            assert!((weight - 1.0).allclose(&(gradient * 2.0), 1e-6, 1e-6, false));
        }
        let (weight, gradient) =
            (Tensor::zeros([2, 3, 4, 4], options), Tensor::rand([2, 3, 4, 4], options));
        let last = |x: &Tensor| x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
        let (weight, gradient) = (last(&weight), last(&gradient));
        assert!(update(&weight, &gradient, &[], |w, g, []| (w + g, [])), "channels last");
        assert_eq!(weight, gradient);
    }

    #[test]
    fn gradients_with_another_layout_are_copied() {
        let options = (Kind::Float, Device::Cpu);
        for gradient in [
            Tensor::rand([4, 8], options).narrow(1, 0, 4),
            Tensor::rand([4, 4], options).transpose(0, 1),
            Tensor::rand([1], options).expand([4, 4], false),
        ] {
            let weight = Tensor::zeros([4, 4], options);
            assert!(update(&weight, &gradient, &[], |w, g, []| (w + g, [])));
            assert_eq!(weight, gradient);
        }
    }

    #[test]
    fn tensors_with_another_layout_are_not_changed() {
        let weight = Tensor::zeros([4, 4], (Kind::Float, Device::Cpu));
        let double = Tensor::ones([4, 4], (Kind::Double, Device::Cpu));
        assert!(!update(&weight, &double, &[], |w, g, []| (w + g, [])));
        let (turned, ones) = (weight.transpose(0, 1), weight.ones_like());
        assert!(!update(&turned, &ones, &[], |w, g, []| (w + g, [])));
        assert_eq!(weight.sum(Kind::Float).double_value(&[]), 0.0);
    }
}
