//! A training that is resumed from a checkpoint has exactly the same results as one that was not
//! interrupted. Each training runs in a process of its own, since libtorch's random generator is global.

use std::path::Path;
use std::process::Command;
use tchalk::prelude::*;

/// What a child process is asked to do: `TCHALK_TEST_ROLE`, in the folder `TCHALK_TEST_FOLDER`.
const ROLE: &str = "TCHALK_TEST_ROLE";
const FOLDER: &str = "TCHALK_TEST_FOLDER";

fn model() -> Model {
    let layers = Sequential::new().input_shape([3, 32, 32]).add(Conv2d::new(4, 3)).add(Relu);
    let layers = layers.add(MaxPool2d::new(4)).add(Flatten).add(Dropout::new(0.3));
    let model = layers.add(Dense::new(10)).add(Softmax).build(Device::Cpu).unwrap();
    let optimizer = Adam::new(3e-3).decay(1e-3).weight_decay(1e-3);
    model.compile(optimizer, Loss::CategoricalCrossEntropy).unwrap();
    model
}

fn fit(folder: &Path) -> Fit {
    Fit::new()
        .epochs(6)
        .batch_size(50)
        .validation_split(0.2)
        .schedule(Schedule::cosine().warm_up(1))
        .metrics([Metric::F1])
        .callback(ReduceOnPlateau::new(1).factor(0.5).monitor("loss").min_delta(0.5))
        .callback(MovingAverage::new(0.9))
        .callback(EarlyStopping::new(5))
        .callback(Checkpoint::new(folder.join("checkpoint.safetensors")))
}

/// Does nothing unless it is asked for in a process of its own.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let folder = std::path::PathBuf::from(std::env::var(FOLDER).unwrap());
    let train = datasets::shapes().unwrap().train.take(250).to_tensors(Device::Cpu);
    let checkpoint = folder.join("checkpoint.safetensors");
    let (model, how) = match role.as_str() {
        // Other draws in between change nothing: all follows from what was saved.
        "resumed" => {
            runtime::seed(99);
            tch::manual_seed(99);
            (model(), fit(&folder).resume(&checkpoint))
        }
        // The third epoch's file is what is left of a training that broke off in the fourth.
        "broken" => (model(), fit(&folder).callback(StopAfter(3))),
        _ => (model(), fit(&folder)),
    };
    let history = model.fit(&train, how).unwrap();
    let mut said = String::new();
    for epoch in history.epochs() {
        let values =
            [Some(epoch.loss), epoch.val_loss, epoch.value("val_f1"), Some(epoch.learning_rate)];
        said.push_str(&format!("{} {:?}\n", epoch.number, values.map(|v| v.map(f64::to_bits))));
    }
    for name in model.weight_names() {
        let weight = Vec::<f32>::try_from(model.weight(&name).unwrap().view(-1)).unwrap();
        let bits = weight.iter().fold(7u64, |hash, value| {
            (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0000_0100_0000_01B3)
        });
        said.push_str(&format!("{name} {bits:x}\n"));
    }
    std::fs::write(folder.join(role), said).unwrap();
}

#[derive(Debug)]
struct StopAfter(usize);

impl tchalk::train::Callback for StopAfter {
    fn on_batch_end(&mut self, run: &mut tchalk::train::Run) -> tchalk::train::CallbackResult {
        if run.epoch() > self.0 && run.step() == 2 {
            run.stop("broken off");
        }
        Ok(())
    }
}

fn ask(role: &str, folder: &Path) -> String {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(ROLE, role)
        .env(FOLDER, folder)
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    std::fs::read_to_string(folder.join(role)).unwrap()
}

#[test]
fn a_resumed_training_is_equal_to_an_uninterrupted_one() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let unbroken = ask("unbroken", one.path());
    assert_eq!(unbroken.lines().filter(|line| line.starts_with(char::is_numeric)).count(), 6);
    let broken = ask("broken", other.path());
    assert_eq!(broken.lines().filter(|line| line.starts_with(char::is_numeric)).count(), 3);
    assert_eq!(ask("resumed", other.path()), unbroken);
    let third = tempfile::tempdir().unwrap();
    assert_eq!(ask("again", third.path()), unbroken, "two runs from one seed");
}

#[test]
fn a_file_that_is_no_checkpoint_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let train = datasets::shapes().unwrap().train.take(50).to_tensors(Device::Cpu);
    let refused = |path: &Path| {
        let error = model().fit(&train, Fit::new().resume(path)).unwrap_err().to_string();
        assert!(error.contains("Checkpoint::new(path)"), "{error}");
        error
    };
    refused(&folder.path().join("none.safetensors"));
    let file = folder.path().join("text.safetensors");
    std::fs::write(&file, "not a checkpoint").unwrap();
    assert!(refused(&file).contains("no checkpoint"));
    // A checkpoint of another network.
    let path = folder.path().join("other.safetensors");
    let other = Sequential::new().input_shape([3, 32, 32]).add(Flatten).add(Dense::new(10));
    let other = other.add(Softmax).build(Device::Cpu).unwrap();
    other.compile(Sgd::new(0.01), Loss::CategoricalCrossEntropy).unwrap();
    other.fit(&train, Fit::new().callback(Checkpoint::new(&path))).unwrap();
    let error = model().fit(&train, Fit::new().resume(&path)).unwrap_err().to_string();
    assert!(error.contains("no weight \"conv2d.weight\""), "{error}");
}
