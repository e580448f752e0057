//! How weights are filled before training.

use tch::{Device, Kind, Tensor};

/// How a weight is filled before training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initializer {
    /// Uniform in ±√(6 / (inputs + outputs)): keeps the size of signals and gradients alike from
    /// layer to layer (Glorot and Bengio 2010). Keras's default for kernels.
    GlorotUniform,
    /// All zero: Keras's default for biases.
    Zeros,
}

impl Initializer {
    /// A tensor of this shape, in `f32` on the CPU, drawn from libtorch's generator.
    ///
    /// For kernels the shape is libtorch's: `[outputs, inputs]` or `[outputs, inputs, height, width]`.
    pub(crate) fn fill(self, shape: &[usize]) -> Tensor {
        let sizes: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
        let zeros = Tensor::zeros(&sizes, (Kind::Float, Device::Cpu));
        match self {
            Initializer::Zeros => zeros,
            Initializer::GlorotUniform => {
                let (inputs, outputs) = fans(shape);
                let limit = (6.0 / (inputs + outputs) as f64).sqrt();
                let mut filled = zeros;
                filled.uniform_(-limit, limit)
            }
        }
    }
}

/// How many numbers feed one output, and how many outputs one input feeds.
fn fans(shape: &[usize]) -> (usize, usize) {
    let field: usize = shape[2..].iter().product();
    (shape[1] * field, shape[0] * field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glorot_s_limit_depends_on_both_sides() {
        tch::manual_seed(1);
        let weight = Initializer::GlorotUniform.fill(&[64, 32, 3, 3]);
        let limit = (6.0f64 / (32.0 * 9.0 + 64.0 * 9.0)).sqrt();
        let largest = f64::try_from(weight.abs().max()).unwrap();
        assert!(largest <= limit && largest > 0.99 * limit, "{largest} of {limit}");
        let variance = f64::try_from(weight.var(false)).unwrap();
        assert!((variance - limit * limit / 3.0).abs() < 0.05 * variance);
    }
}
