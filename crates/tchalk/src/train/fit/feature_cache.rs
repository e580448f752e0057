//! Cached features: the outputs of the frozen layers, computed once.
//!
//! Frozen layers give the same output for the same image in every epoch. So they run over all examples
//! once, and training starts from their outputs: 25 epochs on a frozen VGG16 then take little longer
//! than one.

use crate::error::Result;
use crate::model::{Inner, Program};
use crate::runtime::interrupt;
use crate::runtime::progress::Progress;
use crate::train::batch_source::{BatchSource, CachedFeatures};
use crate::train::catch_torch_error;
use crate::train::measure::note::Note;
use tch::{Device, Kind, Tensor, no_grad};

/// The limit where the system does not tell how much memory is free.
const DEFAULT_BYTES: usize = 4 << 30;

/// What to do about the frozen layers.
#[derive(Debug, Clone, PartialEq)]
enum CachePlan {
    /// No frozen layer has weights.
    NotWorthwhile,
    /// Keep the outputs of these steps, in this kind.
    Cache { steps: Vec<usize>, kind: Kind },
    /// The outputs take this many bytes, even in half precision.
    TooLarge { bytes: usize },
}

/// What to do for `examples` with `limit` bytes of memory. `target` is the step that the loss reads.
fn plan(program: &Program, target: usize, examples: usize, limit: usize) -> CachePlan {
    let steps = program.frozen_frontier(target);
    // The outputs of layers without weights would only be another copy of the images.
    let behind = program.needed(&[], &steps);
    let worthwhile = program.steps.iter().zip(&behind).any(|(step, needed)| {
        *needed && step.built_layer().is_some_and(|cell| !cell.tensors().is_empty())
    });
    if !worthwhile {
        return CachePlan::NotWorthwhile;
    }
    let numbers = steps.iter().map(|&step| program.steps[step].shape.iter().product::<usize>());
    let numbers = numbers.sum::<usize>().saturating_mul(examples);
    match numbers {
        n if n.saturating_mul(4) <= limit => CachePlan::Cache { steps, kind: Kind::Float },
        n if n.saturating_mul(2) <= limit => CachePlan::Cache { steps, kind: Kind::Half },
        n => CachePlan::TooLarge { bytes: n.saturating_mul(2) },
    }
}

/// Half of the free memory.
fn free_memory(device: Device) -> usize {
    let free = || {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
        line.split_whitespace().nth(1)?.parse::<usize>().ok()
    };
    match device {
        Device::Cpu => free().map_or(DEFAULT_BYTES, |kib| kib * 1024 / 2),
        _ => DEFAULT_BYTES,
    }
}

/// Computes the outputs of the frozen layers for the training and the validation data, where that pays
/// and `limit` bytes are enough. The default limit is half of the free memory. Augmented training data
/// is not given: it differs in every epoch.
///
/// # Errors
///
/// If the reader interrupts it, or libtorch refuses it.
pub(crate) fn fill(
    inner: &Inner,
    target: usize,
    train: Option<&mut BatchSource>,
    validation: Option<&mut BatchSource>,
    limit: Option<usize>,
) -> Result<Vec<Note>> {
    let augmented = train.is_none();
    let sources = [("training", train), ("validation", validation)];
    let sources: Vec<(&str, &mut BatchSource)> =
        sources.into_iter().filter_map(|(name, source)| Some((name, source?))).collect();
    let examples = sources.iter().map(|(_, source)| source.len()).sum();
    if examples == 0 {
        return Ok(Vec::new());
    }
    let limit = limit.unwrap_or_else(|| free_memory(inner.device));
    match plan(&inner.program, target, examples, limit) {
        CachePlan::NotWorthwhile => Ok(Vec::new()),
        CachePlan::TooLarge { bytes } => Ok(vec![Note::FeaturesTooLarge { bytes, limit }]),
        CachePlan::Cache { steps, kind } => {
            for (name, source) in sources {
                let features = compute(inner, source, &steps, kind, name)?;
                source.cached_features = Some(features);
            }
            let mut notes: Vec<Note> =
                augmented.then_some(Note::FeaturesAugmented).into_iter().collect();
            notes.push(note(&inner.program, &steps, kind, examples));
            Ok(notes)
        }
    }
}

/// Runs the frozen layers over all examples of a source.
fn compute(
    inner: &Inner,
    source: &BatchSource,
    steps: &[usize],
    kind: Kind,
    name: &str,
) -> Result<CachedFeatures> {
    const OP: &str = "Model::fit, the frozen part";
    let program = &inner.program;
    let mut values: Vec<Tensor> = Vec::new();
    let mut progress = Progress::of(format!("{name}: the frozen part"), "examples", source.len());
    let mut done = 0;
    for positions in source.batch_positions(source.inference_batch_size()) {
        interrupt::check(OP)?;
        done += catch_torch_error(OP, || {
            no_grad(|| {
                let batch = source.batch(program, &positions, inner.device);
                let outputs = program.inference().run(&batch.known_values(), steps);
                if values.is_empty() {
                    let all = outputs.iter().map(|output| {
                        let mut size = output.size();
                        size[0] = source.len() as i64;
                        Ok(Tensor::f_empty(&size, (kind, inner.device))?)
                    });
                    values = all.collect::<Result<_>>()?;
                }
                for (all, output) in values.iter().zip(&outputs) {
                    all.narrow(0, done as i64, batch.len() as i64).copy_(output);
                }
                Ok(batch.len())
            })
        })?;
        progress.done(done);
    }
    Ok(CachedFeatures { steps: steps.to_vec(), values })
}

/// The note on the cached features.
fn note(program: &Program, steps: &[usize], kind: Kind, examples: usize) -> Note {
    let names: Vec<&str> = steps.iter().map(|&step| program.steps[step].path.as_str()).collect();
    let layers = match names.as_slice() {
        [one] => one.to_string(),
        [first, .., last] => format!("{first} to {last}"),
        [] => String::new(),
    };
    let numbers: usize =
        steps.iter().map(|&step| program.steps[step].shape.iter().product::<usize>()).sum();
    let half_precision = kind == Kind::Half;
    let bytes = numbers * examples * if half_precision { 2 } else { 4 };
    Note::FeaturesCached { layers, examples, bytes, half_precision }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    fn program_of(freeze: bool) -> Model {
        let layers = Sequential::new().input_shape([1, 6, 6]).add(Conv2d::new(2, 3)).add(Relu);
        let model = layers.add(Flatten).add(Dense::new(3)).add(Softmax).build(Device::Cpu).unwrap();
        if freeze {
            model.freeze_until("relu").unwrap();
        }
        model
    }

    #[test]
    fn the_limit_decides_the_precision() {
        let model = program_of(true);
        let program = &model.inner().program;
        let of = |limit| plan(program, program.logits(), 10, limit);
        let bytes = 10 * 2 * 4 * 4 * 4;
        let CachePlan::Cache { steps, kind: Kind::Float } = of(bytes) else {
            panic!("{:?}", of(bytes))
        };
        assert_eq!(program.steps[steps[0]].path, "flatten");
        assert!(matches!(of(bytes - 1), CachePlan::Cache { kind: Kind::Half, .. }));
        assert_eq!(of(bytes / 2 - 1), CachePlan::TooLarge { bytes: bytes / 2 });
    }

    #[test]
    fn without_frozen_weights_nothing_is_cached() {
        let model = program_of(false);
        let program = &model.inner().program;
        assert_eq!(plan(program, program.logits(), 10, usize::MAX), CachePlan::NotWorthwhile);
        let layers = Sequential::new().input_shape([1, 6, 6]).add(Flatten).add(Dense::new(3));
        let model = layers.add(Softmax).build(Device::Cpu).unwrap();
        let program = &model.inner().program;
        assert_eq!(plan(program, program.logits(), 10, usize::MAX), CachePlan::NotWorthwhile);
    }
}
