//! Helpers of unit tests. Tests run in parallel and share libtorch's generator, so a test whose outcome
//! depends on random numbers generates its own.

use crate::model::Model;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tch::Tensor;

/// Uniform numbers from 0 to below 1, always the same for a seed.
pub(crate) fn random_tensor(size: &[i64], seed: u64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let count = size.iter().product::<i64>();
    let drawn: Vec<f32> = (0..count).map(|_| crate::runtime::seed::unit(&mut rng)).collect();
    Tensor::from_slice(&drawn).view(size)
}

/// Sets the weights of a network to Glorot uniform values that depend only on their shapes. Biases stay.
pub(crate) fn set_random_weights(model: &Model) {
    for (i, name) in model.weight_names().iter().enumerate() {
        let size = model.weight(name).unwrap().size();
        if let [outputs, inputs, ref window @ ..] = size[..] {
            let field: i64 = window.iter().product();
            let limit = (6.0 / ((inputs + outputs) * field) as f64).sqrt();
            let value = (random_tensor(&size, i as u64) - 0.5) * 2.0 * limit;
            model.set_weight(name, &value).unwrap();
        }
    }
}
