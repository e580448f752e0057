//! How long the augmentation of an epoch takes: 50,000 images of 3 × 32 × 32 in batches, flipped,
//! cropped and with a hole; beside it `tch`'s own, which goes image by image.
//!
//! Prints seconds as JSON. On a GPU where there is one.

use std::time::Instant;
use tchalk::prelude::*;
use tchalk::tch::vision::dataset;

const IMAGES: i64 = 50_000;
const ROUNDS: usize = 3;

fn main() -> tchalk::Result<()> {
    let device = Device::cuda_if_available();
    let x = Tensor::rand([IMAGES, 3, 32, 32], (Kind::Float, device));
    let wait = || {
        if let Device::Cuda(number) = device {
            tchalk::tch::Cuda::synchronize(number as i64);
        }
    };
    let best = |work: &dyn Fn()| {
        let round = |_| {
            wait();
            let begun = Instant::now();
            work();
            wait();
            begun.elapsed().as_secs_f64()
        };
        (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
    };
    let augmentation = Augmentation::new().random_flip().random_crop(4).random_erasing(8);
    augmentation.check(32, 32)?;
    let batched = |size: i64| {
        best(&|| {
            for (step, batch) in x.split(size, 0).iter().enumerate() {
                let _ = augmentation.apply(batch, step as u64).expect("checked");
            }
        })
    };
    let (batches, large) = (batched(128), batched(1000));
    let places = Augmentation::new().random_rotation(10.0).random_shift(0.1).random_zoom(0.1);
    let affine = best(&|| {
        for (step, batch) in x.split(128, 0).iter().enumerate() {
            let _ = places.apply(batch, step as u64).expect("checked");
        }
    });
    // On a GPU its three kernels an image take minutes: a part is enough.
    let part = if device.is_cuda() { 2_000 } else { IMAGES };
    let one_by_one = best(&|| {
        for batch in x.narrow(0, 0, part).split(128, 0) {
            let _ = dataset::augmentation(&batch, true, 4, 8);
        }
    }) * (IMAGES / part) as f64;
    println!(
        "{{\"device\": \"{device:?}\", \"batches_of_128\": {batches}, \"batches_of_1000\": {large}, \
         \"affine\": {affine}, \"tch\": {one_by_one}}}"
    );
    Ok(())
}
