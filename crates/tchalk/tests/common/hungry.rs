//! A layer that libtorch has to refuse now and then.

use tchalk::layers::{Layer, Mode, Shape};
use tchalk::prelude::*;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Passes everything on, and asks for more memory than there is when it is called in training for
/// the time that it was made for, counted from 1.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Hungry {
    at: usize,
    #[serde(skip)]
    calls: Arc<AtomicUsize>,
}

impl Hungry {
    pub fn at(call: usize) -> Hungry {
        Hungry { at: call, calls: Arc::default() }
    }
}

impl Layer for Hungry {
    fn kind(&self) -> &'static str {
        "hungry"
    }
    fn repr(&self) -> String {
        "Hungry".into()
    }
    fn output_shape(&self, input: &Shape, _from: &str) -> tchalk::Result<Shape> {
        Ok(input.clone())
    }
    fn forward(&self, x: &Tensor, _weights: &[Tensor], mode: Mode) -> Tensor {
        if mode == Mode::Training && self.calls.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            let _ = Tensor::zeros([1 << 50], (Kind::Float, x.device()));
        }
        x.shallow_clone()
    }
}
