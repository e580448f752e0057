//! How exactly a network computes.

/// How exactly a network computes while it learns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits for every number.
    #[default]
    Full,
    /// Convolutions and dense layers compute in `bfloat16`, with half the bits and half the memory;
    /// weights, sums, normalizations and the loss keep 32. Several times as fast on a GPU that has
    /// the hardware, and slower on most processors, so that only a GPU does it.
    Mixed,
}
