#![allow(missing_docs)]
use tchalk::prelude::*;
fn main() -> tchalk::Result<()> {
    let shapes = datasets::shapes()?;
    let (train, test) = (shapes.train.to_tensors(Device::Cpu), shapes.test.to_tensors(Device::Cpu));
    let linear = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10)).add(Softmax).build(Device::Cpu)?;
    linear.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy)?;
    let t = std::time::Instant::now();
    linear.fit(&train, Fit::new().epochs(20).batch_size(128).validation(&test))?;
    println!("linear {:?} {:?}", linear.evaluate(&test)?, t.elapsed());
    let small = Sequential::new().input_shape([3, 32, 32])
        .add(Conv2d::new(16, 3)).add(Relu).add(MaxPool2d::new(2))
        .add(Conv2d::new(32, 3)).add(Relu).add(MaxPool2d::new(2))
        .add(Conv2d::new(64, 3)).add(Relu)
        .add(Flatten).add(Dense::new(10)).add(Softmax).build(Device::Cpu)?;
    small.compile(RmsProp::new(1e-3), Loss::CategoricalCrossEntropy)?;
    let t = std::time::Instant::now();
    small.fit(&train, Fit::new().epochs(12).batch_size(64).validation(&test))?;
    println!("small cnn {:?} {:?}", small.evaluate(&test)?, t.elapsed());
    Ok(())
}
