//! Direct access to the values of CPU tensors, for loops that libtorch has no fast operation for.

use tch::{Device, Kind, Tensor};

/// The values of a contiguous `f32` tensor on the CPU.
pub(super) fn pixels(x: &Tensor) -> &[f32] {
    check(x);
    // SAFETY: the tensor is contiguous f32 in the processor's memory, which lives as long as it
    // does; nobody writes to it in between, since the caller holds it.
    unsafe { std::slice::from_raw_parts(x.data_ptr() as *const f32, x.numel()) }
}

/// Calls `change` for the number and the pixels (`one` of them) of each image, on several threads.
/// The tensor must be the caller's own: newly made, and known to nobody else.
pub(super) fn for_each_image(
    x: &Tensor,
    image_len: usize,
    change: impl Fn(usize, &mut [f32]) + Sync,
) {
    /// Values for which another thread is worth its cost.
    const ENOUGH: usize = 1_000_000;
    check(x);
    // SAFETY: as above; and the caller alone knows the tensor, so nobody reads it in between.
    let all = unsafe { std::slice::from_raw_parts_mut(x.data_ptr() as *mut f32, x.numel()) };
    if all.is_empty() {
        return;
    }
    let threads = (tch::get_num_threads().max(1) as usize).min(all.len().div_ceil(ENOUGH));
    let each = (all.len() / image_len).div_ceil(threads);
    let change = &change;
    let work = move |part: usize, images: &mut [f32]| {
        for (n, image) in images.chunks_exact_mut(image_len).enumerate() {
            change(part * each + n, image);
        }
    };
    let mut parts = all.chunks_mut(each * image_len).enumerate();
    let (_, first) = parts.next().expect("not empty");
    std::thread::scope(|scope| {
        parts.for_each(|(part, images)| {
            scope.spawn(move || work(part, images));
        });
        work(0, first);
    });
}

fn check(x: &Tensor) {
    let fits = x.device() == Device::Cpu && x.kind() == Kind::Float && x.is_contiguous();
    assert!(fits, "pixels of {x:?}");
}
