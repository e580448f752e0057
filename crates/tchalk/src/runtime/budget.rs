//! How long a class may wait.
//!
//! The notebooks are written once, at full size. `TCHALK_BUDGET` caps epochs and examples, here and
//! nowhere else, and whatever is capped says so.

use std::time::Duration;
use tch::Device;

/// How much work a cell may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// Everything as written.
    Full,
    /// A training cell takes about two minutes on what the machine has.
    Class,
    /// Seconds: to see that everything runs.
    Ci,
}

/// What a budget leaves of a training run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) epochs: usize,
    pub(crate) examples: usize,
}

impl Budget {
    /// What `TCHALK_BUDGET` says: `full` (also when it is not set), `class` or `ci`.
    ///
    /// # Panics
    ///
    /// If it says anything else: a misspelt budget would be an hour of waiting.
    pub fn current() -> Budget {
        match std::env::var("TCHALK_BUDGET").unwrap_or_default().as_str() {
            "" | "full" => Budget::Full,
            "class" => Budget::Class,
            "ci" => Budget::Ci,
            other => panic!("TCHALK_BUDGET: expected full, class or ci, got {other:?}"),
        }
    }

    /// What is left of `epochs` over `examples` on `device`.
    pub(crate) fn training(self, epochs: usize, examples: usize, device: Device) -> Allowance {
        let (most_epochs, most_examples) = match self {
            Budget::Full => (usize::MAX, usize::MAX),
            Budget::Class if device.is_cuda() => (usize::MAX, usize::MAX),
            Budget::Class => (5, 20_000),
            Budget::Ci => (2, 1_000),
        };
        Allowance { epochs: epochs.min(most_epochs), examples: examples.min(most_examples) }
    }

    /// How many of `examples` to evaluate on `device`. Looking is quicker than learning, and whoever
    /// enters a competition has to answer for all of its 28,000 pictures.
    pub(crate) fn evaluation(self, examples: usize, device: Device) -> usize {
        match self {
            Budget::Class if !device.is_cuda() => examples.min(30_000),
            _ => self.training(1, examples, device).examples,
        }
    }

    /// How many of `examples` a large network learns from on `device`, if one example costs so many
    /// multiply-adds: the frozen base of a transfer model goes over all of them before anything is
    /// learned, and no clock breaks that off.
    pub(crate) fn affordable(self, examples: usize, multiply_adds: usize, device: Device) -> usize {
        /// A VGG16 at 32 × 32 pixels gets 4,700 examples, which takes two cores three quarters of a
        /// minute; networks up to half its size are not held back.
        const MOST: usize = 1_500_000_000_000;
        match self {
            Budget::Class if !device.is_cuda() => {
                let affordable = MOST / multiply_adds.max(1) / 100 * 100;
                examples.min(affordable.max(500))
            }
            _ => examples,
        }
    }

    /// How long training may take on `device`, where that is limited. What a budget leaves of epochs
    /// and examples suits small networks; a large one would still take an hour.
    pub(crate) fn time(self, device: Device) -> Option<Duration> {
        match self {
            Budget::Class if !device.is_cuda() => Some(Duration::from_secs(150)),
            _ => None,
        }
    }

    /// How many of `iterations` an embedding takes.
    pub(crate) fn embedding(self, iterations: usize) -> usize {
        if self == Budget::Ci { iterations.min(300) } else { iterations }
    }

    /// The name, as `TCHALK_BUDGET` has it.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_caps_and_never_adds() {
        let allowance = Budget::Class.training(25, 50_000, Device::Cpu);
        assert_eq!(allowance, Allowance { epochs: 5, examples: 20_000 });
        assert_eq!(
            Budget::Class.training(1, 500, Device::Cpu),
            Allowance { epochs: 1, examples: 500 }
        );
        assert_eq!(Budget::Class.evaluation(28_000, Device::Cpu), 28_000);
        assert_eq!(Budget::Class.evaluation(60_000, Device::Cpu), 30_000);
        assert_eq!(Budget::Ci.evaluation(28_000, Device::Cpu), 1_000);
        assert_eq!(Budget::Full.training(25, 50_000, Device::Cpu).epochs, 25);
        assert_eq!(Budget::Class.training(25, 50_000, Device::Cuda(0)).examples, 50_000);
    }

    #[test]
    fn only_a_large_network_is_held_back_further() {
        let (small, vgg16, giant) = (20_000_000, 313_000_000, usize::MAX);
        assert_eq!(Budget::Class.affordable(10_000, small, Device::Cpu), 10_000);
        assert_eq!(Budget::Class.affordable(10_000, vgg16, Device::Cpu), 4_700);
        assert_eq!(Budget::Class.affordable(10_000, giant, Device::Cpu), 500);
        assert_eq!(Budget::Class.affordable(300, giant, Device::Cpu), 300);
        assert_eq!(Budget::Class.affordable(10_000, giant, Device::Cuda(0)), 10_000);
        assert_eq!(Budget::Full.affordable(50_000, giant, Device::Cpu), 50_000);
    }
}
