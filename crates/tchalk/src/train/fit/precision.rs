//! The precision of the computation.

/// The precision with which a network computes during training.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits for every number.
    #[default]
    Full,
    /// Convolutions and dense layers compute in `bfloat16`, with half the bits and half the memory.
    /// Weights, sums, normalizations and the loss keep 32 bits. This is several times as fast on GPUs
    /// with hardware for it, and slower on most CPUs, so only GPUs do it.
    Mixed,
}
