//! Times the images that excite kernels most, for `benches/explain.py`: `bench_explain THREADS LAYER
//! KERNELS`, where LAYER is a path in VGG16, which has random weights here and looks at 32 × 32 pixels.
//!
//! Prints what it found as JSON.

use std::time::Instant;
use tchalk::explain::ActivationMaximization;
use tchalk::prelude::*;
use tchalk::tch;

fn main() -> tchalk::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, threads, layer, kernels] = &arguments[..] else {
        panic!("bench_explain THREADS LAYER KERNELS");
    };
    tch::set_num_threads(threads.parse().expect("a number of threads"));
    let count: usize = kernels.parse().expect("a number of kernels");
    let device = Device::cuda_if_available();
    let base = applications::vgg16().weights(Weights::Random).without_top();
    let base = base.input_shape([3, 32, 32]).build(device)?;
    let all: Vec<usize> = (0..count).collect();
    // Once before, so that everything is loaded and laid out.
    ActivationMaximization::new(layer).steps(3).kernels(&all).run(&base)?;
    let begun = Instant::now();
    let found = ActivationMaximization::new(layer).kernels(&all).run(&base)?;
    let seconds = begun.elapsed().as_secs_f64();
    let (improved, dead) = (found.improved(), found.dead());
    println!(
        "{{\"seconds\": {seconds}, \"improved\": {improved}, \"dead\": {dead}, \"device\": \
         \"{device:?}\"}}"
    );
    Ok(())
}
