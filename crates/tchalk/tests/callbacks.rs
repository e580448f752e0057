//! Callbacks: each does what it says, and one that fails leaves model and history intact.
//!
//! The stop button and the seed belong to the whole process, so these tests run one at a time.

#[path = "common/alone.rs"]
mod alone;

use alone::alone;
use std::sync::{Arc, Mutex};
use tchalk::prelude::*;
use tchalk::train::{Callback, CallbackResult, Note, Run, StoppedAt};

/// Two classes of points that a line tells apart, with some noise.
fn points(count: usize, seed: i64) -> TensorSet {
    tch::manual_seed(seed);
    let x = Tensor::randn([count as i64, 4], (Kind::Float, Device::Cpu));
    let noise = Tensor::randn([count as i64], (Kind::Float, Device::Cpu)) * 0.5;
    let y = (x.sum_dim_intlist(1i64, false, Kind::Float) + noise).gt(0.0).to_kind(Kind::Int64);
    TensorSet::new(&x, &y, &["below", "above"]).unwrap()
}

fn model() -> Model {
    let layers = Sequential::new().input_shape([4]).add(Dense::new(8)).add(Relu);
    let model = layers.add(Dense::new(2)).add(Softmax).build(Device::Cpu).unwrap();
    model.compile(Adam::new(0.01), Loss::CategoricalCrossEntropy).unwrap();
    model
}

fn weights(model: &Model) -> Vec<Tensor> {
    model.weight_names().iter().map(|name| model.weight(name).unwrap()).collect()
}

/// Keeps copies of the weights after each epoch.
#[derive(Debug, Default)]
struct Keeper(Vec<Vec<(String, Tensor)>>);

impl Callback for Keeper {
    fn on_epoch_end(&mut self, run: &mut Run) -> CallbackResult {
        self.0.push(run.weights());
        Ok(())
    }
}

#[test]
fn early_stopping_restores_the_best_epoch_and_records_the_choice() {
    let _guard = alone();
    let (train, validation) = (points(60, 1), points(200, 2));
    let model = model();
    model.compile(Adam::new(0.2), Loss::CategoricalCrossEntropy).unwrap();
    let kept = Arc::new(Mutex::new(Keeper::default()));
    let fit = Fit::new().epochs(100).batch_size(10).validation(&validation);
    let fit = fit.callback(kept.clone()).callback(EarlyStopping::new(4));
    let history = model.fit(&train, fit).unwrap();
    let best = history.best("val_loss").unwrap().number;
    assert_eq!(history.len(), best + 4, "{history:?}");
    assert!(matches!(history.stop_reason(), Some(Note::EarlyStopping { .. })), "{history:?}");
    for (name, weight) in &kept.lock().unwrap().0[best - 1] {
        assert_eq!(&model.weight(name).unwrap(), weight);
    }
    let notes = model.evaluate(&validation).unwrap().notes();
    assert_eq!(notes, [Note::ChosenOnThisSet]);
    assert!(model.evaluate(&points(50, 3)).unwrap().notes().is_empty());
    let notes = model.evaluate(&train).unwrap().notes();
    assert_eq!(notes, [Note::Leak { validation: false, leaked: 60, examples: 60 }]);
}

#[test]
fn both_parts_of_a_split_set_are_recognized() {
    let _guard = alone();
    let (all, model) = (points(80, 1), model());
    model.compile(Adam::new(0.2), Loss::CategoricalCrossEntropy).unwrap();
    let fit = Fit::new().epochs(100).batch_size(10).validation_split(0.25);
    let history = model.fit(&all, fit.callback(EarlyStopping::new(4))).unwrap();
    assert!(matches!(history.stop_reason(), Some(Note::EarlyStopping { .. })), "{history:?}");
    let notes = |places: &[i64]| {
        let places = Tensor::from_slice(places);
        let (x, y) = (all.x(), all.labels().unwrap());
        let (x, y) = (x.index_select(0, &places), y.index_select(0, &places));
        let some = TensorSet::new(&x, &y, &["below", "above"]).unwrap();
        model.evaluate(&some).unwrap().notes()
    };
    let (held, kept): (Vec<i64>, Vec<i64>) = (0..80).partition(|&i| notes(&[i]).is_empty());
    assert_eq!((held.len(), kept.len()), (20, 60));
    assert_eq!(notes(&held), [Note::ChosenOnThisSet]);
    assert_eq!(notes(&kept), [Note::Leak { validation: false, leaked: 60, examples: 60 }]);
    let both = model.evaluate(&all).unwrap().notes();
    assert_eq!(both, [Note::Leak { validation: false, leaked: 60, examples: 80 }]);
}

#[test]
fn a_missing_metric_is_refused_before_training() {
    let _guard = alone();
    let (train, model) = (points(20, 1), model());
    let before = weights(&model);
    for callback in [EarlyStopping::new(1), EarlyStopping::new(1).monitor("val_f1")] {
        let error = model.fit(&train, Fit::new().callback(callback)).unwrap_err().to_string();
        assert!(
            error.contains("one of loss, accuracy") && error.contains("validation("),
            "{error}"
        );
    }
    assert_eq!(weights(&model), before);
    let fit = Fit::new().metrics([Metric::F1]).validation_split(0.5);
    model.fit(&train, fit.callback(EarlyStopping::new(1).monitor("val_f1"))).unwrap();
}

/// Fails in its own way after the second epoch.
#[derive(Debug)]
struct Failing(bool);

impl Callback for Failing {
    fn on_epoch_end(&mut self, run: &mut Run) -> CallbackResult {
        if run.epoch() < 2 {
            return Ok(());
        }
        assert!(self.0, "the callback's own mistake");
        Err("no space left".into())
    }
}

#[test]
fn a_callback_that_fails_ends_training_with_history_and_model_intact() {
    let _guard = alone();
    let train = points(40, 1);
    for (callback, said) in [
        (Failing(true), "Failing: no space left"),
        (Failing(false), "Failing: the callback's own mistake"),
    ] {
        let model = model();
        let history = model.fit(&train, Fit::new().epochs(5).callback(callback)).unwrap();
        let stopped = Note::Stopped { at: StoppedAt::AfterEpoch(2), reason: Some(said.into()) };
        assert_eq!((history.len(), history.stop_reason()), (2, Some(stopped)));
        assert_eq!(model.history().len(), 2);
        assert!(format!("{history:?}").contains(said));
        assert_eq!(model.fit(&train, Fit::new()).unwrap().len(), 1, "it can go on");
    }
}

#[test]
fn a_checkpoint_that_cannot_be_written_ends_training_after_the_epoch() {
    let _guard = alone();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("not-a-folder");
    std::fs::write(&file, "").unwrap();
    let fit = Fit::new().epochs(5).callback(Checkpoint::new(file.join("model.safetensors")));
    let history = model().fit(&points(40, 1), fit).unwrap();
    assert_eq!(history.len(), 1);
    let Some(Note::Stopped { at: StoppedAt::AfterEpoch(1), reason: Some(said) }) =
        history.stop_reason()
    else {
        panic!("{history:?}")
    };
    assert!(said.starts_with("Checkpoint") && said.contains("room"), "{said}");
}

/// Lets the file that a checkpoint is written to, before it gets its name, lead to a full disk from
/// the third epoch on.
#[cfg(target_os = "linux")]
#[derive(Debug)]
struct FillingUp(std::path::PathBuf);

#[cfg(target_os = "linux")]
impl Callback for FillingUp {
    fn on_epoch_begin(&mut self, run: &mut Run) -> CallbackResult {
        if run.epoch() == 3 {
            let mut unfinished = self.0.clone().into_os_string();
            unfinished.push(format!(".{}.part", std::process::id()));
            std::os::unix::fs::symlink("/dev/full", unfinished)?;
        }
        Ok(())
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_ends_training_and_the_last_checkpoint_stays() {
    let _guard = alone();
    let (folder, train) = (tempfile::tempdir().unwrap(), points(40, 1));
    let path = folder.path().join("model.safetensors");
    let (filling, model) = (FillingUp(path.clone()), model());
    let fit = Fit::new().epochs(5).callback(filling).callback(Checkpoint::new(&path));
    let history = model.fit(&train, fit).unwrap();
    assert_eq!(history.len(), 3);
    let Some(Note::Stopped { at: StoppedAt::AfterEpoch(3), reason: Some(said) }) =
        history.stop_reason()
    else {
        panic!("{history:?}")
    };
    assert!(said.starts_with("Checkpoint: "), "{said}");
    assert!(said.contains("No space left") && said.contains("room on the disk"), "{said}");
    assert_eq!(model.history(), history);
    let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
    assert_eq!(files.collect::<Vec<_>>(), ["model.safetensors"], "nothing half-made is left");
    let taken_up = model.fit(&train, Fit::new().epochs(3).resume(&path)).unwrap();
    assert_eq!(taken_up.epochs()[..2], history.epochs()[..2], "the second epoch's file was whole");
    assert_eq!(taken_up.len(), 3);
}

#[test]
fn the_csv_log_is_complete_after_every_epoch() {
    let _guard = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/log.csv");
    let fit = Fit::new().epochs(3).metrics([Metric::TopK(2)]).validation_split(0.25);
    let history = model().fit(&points(40, 1), fit.callback(CsvLog::new(&path))).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "epoch,loss,accuracy,top_2,val_loss,val_accuracy,val_top_2,rate,seconds");
    assert_eq!(lines.len(), 4);
    let cells: Vec<&str> = lines[3].split(',').collect();
    assert_eq!(cells[1].parse::<f64>().unwrap(), history.last().unwrap().loss);
    assert_eq!((cells[3], cells[6]), ("1", "1"));
}

#[test]
fn a_target_ends_training() {
    let _guard = alone();
    let fit = Fit::new().epochs(200).callback(StopAt::new("accuracy", 0.85));
    let history = model().fit(&points(100, 1), fit).unwrap();
    let epochs = history.epochs();
    assert!(epochs.len() < 200);
    assert!(matches!(history.stop_reason(), Some(Note::TargetReached { .. })), "{history:?}");
    assert!(epochs.last().unwrap().accuracy >= 0.85);
    assert!(epochs[..epochs.len() - 1].iter().all(|epoch| epoch.accuracy < 0.85));
}

/// Keeps copies of the weights after each step.
#[derive(Debug, Default)]
struct Steps(Vec<Vec<(String, Tensor)>>);

impl Callback for Steps {
    fn on_batch_end(&mut self, run: &mut Run) -> CallbackResult {
        self.0.push(run.weights());
        Ok(())
    }
}

#[test]
fn the_moving_average_is_the_mean_of_its_formula() {
    let _guard = alone();
    let model = model();
    let mut mean = model.weight("dense.weight").unwrap();
    let steps = Arc::new(Mutex::new(Steps::default()));
    let fit = Fit::new().epochs(2).batch_size(10).callback(steps.clone());
    let history = model.fit(&points(30, 1), fit.callback(MovingAverage::new(0.8))).unwrap();
    for weights in &steps.lock().unwrap().0 {
        mean = mean * 0.8 + &weights[0].1 * 0.2;
    }
    assert_eq!(steps.lock().unwrap().0.len(), 6);
    assert!(model.weight("dense.weight").unwrap().allclose(&mean, 1e-5, 1e-6, false));
    assert_eq!(history.notes(), [Note::WeightsAveraged { decay: 0.8 }]);
}

/// Freezes the first layer after the second step, and keeps both layers' weights after each.
#[derive(Debug, Default)]
struct Freezing(Vec<[Tensor; 2]>);

const BOTH: [&str; 2] = ["dense.weight", "dense_1.weight"];

impl Callback for Freezing {
    fn on_batch_end(&mut self, run: &mut Run) -> CallbackResult {
        let model = run.model();
        if run.step() == 2 {
            model.freeze_at("dense")?;
        }
        self.0.push([model.weight(BOTH[0])?, model.weight(BOTH[1])?]);
        Ok(())
    }
}

#[test]
fn the_moving_average_continues_when_a_layer_is_frozen() {
    let _guard = alone();
    let model = model();
    let mut means = BOTH.map(|name| model.weight(name).unwrap());
    let freezing = Arc::new(Mutex::new(Freezing::default()));
    let fit = Fit::new().epochs(2).batch_size(10).callback(freezing.clone());
    let history = model.fit(&points(30, 1), fit.callback(MovingAverage::new(0.8))).unwrap();
    assert_eq!((history.len(), history.stop_reason()), (2, None));
    let steps = &freezing.lock().unwrap().0;
    assert_eq!(steps[1][0], steps[5][0], "it is frozen");
    for weights in steps {
        for (mean, weight) in means.iter_mut().zip(weights) {
            *mean = &*mean * 0.8 + weight * 0.2;
        }
    }
    for (name, mean) in BOTH.iter().zip(&means) {
        assert!(model.weight(name).unwrap().allclose(mean, 1e-5, 1e-6, false), "{name}");
    }
}

/// Looks at the model while it learns, and stops in the middle of an epoch.
#[derive(Debug)]
struct Looking(TensorSet, Vec<f64>);

impl Callback for Looking {
    fn on_batch_end(&mut self, run: &mut Run) -> CallbackResult {
        self.1.push(run.model().evaluate(&self.0)?.loss);
        if run.epoch() == 2 && run.step() == 2 {
            run.stop("seen enough");
        }
        Ok(())
    }
    fn on_epoch_end(&mut self, run: &mut Run) -> CallbackResult {
        Ok(run.set_learning_rate(run.learning_rate() / 10.0)?)
    }
}

#[test]
fn a_callback_may_use_the_model_and_stop_within_an_epoch() {
    let _guard = alone();
    let train = points(40, 1);
    let looking = Arc::new(Mutex::new(Looking(points(20, 2), Vec::new())));
    let fit = Fit::new().epochs(5).batch_size(10).callback(looking.clone());
    let history = model().fit(&train, fit).unwrap();
    assert_eq!(looking.lock().unwrap().1.len(), 6);
    assert_eq!(history.len(), 1, "the broken epoch does not count");
    let stopped = Note::Stopped { at: StoppedAt::InEpoch(2), reason: Some("seen enough".into()) };
    assert_eq!(history.stop_reason(), Some(stopped));
    assert_eq!(history.last().unwrap().learning_rate, 0.01);
}

/// Sets the rate before anything is learned.
#[derive(Debug)]
struct Beginning(f64);

impl Callback for Beginning {
    fn on_train_begin(&mut self, run: &mut Run) -> CallbackResult {
        assert_eq!(run.learning_rate(), 0.01, "the optimizer's");
        Ok(run.set_learning_rate(self.0)?)
    }
}

#[test]
fn a_learning_rate_set_before_training_stays() {
    let _guard = alone();
    let fit = Fit::new().epochs(2).callback(Beginning(0.003));
    let history = model().fit(&points(40, 1), fit).unwrap();
    assert_eq!(history.values("learning_rate").unwrap(), [0.003, 0.003]);
}

#[test]
fn a_schedule_function_sets_the_learning_rate_of_each_epoch() {
    let _guard = alone();
    fn warm_up(epoch: usize, rate: f64) -> f64 {
        if epoch < 3 { 0.001 * (epoch + 1) as f64 } else { rate }
    }
    let fit = Fit::new().epochs(5).schedule(Schedule::function(warm_up));
    let history = model().fit(&points(40, 1), fit).unwrap();
    assert_eq!(history.values("learning_rate").unwrap(), [0.001, 0.002, 0.003, 0.003, 0.003]);
    let broken = Fit::new().schedule(Schedule::function(|_, _| -1.0));
    let error = model().fit(&points(40, 1), broken).unwrap_err().to_string();
    assert!(error.contains("got -1 for epoch 0"), "{error}");
}
