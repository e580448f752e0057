//! Budgets: how much time a cell may take.
//!
//! Notebooks are written at full size. A budget shortens work that takes too long. All its limits are in
//! this file, and whatever is shortened reports it.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tch::{Cuda, Device};

/// The environment variable that names the budget.
const VARIABLE: &str = "TCHALK_BUDGET";

/// How much work a cell may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Budget {
    /// Everything as written.
    Full,
    /// Without a GPU a training takes about two minutes: as many of its epochs as fit.
    Class,
    /// Seconds: only enough to see that everything runs.
    Ci,
}

/// The part of a training that a budget allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) epochs: usize,
    pub(crate) examples: usize,
}

/// The work of an epoch with its validation, in units of one training example. Validation needs the
/// forward pass only, a third of a step.
pub(crate) fn work_units(examples: usize, measured: usize) -> f64 {
    examples as f64 + measured as f64 / 3.0
}

impl Allowance {
    /// The part that fits into these seconds, if a training example takes `each` and `measured` examples
    /// are validated after every epoch. It has fewer epochs, and, if fewer than five fit, fewer examples
    /// in each.
    pub(crate) fn within(self, seconds: f64, each: f64, measured: usize) -> Allowance {
        /// With fewer epochs a network has hardly started to learn.
        const FEWEST_EPOCHS: usize = 5;
        const FEWEST_EXAMPLES: usize = 500;
        let affordable_work = seconds / each.max(f64::MIN_POSITIVE);
        let epochs = (affordable_work / work_units(self.examples, measured)) as usize;
        let fewest = self.epochs.min(FEWEST_EPOCHS);
        if epochs >= fewest {
            return Allowance { epochs: self.epochs.min(epochs), ..self };
        }
        let examples = affordable_work / fewest as f64 - work_units(0, measured);
        let examples = (examples.max(0.0) as usize / 100 * 100).max(FEWEST_EXAMPLES);
        Allowance { epochs: fewest, examples: self.examples.min(examples) }
    }
}

impl Budget {
    /// The budget that `TCHALK_BUDGET` names: `full`, `class` or `ci`. The default is `full` with a GPU and
    /// `class` without.
    ///
    /// # Errors
    ///
    /// If it has another value: a misspelled budget would mean an hour of waiting.
    pub fn current() -> Result<Budget> {
        Ok(Budget::current_with_reason()?.0)
    }

    /// The current budget, and the reason for it.
    pub(crate) fn current_with_reason() -> Result<(Budget, &'static str)> {
        let name = std::env::var_os(VARIABLE).unwrap_or_default();
        choose(&name.to_string_lossy(), Cuda::is_available())
    }

    /// The part of a training that is known before it starts: all or a sample. The part that fits into a
    /// time is known only during training ([`Allowance::within`]).
    pub(crate) fn training_allowance(self, epochs: usize, examples: usize) -> Allowance {
        match self {
            Budget::Ci => Allowance { epochs: epochs.min(2), examples: examples.min(1_000) },
            _ => Allowance { epochs, examples },
        }
    }

    /// The number of `examples` to evaluate on `device`. Evaluation is faster than training, and a
    /// submission to a competition has to cover all of its 28,000 images.
    pub(crate) fn evaluation_examples(self, examples: usize, device: Device) -> usize {
        match self {
            Budget::Class if !device.is_cuda() => examples.min(30_000),
            _ => self.training_allowance(1, examples).examples,
        }
    }

    /// The number of `examples` for a large network on `device`, if one example takes this number of
    /// multiply-adds. The frozen base of a transfer model runs over all of them before the first epoch,
    /// and that is not limited by time.
    pub(crate) fn affordable_examples(
        self,
        examples: usize,
        multiply_adds: usize,
        device: Device,
    ) -> usize {
        /// A VGG16 at 32 × 32 pixels gets 4,700 examples, which takes two cores three quarters of a
        /// minute.
        const MOST: usize = 1_500_000_000_000;
        match self {
            Budget::Class if !device.is_cuda() => {
                let affordable = MOST / multiply_adds.max(1) / 100 * 100;
                examples.min(affordable.max(500))
            }
            _ => examples,
        }
    }

    /// The time limit on `device` for each of several trainings in one cell, if there is one.
    pub(crate) fn time_limit(self, trainings: usize, device: Device) -> Option<Duration> {
        const ALL: Duration = Duration::from_secs(150);
        /// In less time a network learns nothing.
        const LEAST: Duration = Duration::from_secs(10);
        match self {
            Budget::Class if !device.is_cuda() => Some((ALL / trainings.max(1) as u32).max(LEAST)),
            _ => None,
        }
    }

    /// The number of `iterations` of an embedding.
    pub(crate) fn embedding_iterations(self, iterations: usize) -> usize {
        if self == Budget::Ci { iterations.min(300) } else { iterations }
    }

    /// The budget with this name.
    pub(crate) fn named(name: &str) -> Option<Budget> {
        [Budget::Full, Budget::Class, Budget::Ci].into_iter().find(|it| it.name() == name)
    }

    /// The name, as `TCHALK_BUDGET` has it.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// The budget with that name, or the default for the machine without a name; and the reason.
fn choose(name: &str, gpu: bool) -> Result<(Budget, &'static str)> {
    const CHOSEN: &str = "TCHALK_BUDGET says";
    match name {
        "" if gpu => Ok((Budget::Full, "there is a GPU")),
        "" => Ok((Budget::Class, "there is no GPU")),
        name => {
            if let Some(budget) = Budget::named(name) {
                return Ok((budget, CHOSEN));
            }
            let hint = "It is read when the kernel starts. Without it the budget is full with a GPU, \
                        and class without. A cell can choose its own: Fit::new().budget(Budget::Full).";
            Err(Error::invalid(VARIABLE, "full, class or ci", format!("{name:?}"), hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_depends_on_the_machine() {
        let of = |name, gpu| choose(name, gpu).map(|(budget, _)| budget).ok();
        assert_eq!([of("", false), of("", true)], [Some(Budget::Class), Some(Budget::Full)]);
        assert_eq!(
            [of("full", false), of("class", true)],
            [Some(Budget::Full), Some(Budget::Class)]
        );
        assert_eq!(of("ci", false), Some(Budget::Ci));
        let error = choose("fast", false).unwrap_err().to_string();
        assert!(error.contains("expected full, class or ci, got \"fast\""), "{error}");
        assert_eq!(choose("", false).unwrap().1, "there is no GPU");
        assert_eq!(choose("class", false).unwrap().1, "TCHALK_BUDGET says");
    }

    #[test]
    fn only_ci_limits_the_count() {
        let whole = Allowance { epochs: 25, examples: 50_000 };
        assert_eq!(Budget::Full.training_allowance(25, 50_000), whole);
        assert_eq!(Budget::Class.training_allowance(25, 50_000), whole);
        let taste = Allowance { epochs: 2, examples: 1_000 };
        assert_eq!(Budget::Ci.training_allowance(25, 50_000), taste);
        assert_eq!(Budget::Class.evaluation_examples(28_000, Device::Cpu), 28_000);
        assert_eq!(Budget::Class.evaluation_examples(60_000, Device::Cpu), 30_000);
        assert_eq!(Budget::Ci.evaluation_examples(28_000, Device::Cpu), 1_000);
    }

    #[test]
    fn a_training_is_shortened_to_its_time() {
        let within = |epochs, examples, each, measured| {
            let left = Allowance { epochs, examples }.within(120.0, each, measured);
            (left.epochs, left.examples)
        };
        // Forty photos in 0.2 s: all of it, however many epochs that are.
        assert_eq!(within(20, 40, 0.005, 0), (20, 40));
        assert_eq!(within(600, 40, 0.005, 0), (600, 40));
        assert_eq!(within(601, 40, 0.005, 0), (600, 40));
        // Ten seconds an epoch, and a sixth more for measuring half as many.
        assert_eq!(within(25, 10_000, 0.001, 0), (12, 10_000));
        assert_eq!(within(25, 10_000, 0.001, 5_000), (10, 10_000));
        // CIFAR-10 on two cores: five epochs would not fit.
        assert_eq!(within(25, 50_000, 0.001, 0), (5, 24_000));
        assert_eq!(within(25, 50_000, 0.001, 10_000), (5, 20_600));
        assert_eq!(within(1, 50_000, 0.001, 0), (1, 50_000));
        assert_eq!(within(1, 500_000, 0.001, 0), (1, 120_000));
        // A giant gets little, and never more than there is.
        assert_eq!(within(25, 10_000, 10.0, 0), (5, 500));
        assert_eq!(within(25, 40, 10.0, 10_000), (5, 40));
    }

    #[test]
    fn trainings_of_one_cell_share_its_time() {
        let of = |trainings| Budget::Class.time_limit(trainings, Device::Cpu).unwrap().as_secs();
        assert_eq!([of(1), of(3), of(100)], [150, 50, 10]);
        assert_eq!(Budget::Class.time_limit(1, Device::Cuda(0)), None);
        assert_eq!(Budget::Full.time_limit(1, Device::Cpu), None);
        assert_eq!(Budget::Ci.time_limit(1, Device::Cpu), None);
    }

    #[test]
    fn only_large_networks_get_fewer_examples() {
        let (small, vgg16, giant) = (20_000_000, 313_000_000, usize::MAX);
        assert_eq!(Budget::Class.affordable_examples(10_000, small, Device::Cpu), 10_000);
        assert_eq!(Budget::Class.affordable_examples(10_000, vgg16, Device::Cpu), 4_700);
        assert_eq!(Budget::Class.affordable_examples(10_000, giant, Device::Cpu), 500);
        assert_eq!(Budget::Class.affordable_examples(300, giant, Device::Cpu), 300);
        assert_eq!(Budget::Class.affordable_examples(10_000, giant, Device::Cuda(0)), 10_000);
        assert_eq!(Budget::Full.affordable_examples(50_000, giant, Device::Cpu), 50_000);
    }
}
