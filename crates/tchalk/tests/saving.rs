//! Networks as files: what is saved comes back bit for bit, and what is damaged, truncated or
//! malicious is refused in words.

#[path = "common/refused.rs"]
mod refused;

use proptest::prelude::*;
use refused::refused;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tchalk::Error;
use tchalk::prelude::*;
use tempfile::TempDir;

fn noise(shape: &[i64]) -> Tensor {
    Tensor::rand(shape, (Kind::Float, Device::Cpu))
}

/// Branches, a layer used twice, a model used twice, a model in a model, frozen parts.
fn everything() -> Model {
    let base = Sequential::new().name("base").input_shape([3, 12, 12]).add(Conv2d::new(4, 3));
    let base = base.add(Relu).add(MaxPool2d::new(2)).add(Dropout::new(0.25));
    let base = base.build(Device::Cpu).unwrap();
    let middle = Sequential::new().add(&base).add(Conv2d::new(4, 3).padding(Padding::Same));
    let middle = middle.add(Conv2d::new(2, 3).stride(2)).build(Device::Cpu).unwrap();
    let input = Input::new("image", [3, 12, 12]);
    let shared = Dense::new(6);
    let a = Flatten.call(&middle.call(&input).unwrap()).unwrap();
    let b = Flatten.call(&middle.call(&Relu.call(&input).unwrap()).unwrap()).unwrap();
    let (a, b) = (shared.call(&a).unwrap(), shared.call(&b).unwrap());
    let sum = Add::new().call(&[&a, &b]).unwrap();
    let mean = Average::new().call(&[&a, &b]).unwrap();
    let low = base.feature_extractor("max_pool2d").unwrap();
    let low = Flatten.call(&low.call(&input).unwrap()).unwrap();
    let all = Concatenate::new().call(&[sum, mean, low]).unwrap();
    let scores = Dense::new(5).named("scores").call(&all).unwrap();
    let model =
        Model::new("everything", &input, &Softmax.call(&scores).unwrap(), Device::Cpu).unwrap();
    base.freeze();
    model
}

fn small() -> Model {
    let layers = Sequential::new().input_shape([2, 6, 6]).add(Conv2d::new(2, 3)).add(Relu);
    layers.add(Flatten).add(Dense::new(3)).add(Softmax).build(Device::Cpu).unwrap()
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    (folder, path)
}

/// The header of a file, the architecture in it, and the numbers.
fn parts(path: &Path) -> (Value, Value, Vec<u8>) {
    let bytes = std::fs::read(path).unwrap();
    let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..end]).unwrap();
    let text = header["__metadata__"]["tchalk"].as_str().unwrap();
    let network = serde_json::from_str(text).unwrap();
    (header, network, bytes[end..].to_vec())
}

/// Writes a file of this header and these numbers.
fn put(path: &Path, header: &str, numbers: &[u8]) {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(numbers);
    std::fs::write(path, bytes).unwrap();
}

/// What loading says about the small network, changed.
fn told(change: impl Fn(&mut Value, &mut Value)) -> String {
    let (_folder, path) = place();
    small().save(&path).unwrap();
    let (mut header, mut network, numbers) = parts(&path);
    change(&mut header, &mut network);
    header["__metadata__"]["tchalk"] = network.to_string().into();
    put(&path, &header.to_string(), &numbers);
    refused(Model::load(&path, Device::Cpu))
}

#[test]
fn what_is_saved_comes_back_bit_for_bit() {
    let (_folder, path) = place();
    let model = everything();
    // Numbers that a detour over text would lose.
    let odd = [f32::NAN, -0.0, f32::MIN_POSITIVE / 8.0, f32::INFINITY, 0.1];
    model.set_weight("scores.bias", &Tensor::from_slice(&odd)).unwrap();
    model.save(&path).unwrap();
    let again = Model::load(&path, Device::Cpu).unwrap();
    assert_eq!(again.name(), "everything");
    assert_eq!(again.layer_paths(), model.layer_paths());
    assert_eq!(again.weight_names(), model.weight_names());
    assert_eq!(again.parameter_count(), model.parameter_count());
    assert_eq!(again.trainable_count(), model.trainable_count());
    assert_eq!(format!("{:?}", again.summary()), format!("{:?}", model.summary()));
    let bits = |model: &Model, name: &str| {
        let values = Vec::<f32>::try_from(model.weight(name).unwrap().view(-1)).unwrap();
        values.into_iter().map(f32::to_bits).collect::<Vec<_>>()
    };
    for name in model.weight_names() {
        assert_eq!(bits(&again, &name), bits(&model, &name), "{name}");
    }
    model.set_weight("scores.bias", &noise(&[5])).unwrap();
    model.save(&path).unwrap();
    let again = Model::load(&path, Device::Cpu).unwrap();
    let x = noise(&[3, 3, 12, 12]) - 0.5;
    assert_eq!(again.call(&x).unwrap(), model.call(&x).unwrap());
    // And once more, from the copy.
    let second = path.with_extension("second");
    again.save(&second).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&second).unwrap());
}

#[test]
fn sharing_and_freezing_survive() {
    let (_folder, path) = place();
    everything().save(&path).unwrap();
    let model = Model::load(&path, Device::Cpu).unwrap();
    let bias = noise(&[4]);
    model.set_weight("sequential:2/base/conv2d.bias", &bias).unwrap();
    for name in ["sequential/base/conv2d.bias", "base_max_pool2d/conv2d.bias"] {
        assert_eq!(model.weight(name).unwrap(), bias, "{name}");
    }
    model.unfreeze_at("sequential/base").unwrap();
    assert_eq!(model.trainable_count(), model.parameter_count());
    let y = Tensor::from_slice(&[0i64, 1, 2, 3]);
    let set = TensorSet::new(&noise(&[4, 3, 12, 12]), &y, &["a", "b", "c", "d", "e"]).unwrap();
    model.compile(Sgd::new(0.1), Loss::CategoricalCrossEntropy).unwrap();
    model.fit(&set, Fit::new()).unwrap();
}

#[test]
fn a_file_appears_whole_and_folders_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results/deep/model.safetensors");
    small().save(&path).unwrap();
    small().save(&path).unwrap();
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    std::fs::create_dir(folder.path().join("taken")).unwrap();
    let error = small().save(folder.path().join("taken")).unwrap_err();
    assert!(matches!(&error, Error::Io { path, .. } if path.ends_with("taken")), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing half-made is left");
}

#[test]
fn others_can_read_the_weights() {
    let (_folder, path) = place();
    let model = small();
    model.save(&path).unwrap();
    let tensors = Tensor::read_safetensors(&path).unwrap();
    assert_eq!(tensors.len(), 4);
    for (name, tensor) in tensors {
        assert_eq!(tensor, model.weight(&name).unwrap());
    }
}

#[test]
fn weights_go_by_name_and_the_report_says_what_happened() {
    let (_folder, path) = place();
    let (one, two) = (small(), small());
    one.save_weights(&path).unwrap();
    let message = refused(Model::load(&path, Device::Cpu));
    assert!(message.contains("no network of tchalk") && message.contains("load_weights"));
    let report = two.load_weights(&path).unwrap();
    assert!(report.is_complete() && format!("{report:?}").contains("all 4 weights"), "{report:?}");
    let x = noise(&[2, 2, 6, 6]);
    assert_eq!(one.call(&x).unwrap(), two.call(&x).unwrap());

    let layers = Sequential::new().input_shape([2, 6, 6]).add(Conv2d::new(2, 3)).add(Flatten);
    let other = layers.add(Dense::new(7)).add(Dense::new(2).named("last"));
    let other = other.build(Device::Cpu).unwrap();
    let before = other.weight("dense.bias").unwrap();
    let report = other.load_weights(&path).unwrap();
    assert_eq!(report.matched(), ["conv2d.weight", "conv2d.bias"]);
    assert_eq!(report.misshaped(), ["dense.weight", "dense.bias"]);
    assert_eq!(report.missing(), ["last.weight", "last.bias"]);
    assert!(report.unexpected().is_empty() && !report.is_complete());
    assert_eq!(before, other.weight("dense.bias").unwrap());
    let text = format!("{report:?}");
    assert!(text.contains("expected [7], got [3]") && text.contains("2 weights filled"), "{text}");

    let stranger = Sequential::new().input_shape([4]).add(Dense::new(2).named("stranger"));
    let message = refused(stranger.build(Device::Cpu).unwrap().load_weights(&path));
    assert!(message.contains("none of its 4 tensors"), "{message}");
}

#[test]
fn numbers_of_other_kinds_are_converted_or_refused() {
    let (_folder, path) = place();
    let model = small();
    let write = |kind: Kind| {
        let tensors: Vec<(String, Tensor)> = model
            .weight_names()
            .into_iter()
            .map(|name| (name.clone(), model.weight(&name).unwrap().to_kind(kind)))
            .collect();
        Tensor::write_safetensors(&tensors, &path).unwrap();
    };
    for kind in [Kind::Half, Kind::BFloat16, Kind::Double] {
        write(kind);
        let other = small();
        assert!(other.load_weights(&path).unwrap().is_complete(), "{kind:?}");
        let near = other.weight("dense.weight").unwrap() - model.weight("dense.weight").unwrap();
        assert!(near.abs().max().double_value(&[]) < 0.01, "{kind:?}");
    }
    write(Kind::Int64);
    let message = refused(small().load_weights(&path));
    assert!(message.contains("none of its 4 tensors"), "{message}");
    let message = told(|header, _| {
        header["dense.bias"]["dtype"] = "I32".into();
    });
    assert!(message.contains("\"dense.bias\" should be of kind F32, it is I32"), "{message}");
}

#[test]
fn what_cannot_be_known_is_refused_in_words() {
    let cases: Vec<(&str, String)> = vec![
        ("A newer tchalk", told(|_, n| n["version"] = 2.into())),
        ("says no version", told(|_, n| n["version"] = "one".into())),
        ("\"transformer\"", told(|_, n| n["layers"][0]["kind"] = "transformer".into())),
        ("integer `-3`", told(|_, n| n["layers"][0]["config"] = json!({"filters": -3}))),
        ("beyond reason", told(|_, n| n["layers"][0]["config"]["filters"] = (1u64 << 40).into())),
        ("missing field", told(|_, n| drop(n.as_object_mut().unwrap().remove("layers")))),
        ("unknown field", told(|_, n| n["run"] = "rm".into())),
        ("no model", told(|_, n| n["models"] = json!([]))),
        ("not in a circle", told(|_, n| n["models"][0]["nodes"][1]["inputs"] = json!([3]))),
        ("not in a circle", told(|_, n| n["models"][0]["nodes"][1]["inputs"] = json!([1]))),
        ("comes before", told(|_, n| n["models"][0]["nodes"][2]["op"] = json!({"model": 0}))),
        (
            "a layer of this file",
            told(|_, n| n["models"][0]["nodes"][2]["op"] = json!({"layer": 9})),
        ),
        ("two layers", told(|_, n| n["models"][0]["nodes"][2]["name"] = "conv2d".into())),
        ("without /", told(|_, n| n["models"][0]["nodes"][2]["name"] = "a/b".into())),
        ("its outputs", told(|_, n| n["models"][0]["outputs"] = json!([99]))),
        ("its inputs", told(|_, n| n["models"][0]["inputs"] = json!([0, 0]))),
        ("its inputs", told(|_, n| n["models"][0]["inputs"] = json!([1]))),
        ("lead to an output", told(|_, n| n["models"][0]["outputs"] = json!([2]))),
        (
            "numbers",
            told(|_, n| {
                n["models"][0]["nodes"][0]["op"]["input"]["shape"] = json!([2, 1u64 << 60, 9])
            }),
        ),
        (
            "sizes of at least 1",
            told(|_, n| n["models"][0]["nodes"][0]["op"]["input"]["shape"] = json!([])),
        ),
        (
            "should be [2, 1, 3, 3]",
            told(|_, n| {
                n["models"][0]["nodes"][0]["op"]["input"]["shape"] = json!([1, 6, 6]);
            }),
        ),
        (
            "\"dense.bias\" is missing",
            told(|h, _| {
                let bias = h.as_object_mut().unwrap().remove("dense.bias").unwrap();
                h["more"] = bias;
            }),
        ),
        ("\"more\" belongs to no layer", {
            // One tensor more than the network has weights.
            let (_folder, path) = place();
            small().save(&path).unwrap();
            let (mut header, _, mut numbers) = parts(&path);
            let end = numbers.len();
            header["more"] = json!({"dtype": "F32", "shape": [1], "data_offsets": [end, end + 4]});
            numbers.extend([0; 4]);
            put(&path, &header.to_string(), &numbers);
            refused(Model::load(&path, Device::Cpu))
        }),
    ];
    for (expected, message) in cases {
        assert!(message.contains(expected), "expected {expected:?} in: {message}");
        assert!(message.contains("model.safetensors"), "the file is named: {message}");
    }
}

#[test]
fn damaged_headers_are_refused_before_memory_is_taken() {
    let (_folder, path) = place();
    let load = || refused(Model::load(&path, Device::Cpu));
    let is_damaged = || matches!(Model::load(&path, Device::Cpu), Err(Error::BadFile { .. }));
    assert!(matches!(Model::load(&path, Device::Cpu), Err(Error::Io { .. })));
    std::fs::write(&path, b"abc").unwrap();
    assert!(load().contains("3 bytes are too few"));
    std::fs::write(&path, u64::MAX.to_le_bytes()).unwrap();
    assert!(load().contains("a header of 18446744073709551615 bytes"));
    put(&path, "not json", b"");
    assert!(is_damaged());
    put(&path, &"[".repeat(100_000), b"");
    assert!(is_damaged());
    put(&path, &format!("{{\"a\":{}", "{\"a\":".repeat(100_000)), b"");
    assert!(is_damaged());
    let tensor = |shape: &str, offsets: &str| {
        format!("\"a\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":{offsets}}}")
    };
    put(&path, &format!("{{{},{}}}", tensor("[1]", "[0,4]"), tensor("[1]", "[0,4]")), &[0; 4]);
    assert!(load().contains("names \"a\" twice"), "{}", load());
    put(&path, &format!("{{{}}}", tensor("[4294967296,4294967296,4294967296]", "[0,4]")), &[0; 4]);
    assert!(is_damaged());
    put(&path, &format!("{{{}}}", tensor("[1099511627776]", "[0,4398046511104]")), &[0; 4]);
    assert!(load().contains("4 bytes of numbers where 4398046511104"), "{}", load());
    put(&path, &format!("{{{}}}", tensor("[1]", "[4,8]")), &[0; 8]);
    assert!(is_damaged());
}

#[test]
fn models_that_unfold_beyond_reason_are_refused() {
    // Each model runs the one before it twice: 2^60 layers from a few lines.
    let (_folder, path) = place();
    let input = json!({"name": "input", "op": {"input": {"shape": [1]}}, "inputs": []});
    let mut models = vec![json!({
        "name": "m", "named": true, "nodes": [input], "inputs": [0], "outputs": [0]
    })];
    for i in 0..45 {
        let twice = ["a", "b"]
            .iter()
            .enumerate()
            .map(|(k, name)| json!({"name": name, "op": {"model": i}, "inputs": [k]}));
        let nodes: Vec<Value> = [input.clone()].into_iter().chain(twice).collect();
        models.push(json!({
            "name": "m", "named": true, "nodes": nodes, "inputs": [0], "outputs": [2]
        }));
    }
    let network = json!({"version": 1, "layers": [], "models": models}).to_string();
    put(&path, &json!({"__metadata__": {"tchalk": network}}).to_string(), b"");
    let message = refused(Model::load(&path, Device::Cpu));
    assert!(message.contains("at most 100000 layers"), "{message}");
    // And models in models, each holding but one.
    let chain = (0..80).map(|i| {
        let op = if i == 0 {
            json!({"merge": {"kind": "add", "config": null}})
        } else {
            json!({"model": i - 1})
        };
        let inputs = if i == 0 { json!([0, 0]) } else { json!([0]) };
        let nodes = json!([input, {"name": "a", "op": op, "inputs": inputs}]);
        json!({"name": "m", "named": true, "nodes": nodes, "inputs": [0], "outputs": [1]})
    });
    let network = json!({"version": 1, "layers": [], "models": chain.collect::<Vec<_>>()});
    put(&path, &json!({"__metadata__": {"tchalk": network.to_string()}}).to_string(), b"");
    assert!(refused(Model::load(&path, Device::Cpu)).contains("50 at most"));
}

#[test]
fn every_application_comes_back() {
    let (_folder, path) = place();
    let built = [
        applications::vgg16().without_top().input_shape([3, 32, 32]),
        applications::resnet18().input_shape([3, 64, 64]).classes(7),
        applications::resnet50().without_top().input_shape([3, 32, 32]),
        applications::squeezenet1_0().input_shape([3, 64, 64]),
        applications::squeezenet1_1().input_shape([3, 64, 64]),
        applications::mobilenet_v2().input_shape([3, 32, 32]),
    ];
    for application in built {
        let model = application.weights(Weights::Random).build(Device::Cpu).unwrap();
        model.save(&path).unwrap();
        let again = Model::load(&path, Device::Cpu).unwrap();
        let size: Vec<i64> =
            [2].into_iter().chain(model.input_shape().iter().map(|&n| n as i64)).collect();
        let x = noise(&size);
        assert_eq!(again.call(&x).unwrap(), model.call(&x).unwrap(), "{}", model.name());
        assert_eq!(again.weight_names(), model.weight_names());
        assert!(model.diagram().figure().is_ok());
    }
}

/// Changes one value somewhere in a JSON tree, chosen by `pick`.
fn disturb(value: &mut Value, pick: &mut u64) {
    let mut next = |n: usize| {
        *pick = pick.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (*pick >> 33) as usize % n.max(1)
    };
    let stop = next(6) == 0;
    match value {
        Value::Array(values) if !values.is_empty() && !stop => {
            let at = next(values.len());
            disturb(&mut values[at], pick);
        }
        Value::Object(fields) if !fields.is_empty() && !stop => {
            let at = next(fields.len());
            let key = fields.keys().nth(at).unwrap().clone();
            disturb(&mut fields[&key], pick);
        }
        other => {
            *other = match next(9) {
                0 => Value::Null,
                1 => json!(next(12)),
                2 => json!(u64::MAX),
                3 => json!(-1),
                4 => json!(1e300),
                5 => json!("conv2d"),
                6 => json!([]),
                7 => json!([next(9), next(9)]),
                _ => json!({"shape": [next(5), next(5)]}),
            };
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_damage_is_an_error_or_harmless(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        keep in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let (_folder, path) = place();
        small().save(&path).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(keep.index(bytes.len()));
        }
        std::fs::write(&path, bytes).unwrap();
        let _ = small().load_weights(&path);
        if let Ok(model) = Model::load(&path, Device::Cpu) {
            let shape = model.input_shape();
            if shape.iter().product::<usize>() < 1_000_000 {
                let size: Vec<i64> = [1].into_iter().chain(shape.iter().map(|&n| n as i64)).collect();
                assert!(model.call_all(&noise(&size)).is_ok());
            }
        }
    }

    #[test]
    fn any_other_description_is_an_error_or_a_network_that_runs(seed in any::<u64>(), times in 1..4) {
        let (_folder, path) = place();
        everything().save(&path).unwrap();
        let (mut header, mut network, numbers) = parts(&path);
        let mut pick = seed;
        (0..times).for_each(|_| disturb(&mut network, &mut pick));
        header["__metadata__"]["tchalk"] = network.to_string().into();
        put(&path, &header.to_string(), &numbers);
        if let Ok(model) = Model::load(&path, Device::Cpu) {
            let shape = model.input_shape();
            if shape.iter().product::<usize>() < 1_000_000 && model.input_shapes().len() == 1 {
                let size: Vec<i64> = [1].into_iter().chain(shape.iter().map(|&n| n as i64)).collect();
                let outputs = model.call_all(&noise(&size)).unwrap();
                for (output, shape) in outputs.iter().zip(model.output_shapes()) {
                    let size: Vec<usize> = output.size()[1..].iter().map(|&n| n as usize).collect();
                    prop_assert_eq!(size, shape);
                }
            }
        }
    }

    #[test]
    fn any_small_network_comes_back(
        widths in prop::collection::vec(1usize..6, 1..5),
        skips in prop::collection::vec(any::<prop::sample::Index>(), 5),
        frozen in any::<bool>(),
    ) {
        let input = Input::new("x", [4]);
        let mut values = vec![input.clone()];
        for (&width, skip) in widths.iter().zip(&skips) {
            let dense = Dense::new(width);
            let last = dense.call(&values[values.len() - 1]).unwrap();
            let both = Concatenate::new().call(&[&last, &values[skip.index(values.len())]]).unwrap();
            values.push(Relu.call(&both).unwrap());
        }
        let model = Model::new("any", &input, values.last().unwrap(), Device::Cpu).unwrap();
        if frozen {
            model.freeze_at("dense").unwrap();
        }
        let (_folder, path) = place();
        model.save(&path).unwrap();
        let again = Model::load(&path, Device::Cpu).unwrap();
        let x = noise(&[2, 4]);
        prop_assert_eq!(again.call(&x).unwrap(), model.call(&x).unwrap());
        prop_assert_eq!(again.trainable_count(), model.trainable_count());
    }
}
