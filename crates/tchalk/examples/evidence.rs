//! Longer runs on real data, to be made once and kept: what the library reaches, and how sure that is.
//!
//!     evidence cifar10 OUT          the tutorial's CNN from scratch, 25 epochs, all of CIFAR-10
//!     evidence mnist OUT            the same network on MNIST, 12 epochs
//!     evidence ants-bees OUT        SqueezeNet 1.1 on 321 photos: frozen, then fine-tuned
//!     evidence built-in-base OUT    the frozen built-in base beside a random one, on the shapes
//!
//! Real data come from `TCHALK_DATA_DIR`. What is printed also goes into `OUT/WHAT.txt`; histories are
//! kept as JSON, curves as PNG and SVG. A run that was broken off goes on from its last epoch. Every
//! number of a protocol stands in this file, and was there before the first result.

use std::fmt::Display;
use std::path::PathBuf;
use tchalk::prelude::*;
use tchalk::train::Evaluation;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const SEED: u64 = 42;
/// The tutorial's numbers.
const BATCH: usize = 128;

fn optimizer() -> RmsProp {
    RmsProp::new(1e-3).decay(1e-6)
}

/// Where a run leaves what it finds.
struct Report {
    what: String,
    folder: PathBuf,
    lines: Vec<String>,
}

impl Report {
    fn new(what: &str, folder: &str) -> Outcome<Report> {
        let folder = PathBuf::from(folder);
        std::fs::create_dir_all(&folder)?;
        let mut report = Report { what: what.into(), folder, lines: Vec::new() };
        let version = env!("CARGO_PKG_VERSION");
        report.say(format!("{what}: tchalk {version}, libtorch 2.11.0, seed {SEED}"))?;
        Ok(report)
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.what))
    }

    fn say(&mut self, line: impl Display) -> Outcome {
        println!("{line}");
        self.lines.push(line.to_string());
        Ok(std::fs::write(self.path("txt"), self.lines.join("\n") + "\n")?)
    }

    fn history(&mut self, history: &History, title: &str) -> Outcome {
        history.save(self.path("json"))?;
        for ending in ["png", "svg"] {
            history.plot()?.title(title).save(self.path(ending))?;
        }
        let (epochs, seconds) = (history.len(), history.seconds());
        self.say(format!("{epochs} epochs in {seconds:.0} s\n{history:?}"))
    }
}

/// The tutorial's network from scratch, for images of this shape.
fn simple_cnn(shape: [usize; 3]) -> tchalk::Result<Model> {
    let mut layers = Sequential::new().input_shape(shape);
    for filters in [32, 64] {
        layers = layers.add(Conv2d::new(filters, 3).padding(Padding::Same)).add(Relu);
        layers = layers.add(Conv2d::new(filters, 3)).add(Relu);
        layers = layers.add(MaxPool2d::new(2)).add(Dropout::new(0.25));
    }
    let layers = layers.add(Flatten).add(Dense::new(512)).add(Relu).add(Dropout::new(0.5));
    layers.add(Dense::new(10)).add(Softmax).build(Device::cuda_if_available())
}

/// The tutorial's training: the test set is looked at after every epoch for the curves, and chooses
/// nothing; the last epoch counts.
fn from_scratch(report: &mut Report, data: Dataset, shape: [usize; 3], epochs: usize) -> Outcome {
    report.say(data.source())?;
    let model = simple_cnn(shape)?;
    report.say(format!("{model:?}"))?;
    let (train, test) =
        (data.train.to_tensors(model.device()), data.test.to_tensors(model.device()));
    model.compile(optimizer(), Loss::CategoricalCrossEntropy)?;
    let checkpoint = report.path("training");
    let how = Fit::new().epochs(epochs).batch_size(BATCH).validation(&test);
    let how = how.callback(Checkpoint::new(&checkpoint).every(1));
    let how = if checkpoint.exists() { how.resume(&checkpoint) } else { how };
    let history = model.fit(&train, how)?;
    report.history(&history, &format!("{}, from scratch", data.name()))?;
    report.say(format!("test set, after the last epoch: {:?}", model.evaluate(&test)?))?;
    Ok(model.save(report.path("safetensors"))?)
}

/// The examples of a set at these places.
fn at(set: &TensorSet, places: &[usize], classes: &[&str]) -> tchalk::Result<TensorSet> {
    let places: Vec<i64> = places.iter().map(|&place| place as i64).collect();
    let places = Tensor::from_slice(&places);
    let labels = set.labels().expect("photos of a folder have labels");
    TensorSet::new(&set.x().index_select(0, &places), &labels.index_select(0, &places), classes)
}

/// Which held-out photos are named rightly by the frozen base with a new head, and which after the
/// whole has been fine-tuned.
fn frozen_and_tuned(train: &TensorSet, held: &TensorSet) -> tchalk::Result<[Vec<bool>; 2]> {
    let base = applications::squeezenet1_1().weights(Weights::ImageNet).without_top();
    let base = base.input_shape([3, 227, 227]).build(Device::cuda_if_available())?;
    base.freeze();
    let layers = Sequential::new().add(&base).add(GlobalAveragePool2d).add(Dropout::new(0.2));
    let model = layers.add(Dense::new(2)).add(Softmax).build(base.device())?;
    let right = || -> tchalk::Result<Vec<bool>> {
        let said = model.predict(held)?;
        let truth = said.labels().expect("photos of a folder have labels");
        Ok(said.classes().iter().zip(&truth).map(|(a, b)| a == b).collect())
    };
    // The frozen base's outputs are computed once, so that the head can learn until it learns no more.
    model.compile(Adam::new(1e-3), Loss::CategoricalCrossEntropy)?;
    model.fit(train, Fit::new().epochs(100).batch_size(32))?;
    let frozen = right()?;
    base.unfreeze();
    model.compile(Adam::new(1e-4), Loss::CategoricalCrossEntropy)?;
    let changes = Augmentation::new().random_flip().random_shift(0.1).random_zoom(0.1);
    let how = Fit::new().epochs(12).batch_size(16).augment(changes);
    model.fit(train, how.schedule(Schedule::cosine().warm_up(1)))?;
    Ok([frozen, right()?])
}

/// Both counts, and whether chance explains their difference: only photos count on which one of them
/// is right (exact sign test, as McNemar's).
fn compared(name: &str, frozen: &[bool], tuned: &[bool]) -> String {
    let count = |right: &[bool]| right.iter().filter(|&&right| right).count();
    let only = |a: &[bool], b: &[bool]| a.iter().zip(b).filter(|&(&a, &b)| a && !b).count();
    let (n, gained, lost) = (frozen.len(), only(tuned, frozen), only(frozen, tuned));
    let differing = gained + lost;
    let ways =
        |k: usize| (0..k).fold(1.0, |ways, i| ways * (differing - i) as f64 / (i + 1) as f64);
    let tail: f64 = (0..=gained.min(lost)).map(ways).sum::<f64>() / 2f64.powi(differing as i32);
    let percent = |right: &[bool]| 100.0 * count(right) as f64 / n as f64;
    format!(
        "{name}: frozen {:.1} % ({} of {n}), fine-tuned {:.1} % ({} of {n}); {gained} photos gained, \
         {lost} lost, p = {:.3}",
        percent(frozen),
        count(frozen),
        percent(tuned),
        count(tuned),
        (2.0 * tail).min(1.0),
    )
}

/// Five folds over all 321 photos, each with its own head and its own fine-tuning: every photo is
/// judged once by networks that never saw it. Beside it the photos' own split, 244 and 77.
fn ants_bees(report: &mut Report) -> Outcome {
    const FOLDS: usize = 5;
    let photos = datasets::image_dataset("hymenoptera", [227, 227])?;
    report.say(photos.source())?;
    let names = photos.class_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let all = photos.train.concatenate(&photos.test)?;
    let (set, labels) = (all.to_tensors(Device::Cpu), all.labels());
    let own: Vec<usize> = (0..labels.len()).map(|i| usize::from(i < photos.train.len())).collect();
    // Each class is dealt out in a random order, so that every fold has its share of both.
    let mut fold = vec![0; labels.len()];
    tchalk::tch::manual_seed(SEED as i64);
    let order = Vec::<i64>::try_from(tchalk::tch::Tensor::randperm(
        labels.len() as i64,
        (Kind::Int64, Device::Cpu),
    ))?;
    let mut dealt = vec![0; names.len()];
    for place in order.into_iter().map(|place| place as usize) {
        fold[place] = dealt[labels[place]] % FOLDS;
        dealt[labels[place]] += 1;
    }
    let judge = |held: &dyn Fn(usize) -> bool| -> tchalk::Result<[Vec<bool>; 2]> {
        let (held, train): (Vec<usize>, Vec<usize>) = (0..labels.len()).partition(|&i| held(i));
        frozen_and_tuned(&at(&set, &train, &names)?, &at(&set, &held, &names)?)
    };
    let [frozen, tuned] = judge(&|i| own[i] == 0)?;
    report.say(compared("the photos' own split", &frozen, &tuned))?;
    let (mut all_frozen, mut all_tuned) = (Vec::new(), Vec::new());
    for number in 0..FOLDS {
        let [frozen, tuned] = judge(&|i| fold[i] == number)?;
        report.say(compared(&format!("fold {} of {FOLDS}", number + 1), &frozen, &tuned))?;
        all_frozen.extend(frozen);
        all_tuned.extend(tuned);
    }
    report.say(compared("all folds", &all_frozen, &all_tuned))
}

/// The tutorial's classifier on a frozen base: test set of the shapes, after 25 epochs.
fn on_frozen(base: &Model, train: &TensorSet, test: &TensorSet) -> tchalk::Result<Evaluation> {
    base.freeze();
    let layers = Sequential::new().add(base).add(Flatten).add(Dense::new(512)).add(Relu);
    let layers = layers.add(Dropout::new(0.5)).add(Dense::new(10)).add(Softmax);
    let model = layers.build(base.device())?;
    model.compile(optimizer(), Loss::CategoricalCrossEntropy)?;
    model.fit(train, Fit::new().epochs(25).batch_size(BATCH))?;
    model.evaluate(test)
}

/// Trained and random base, three times each with seeds of their own.
fn built_in_base(report: &mut Report) -> Outcome {
    let shapes = datasets::shapes()?;
    report.say(shapes.source())?;
    report.say(applications::built_in_base().build(Device::Cpu)?.source())?;
    let device = Device::cuda_if_available();
    let (train, test) = (shapes.train.to_tensors(device), shapes.test.to_tensors(device));
    for seed in SEED..SEED + 3 {
        for (name, weights) in [("trained", Weights::BuiltIn), ("random", Weights::Random)] {
            runtime::seed(seed);
            let base = applications::built_in_base().weights(weights).build(device)?;
            let result = on_frozen(&base, &train, &test)?;
            report.say(format!("seed {seed}, frozen {name} base: {result:?}"))?;
        }
    }
    Ok(())
}

fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    let usage = "evidence cifar10|mnist|ants-bees|built-in-base OUT";
    let (what, folder) = (arguments.next().ok_or(usage)?, arguments.next().ok_or(usage)?);
    runtime::seed(SEED);
    let mut report = Report::new(&what, &folder)?;
    match &what[..] {
        "cifar10" => from_scratch(&mut report, datasets::cifar10()?, [3, 32, 32], 25),
        "mnist" => from_scratch(&mut report, datasets::mnist()?, [1, 28, 28], 12),
        "ants-bees" => ants_bees(&mut report),
        "built-in-base" => built_in_base(&mut report),
        other => Err(format!("{usage}, not {other:?}").into()),
    }
}
