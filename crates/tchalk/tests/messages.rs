//! The wording of messages, in one place: what a reader sees after typical mistakes.
//!
//! Other tests check variants and values. Here all texts are compared with `reference/messages.txt`;
//! `TCHALK_UPDATE_MESSAGES=1` writes that file again.

use std::fmt::{Debug, Display, Write};
use std::path::Path;
use tchalk::prelude::*;
use tchalk::train::{Note, Shortened, StoppedAt};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/messages.txt");

/// Texts with headings; paths of the machine are left out.
struct Messages {
    text: String,
    folder: tempfile::TempDir,
}

impl Messages {
    fn add(&mut self, mistake: &str, message: impl Display) {
        let folder = self.folder.path().display().to_string();
        let message = message.to_string().replace(&folder, "FOLDER");
        writeln!(self.text, "# {mistake}\n{message}\n").unwrap();
    }

    fn refused<T>(&mut self, mistake: &str, result: tchalk::Result<T>) {
        match result {
            Ok(_) => panic!("{mistake}: this should have been refused"),
            Err(error) => self.add(mistake, error),
        }
    }

    fn path(&self, name: &str, content: &[u8]) -> std::path::PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

fn set(shape: &[i64], classes: &[&str]) -> TensorSet {
    let x = Tensor::zeros(shape, (Kind::Float, Device::Cpu));
    let y = Tensor::arange(shape[0], (Kind::Int64, Device::Cpu)).remainder(classes.len() as i64);
    TensorSet::new(&x, &y, classes).unwrap()
}

fn build(layers: Sequential) -> Model {
    layers.build(Device::Cpu).unwrap()
}

fn input() -> Sequential {
    Sequential::new().input_shape([3, 8, 8])
}

fn layers(messages: &mut Messages) {
    messages.refused("a layer of no units", input().add(Dense::new(0)).build(Device::Cpu));
    messages.refused("Dense on an image", input().add(Dense::new(4)).build(Device::Cpu));
    messages.refused(
        "a kernel larger than the image",
        input().add(Conv2d::new(4, 9)).build(Device::Cpu),
    );
    messages.refused("no input shape", Sequential::new().add(Flatten).build(Device::Cpu));
    messages.refused("dropout of 1", input().add(Dropout::new(1.0)).build(Device::Cpu));
    let twice = input().add_named("one", Conv2d::new(2, 3)).add_named("one", Conv2d::new(3, 3));
    messages.refused("a name given twice", twice.build(Device::Cpu));
    let (image, row) = (Input::new("image", [3, 8, 8]), Input::new("row", [4]));
    messages.refused("sum of two shapes", Add::new().call(&[&image, &row]));
}

fn training(messages: &mut Messages) {
    let train = set(&[6, 3, 8, 8], &["cat", "dog"]);
    let open = || build(input().add(Flatten).add(Dense::new(2)));
    let model = build(input().add(Flatten).add(Dense::new(2)).add(Softmax));
    messages.refused("fit before compile", model.fit(&train, Fit::new()));
    messages.refused("no Softmax", open().compile(Adam::new(1e-3), Loss::CategoricalCrossEntropy));
    messages.refused(
        "a negative learning rate",
        model.compile(Adam::new(-1.0), Loss::CategoricalCrossEntropy),
    );
    model.compile(Adam::new(1e-3), Loss::CategoricalCrossEntropy).unwrap();
    messages.refused(
        "another size of images",
        model.fit(&set(&[6, 3, 9, 9], &["cat", "dog"]), Fit::new()),
    );
    messages.refused("an empty set", model.fit(&train.first(0), Fit::new()));
    let others = set(&[6, 3, 8, 8], &["dog", "cat"]);
    messages.refused("other class names", model.fit(&train, Fit::new().validation(&others)));
    let stopping = Fit::new().callback(EarlyStopping::new(1));
    messages.refused("early stopping without validation data", model.fit(&train, stopping));
    messages.refused("no batch size", model.fit(&train, Fit::new().batch_size(0)));
    messages.refused("a layer that is not there", model.freeze_at("block1"));
    model.freeze();
    messages.refused("everything frozen", model.fit(&train, Fit::new()));
}

fn files(messages: &mut Messages) {
    let missing = messages.folder.path().join("missing");
    messages.refused("a model that is not there", Model::load(&missing, Device::Cpu));
    let text = messages.path("text.safetensors", b"not a model, but longer than a header");
    messages.refused("a model that is none", Model::load(&text, Device::Cpu));
    messages.refused("a folder that is not there", datasets::image_folder(&missing, [8, 8]));
    let csv = messages.path("rows.csv", b"a,b\n1,2\n3\n");
    messages.refused("a short row", CsvTable::read(&csv));
}

fn notes(messages: &mut Messages) {
    let shortened = |to| Note::Shortened { budget: Budget::Class, to };
    let notes = [
        shortened(Shortened::Epoch { epoch: 2, steps: 10, planned_steps: 40 }),
        shortened(Shortened::Evaluation { examples: 500, all_examples: 10_000 }),
        Note::Leak { validation: false, leaked: 40, examples: 40 },
        Note::Leak { validation: true, leaked: 12, examples: 40 },
        Note::ChosenOnThisSet,
        Note::FittedOnThisSet,
        Note::ZeroLearningRate,
        Note::WeightsRestored { epoch: 3, metric: "val_loss".into(), value: 0.25 },
        Note::Stopped { at: StoppedAt::InEpoch(4), reason: None },
        Note::UnfinishedMembers { finished: 1, planned: 3, reason: None },
    ];
    for note in notes {
        let name = format!("{note:?}");
        messages.add("a note", name);
    }
}

fn checks(messages: &mut Messages) {
    let train = set(&[20, 1, 28, 28], &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    let digits = || Sequential::new().input_shape([1, 28, 28]);
    let shown = |list: &dyn Debug| format!("{list:?}");
    let single = build(digits().add(Flatten).add(Dense::new(10)));
    messages.add("a network of one layer", shown(&check::model(&single, &train)));
    let good = digits().add(Conv2d::new(8, 3)).add(Relu).add(MaxPool2d::new(2)).add(Flatten);
    let good = build(good.add(Dense::new(10)).add(Softmax));
    messages.add("a good network", shown(&check::model(&good, &train)));
    messages.add("not compiled", shown(&check::compiled(&good)));
}

#[test]
fn messages_are_worded_as_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut messages = Messages { text: String::new(), folder };
    for part in [layers, training, files, notes, checks] {
        part(&mut messages);
    }
    if std::env::var_os("TCHALK_UPDATE_MESSAGES").is_some() {
        std::fs::write(Path::new(GOLDEN), &messages.text).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap();
    let differ = golden.lines().zip(messages.text.lines()).find(|(old, new)| old != new);
    assert_eq!(differ, None);
    assert_eq!(golden.lines().count(), messages.text.lines().count());
}
