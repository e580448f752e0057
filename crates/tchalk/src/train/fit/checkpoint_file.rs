//! Checkpoint files: the state of a training, written after an epoch and resumed later.
//!
//! The file is a safetensors file with the weights by name, the slots of the optimizer, and the tensors
//! of the callbacks. Its header holds the rest as JSON. Numbers that have to be restored exactly are
//! written as their bits.

use crate::error::{Error, Result};
use crate::model::{Model, file};
use crate::train::callbacks::callback::{CallbackState, Callbacks};
use crate::train::callbacks::run::set_weights;
use crate::train::measure::note::{Note, notes_of_any_version};
use crate::train::optimizers::optimizer_state::StateDict;
use crate::train::{Epoch, History};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};

/// The key of the training state in the header.
const KEY: &str = "tchalk-training";
/// The version of the format. It increases when older versions could misread a file.
const VERSION: u32 = 1;
const WEIGHT: &str = "weight/";
const OPTIMIZER: &str = "optimizer/";

/// The header.
#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    seed: u64,
    rate: u64,
    steps: u64,
    updates: BTreeMap<String, u64>,
    epochs: Vec<SavedEpoch>,
    #[serde(deserialize_with = "notes_of_any_version")]
    notes: Vec<Note>,
    /// The numbers of each callback.
    callbacks: Vec<BTreeMap<String, u64>>,
}

#[derive(Serialize, Deserialize)]
struct SavedEpoch {
    number: usize,
    values: BTreeMap<String, u64>,
}

/// The content of a checkpoint file.
pub(crate) struct TrainingCheckpoint {
    pub(crate) seed: u64,
    pub(crate) history: History,
    path: PathBuf,
    weights: Vec<(String, Tensor)>,
    optimizer_state: StateDict,
    callbacks: Vec<CallbackState>,
}

/// Writes the state of a training. An existing file is replaced when the new one is complete.
pub(crate) fn write(
    path: &Path,
    model: &Model,
    history: &History,
    seed: u64,
    callbacks: &Callbacks,
) -> Result<()> {
    let inner = model.inner();
    let mut tensors: Vec<(String, Tensor)> = {
        let _access = inner.program.inference();
        let weights = inner.program.weights().into_iter();
        weights.map(|w| (format!("{WEIGHT}{}", w.name), w.tensor.detach().copy())).collect()
    };
    let optimizer_state = match inner.compiled().as_ref() {
        Some(compiled) => compiled.optimizer_state.state_dict(),
        None => StateDict::default(),
    };
    let states = callbacks.states();
    let header = Header {
        version: VERSION,
        seed,
        rate: optimizer_state.learning_rate.to_bits(),
        steps: optimizer_state.steps,
        updates: optimizer_state.updates,
        epochs: history.epochs.iter().map(saved_epoch).collect(),
        notes: history.notes.clone(),
        callbacks: states
            .iter()
            .map(|state| state.numbers.iter().map(|(k, v)| (k.clone(), v.to_bits())).collect())
            .collect(),
    };
    let optimizer_state = optimizer_state.tensors.into_iter();
    tensors.extend(optimizer_state.map(|(name, tensor)| (format!("{OPTIMIZER}{name}"), tensor)));
    for (i, state) in states.into_iter().enumerate() {
        let kept = state.tensors.into_iter();
        tensors.extend(kept.map(|(name, tensor)| (format!("callback/{i}/{name}"), tensor)));
    }
    let text = serde_json::to_string(&header).expect("numbers and texts can be written");
    file::write(path, &[(KEY, text)], &tensors)
}

/// Reads a checkpoint file.
pub(crate) fn read(path: &Path) -> Result<TrainingCheckpoint> {
    let hint = "Fit::new().callback(Checkpoint::new(path)) writes such a file after every epoch.";
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error, hint))?;
    let bad = |problem: String| Error::bad_file(path, problem, hint);
    let header = read_header(&bytes).map_err(bad)?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| bad(error.to_string()))?;
    let (mut weights, mut slots) = (Vec::new(), BTreeMap::new());
    let numbers = header.callbacks.into_iter();
    let mut callbacks: Vec<CallbackState> = numbers
        .map(|numbers| CallbackState {
            numbers: numbers.into_iter().map(|(k, bits)| (k, f64::from_bits(bits))).collect(),
            tensors: BTreeMap::new(),
        })
        .collect();
    for (name, view) in file.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(bad(format!("{name} is {:?}, not F32", view.dtype())));
        }
        let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
        let tensor = Tensor::f_from_data_size(view.data(), &shape, Kind::Float)?;
        if let Some(name) = name.strip_prefix(WEIGHT) {
            weights.push((name.to_owned(), tensor));
        } else if let Some(name) = name.strip_prefix(OPTIMIZER) {
            slots.insert(name.to_owned(), tensor);
        } else if let Some((i, name)) =
            name.strip_prefix("callback/").and_then(|rest| rest.split_once('/'))
            && let Some(state) = i.parse().ok().and_then(|i: usize| callbacks.get_mut(i))
        {
            state.tensors.insert(name.to_owned(), tensor);
        }
    }
    let optimizer_state = StateDict {
        learning_rate: f64::from_bits(header.rate),
        steps: header.steps,
        updates: header.updates,
        tensors: slots,
    };
    let epochs = header.epochs.iter().map(epoch).collect();
    let history = History { epochs, notes: header.notes, ..History::default() };
    let (seed, path) = (header.seed, path.to_owned());
    Ok(TrainingCheckpoint { seed, history, path, weights, optimizer_state, callbacks })
}

fn read_header(bytes: &[u8]) -> std::result::Result<Header, String> {
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|error| format!("no checkpoint: {error}"))?;
    let text = metadata.metadata().as_ref().and_then(|notes| notes.get(KEY));
    let text = text.ok_or("it holds no training state")?;
    let header: Header = serde_json::from_str(text)
        .map_err(|error| format!("its training state is damaged: {error}"))?;
    match header.version {
        VERSION => Ok(header),
        other => Err(format!("version {other} of the format; this is {VERSION}")),
    }
}

/// Restores the state of a training in a model that was built and compiled as before.
pub(crate) fn restore(
    model: &Model,
    callbacks: &Callbacks,
    checkpoint: TrainingCheckpoint,
) -> Result<History> {
    let bad = |problem: String| {
        let hint = "Build and compile the model as when the file was written.";
        Error::bad_file(&checkpoint.path, problem, hint)
    };
    let names: Vec<String> = checkpoint.weights.iter().map(|(name, _)| name.clone()).collect();
    if let Some(missing) = model.weight_names().iter().find(|name| !names.contains(name)) {
        return Err(bad(format!("it holds no weight {missing:?}")));
    }
    set_weights(model, &checkpoint.weights).map_err(|error| bad(error.to_string()))?;
    let inner = model.inner();
    let weights: Vec<(String, Tensor)> =
        inner.program.weights().into_iter().map(|weight| (weight.name, weight.tensor)).collect();
    if let Some(compiled) = inner.compiled().as_mut() {
        compiled
            .optimizer_state
            .load_state_dict(&checkpoint.optimizer_state, &weights)
            .map_err(bad)?;
    }
    callbacks.restore(checkpoint.callbacks)?;
    Ok(checkpoint.history)
}

fn saved_epoch(epoch: &Epoch) -> SavedEpoch {
    let fixed = ["loss", "accuracy", "val_loss", "val_accuracy", "rate", "seconds"];
    let names = fixed.iter().map(|name| name.to_string()).chain(epoch.metrics.keys().cloned());
    let values = names.filter_map(|name| Some((epoch.value(&name)?, name)));
    let values = values.map(|(value, name)| (name, value.to_bits())).collect();
    SavedEpoch { number: epoch.number, values }
}

fn epoch(saved: &SavedEpoch) -> Epoch {
    let mut values: BTreeMap<String, f64> =
        saved.values.iter().map(|(name, bits)| (name.clone(), f64::from_bits(*bits))).collect();
    let mut take = |name: &str| values.remove(name);
    let (loss, accuracy) = (take("loss"), take("accuracy"));
    let (val_loss, val_accuracy) = (take("val_loss"), take("val_accuracy"));
    let (rate, seconds) = (take("rate"), take("seconds"));
    Epoch {
        number: saved.number,
        loss: loss.unwrap_or(f64::NAN),
        accuracy: accuracy.unwrap_or(f64::NAN),
        val_loss,
        val_accuracy,
        learning_rate: rate.unwrap_or_default(),
        seconds: seconds.unwrap_or_default(),
        metrics: values,
    }
}
