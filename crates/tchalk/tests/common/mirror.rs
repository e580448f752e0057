//! An augmentation that draws nothing, so that its work can be done by hand.

use tchalk::prelude::*;
use tchalk::train::Augment;

/// Turns every image round.
#[derive(Debug)]
pub struct Mirror;

impl Augment for Mirror {
    fn apply(&self, x: &Tensor, _seed: u64) -> tchalk::Result<Tensor> {
        Ok(x.flip([3]))
    }
}
