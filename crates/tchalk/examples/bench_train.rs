//! Times training for `benches/train.py`, and prints what it found as JSON.
//!
//!     bench_train cnn THREADS STEPS          a step of the tutorial's CNN on batches of 128
//!     bench_train frozen THREADS EPOCHS WAY  a head on a frozen VGG16, 1,000 images; WAY: once, every

use std::sync::{Arc, Mutex};
use std::time::Instant;
use tchalk::prelude::*;
use tchalk::tch;
use tchalk::train::{Callback, CallbackResult, Run};

const BATCH: usize = 128;

/// When each step was done.
#[derive(Debug, Default)]
struct Clock(Vec<Instant>);

impl Callback for Clock {
    fn on_batch_end(&mut self, _run: &mut Run) -> CallbackResult {
        self.0.push(Instant::now());
        Ok(())
    }
}

fn images(count: usize) -> tchalk::Result<TensorSet> {
    let x = Tensor::rand([count as i64, 3, 32, 32], (Kind::Float, Device::Cpu));
    let y = Tensor::randint(10, [count as i64], (Kind::Int64, Device::Cpu));
    TensorSet::new(&x, &y, &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"])
}

fn cnn() -> tchalk::Result<Model> {
    let mut layers = Sequential::new().input_shape([3, 32, 32]);
    for filters in [32, 64] {
        layers = layers.add(Conv2d::new(filters, 3).padding(Padding::Same)).add(Relu);
        layers = layers.add(Conv2d::new(filters, 3)).add(Relu);
        layers = layers.add(MaxPool2d::new(2)).add(Dropout::new(0.25));
    }
    let layers = layers.add(Flatten).add(Dense::new(512)).add(Relu).add(Dropout::new(0.5));
    layers.add(Dense::new(10)).add(Softmax).build(Device::Cpu)
}

fn on_frozen_vgg16() -> tchalk::Result<Model> {
    let mut layers = Sequential::new().input_shape([3, 32, 32]).name("vgg16");
    for (filters, count) in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)] {
        for _ in 0..count {
            layers = layers.add(Conv2d::new(filters, 3).padding(Padding::Same)).add(Relu);
        }
        layers = layers.add(MaxPool2d::new(2));
    }
    let base = layers.build(Device::Cpu)?;
    base.freeze();
    let head = Sequential::new().add(&base).add(Flatten).add(Dense::new(512)).add(Relu);
    head.add(Dropout::new(0.5)).add(Dense::new(10)).add(Softmax).build(Device::Cpu)
}

/// The most memory that this process has had, in MB.
fn peak() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = |at: usize| arguments.get(at).map(String::as_str).unwrap_or_default();
    tch::set_num_threads(text(1).parse()?);
    let count: usize = text(2).parse()?;
    let optimizer = RmsProp::new(1e-3).decay(1e-6);
    let seconds = match text(0) {
        "cnn" => {
            let model = cnn()?;
            model.compile(optimizer, Loss::CategoricalCrossEntropy)?;
            let clock = Arc::new(Mutex::new(Clock::default()));
            let how = Fit::new().batch_size(BATCH).callback(clock.clone());
            model.fit(&images(BATCH * (count + 3))?, how)?;
            // The first steps fill caches.
            let times = clock.lock().unwrap().0.split_off(2);
            let mut steps: Vec<f64> =
                times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
            steps.sort_by(f64::total_cmp);
            steps[steps.len() / 2]
        }
        "frozen" => {
            let (model, train) = (on_frozen_vgg16()?, images(1_000)?);
            model.compile(optimizer, Loss::CategoricalCrossEntropy)?;
            let how = Fit::new().epochs(count).batch_size(BATCH);
            let how = if text(3) == "every" { how.feature_cache_bytes(0) } else { how };
            let begun = Instant::now();
            model.fit(&train, how)?;
            begun.elapsed().as_secs_f64()
        }
        other => return Err(format!("cnn or frozen, not {other:?}").into()),
    };
    let peak = peak().unwrap_or(f64::NAN);
    println!("{{\"seconds\": {seconds}, \"peak_mb\": {peak}}}");
    Ok(())
}
