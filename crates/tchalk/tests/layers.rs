//! Every layer's outputs and gradients are Keras's.
//!
//! The reference values were written by `tests/reference/layers.py`.

#[path = "common/reference.rs"]
mod reference;

use reference::reference;
use std::collections::HashMap;
use tch::{Kind, Tensor};
use tchalk::layers::*;
use tchalk::tch;

/// The values of the script, by name.
struct Reference(HashMap<String, Tensor>);

impl Reference {
    fn read() -> Reference {
        Reference(reference("layers"))
    }

    fn get(&self, name: &str) -> &Tensor {
        self.0.get(name).unwrap_or_else(|| panic!("the file holds no {name:?}"))
    }

    /// The values `{name}0`, `{name}1`, …
    fn numbered(&self, name: &str) -> Vec<Tensor> {
        (0..).map_while(|i| self.0.get(&format!("{name}{i}"))).map(Tensor::copy).collect()
    }

    /// All that begins with `{case} `.
    fn has(&self, case: &str) -> bool {
        self.0.contains_key(&format!("{case} y"))
    }
}

fn assert_close(what: &str, ours: &Tensor, theirs: &Tensor) {
    assert_eq!(ours.size(), theirs.size(), "{what}");
    let distance = (ours - theirs).abs().max().double_value(&[]);
    assert!(distance < 2e-5, "{what}: {distance:e}");
}

/// The sum of the outputs, each times a weight of its own, as in the script.
fn weighted_sum(y: &Tensor) -> Tensor {
    let numbers = Tensor::arange(y.numel() as i64, (Kind::Float, y.device()));
    let weights = (numbers.remainder(7.0) - 3.0) / 4.0;
    (y.flatten(0, -1) * weights).sum(Kind::Float)
}

fn sizes(tensor: &Tensor) -> Vec<usize> {
    tensor.size()[1..].iter().map(|&n| n as usize).collect()
}

/// Runs `layer` forwards and backwards with the case's weights and compares everything.
fn check(reference: &Reference, case: &str, layer: &dyn Layer, mode: Mode) {
    let prefix = format!("{case} x ");
    let input = reference.0.keys().find_map(|name| name.strip_prefix(&prefix));
    let input = input.unwrap_or_else(|| panic!("the file holds no {case:?}"));
    let x = reference.get(&format!("input {input}")).copy().set_requires_grad(true);
    let specs = layer.weights(&sizes(&x));
    let weights = reference.numbered(&format!("{case} w"));
    assert_eq!(weights.len(), specs.len(), "{case}");
    let weights: Vec<Tensor> = weights
        .into_iter()
        .zip(&specs)
        .map(|(weight, spec)| {
            assert_eq!(weight.size().iter().map(|&n| n as usize).collect::<Vec<_>>(), spec.shape);
            weight.set_requires_grad(spec.trainable)
        })
        .collect();
    let shape = layer.output_shape(&sizes(&x), "input").unwrap();
    let y = layer.forward(&x, &weights, mode);
    assert_eq!(sizes(&y), shape, "{case}");
    assert_close(&format!("{case} y"), &y, reference.get(&format!("{case} y")));
    weighted_sum(&y).backward();
    assert_close(&format!("{case} dx"), &x.grad(), reference.get(&format!("{case} dx")));
    for (i, (weight, spec)) in weights.iter().zip(&specs).enumerate() {
        if spec.trainable {
            let name = format!("{case} dw{i}");
            assert_close(&name, &weight.grad(), reference.get(&name));
        } else if mode == Mode::Training {
            let name = format!("{case} after w{i}");
            assert_close(&name, weight, reference.get(&name));
        }
    }
}

fn padding(name: &str) -> Padding {
    if name == "same" { Padding::Same } else { Padding::Valid }
}

#[test]
fn windows_of_all_kinds_are_keras_s() {
    let reference = Reference::read();
    let mut count = 0;
    for (size, stride) in [(2, 1), (2, 2), (3, 1), (3, 2)] {
        for (name, image) in
            [("same", "odd"), ("same", "even"), ("valid", "odd"), ("valid", "even")]
        {
            let padding = padding(name);
            let layers: [Box<dyn Layer>; 4] = [
                Box::new(Conv2d::new(2, size).stride(stride).padding(padding)),
                Box::new(MaxPool2d::new(size).stride(stride).padding(padding)),
                Box::new(AveragePool2d::new(size).stride(stride).padding(padding)),
                Box::new(
                    DepthwiseConv2d::new(size)
                        .stride(stride)
                        .padding(padding)
                        .depth_multiplier(stride),
                ),
            ];
            for layer in layers {
                let case = format!("{} {size} {stride} {name} {image}", layer.kind());
                check(&reference, &case, &*layer, Mode::Inference);
                count += 1;
            }
        }
    }
    assert_eq!(count, 64);
}

#[test]
fn convolutions_with_more_settings_are_keras_s() {
    let reference = Reference::read();
    let check = |case: &str, layer: &dyn Layer| check(&reference, case, layer, Mode::Inference);
    for name in ["same", "valid"] {
        for image in ["odd", "even"] {
            let layer = Conv2d::new(2, 2).dilation(2).padding(padding(name));
            check(&format!("conv2d dilated {name} {image}"), &layer);
            let layer = Conv2d::new(2, 3).padding(padding(name)).activation(Relu);
            check(&format!("conv2d relu {name} {image}"), &layer);
        }
    }
    check("conv2d groups", &Conv2d::new(6, 3).groups(2).padding(Padding::Same));
    check("conv2d no bias", &Conv2d::new(3, 1).use_bias(false));
    let layer = DepthwiseConv2d::new(2).dilation(2).padding(Padding::Same);
    check("depthwise_conv2d dilated", &layer);
}

#[test]
fn dense_layers_and_batch_normalization_are_keras_s() {
    let reference = Reference::read();
    let check = |case: &str, layer: &dyn Layer, mode| check(&reference, case, layer, mode);
    check("dense", &Dense::new(3), Mode::Training);
    check("dense tanh", &Dense::new(3).activation(Tanh), Mode::Training);
    check("dense softmax", &Dense::new(3).activation(Softmax), Mode::Training);
    check("batch_norm2d use", &BatchNorm2d::new(), Mode::Inference);
    check("batch_norm2d learn", &BatchNorm2d::new(), Mode::Training);
    let set = BatchNorm2d::new().momentum(0.9).epsilon(1e-5);
    check("batch_norm2d set", &set, Mode::Training);
}

#[test]
fn what_rearranges_and_scales_is_keras_s() {
    let reference = Reference::read();
    let check = |case: &str, layer: &dyn Layer| check(&reference, case, layer, Mode::Training);
    check("global_average_pool2d", &GlobalAveragePool2d);
    check("global_max_pool2d", &GlobalMaxPool2d);
    for (rows, columns) in [(2, 3), (7, 7), (1, 1)] {
        let case = format!("adaptive_average_pool2d {rows} {columns}");
        check(&case, &AdaptiveAveragePool2d::new(rows, columns));
    }
    check("flatten", &Flatten);
    check("reshape", &Reshape::new([6, 6, 2]));
    check("zero_pad2d", &ZeroPad2d::new(2));
    check("zero_pad2d sides", &ZeroPad2d::sides(0, 1, 2, 3));
    check("rescale", &Rescale::new(2.5).offset(-0.5));
    check("normalize", &Normalize::new([0.5, -0.25, 2.0], [0.5, 2.0, 1.0]));
    for (rows, columns) in [(14, 10), (3, 3), (5, 8)] {
        check(&format!("resize {rows} {columns}"), &Resize::new(rows, columns));
    }
    check("resize antialias", &Resize::new(3, 2).antialias(true));
}

#[test]
fn activations_are_keras_s() {
    let reference = Reference::read();
    let check = |case: &str, layer: &dyn Layer| check(&reference, case, layer, Mode::Training);
    check("relu", &Relu);
    check("relu6", &Relu6);
    check("leaky_relu", &LeakyRelu::new());
    check("leaky_relu 0.01", &LeakyRelu::new().negative_slope(0.01));
    check("elu", &Elu::new());
    check("elu 0.5", &Elu::new().alpha(0.5));
    check("gelu", &Gelu::new());
    check("gelu approximate", &Gelu::new().approximate(true));
    check("silu", &Silu);
    check("tanh", &Tanh);
    check("sigmoid", &Sigmoid);
    check("softmax", &Softmax);
}

#[test]
fn joins_are_keras_s() {
    let reference = Reference::read();
    for (case, merge) in
        [("concatenate", &Concatenate as &dyn Merge), ("add", &Add), ("average", &Average)]
    {
        let inputs = reference.numbered(&format!("{case} in"));
        let inputs: Vec<Tensor> = inputs.iter().map(|x| x.set_requires_grad(true)).collect();
        let shapes: Vec<Shape> = inputs.iter().map(sizes).collect();
        let names: Vec<String> = (0..3).map(|i| format!("input_{i}")).collect();
        let y = merge.forward(&inputs);
        assert_eq!(sizes(&y), merge.output_shape(&shapes, &names).unwrap());
        assert_close(case, &y, reference.get(&format!("{case} y")));
        weighted_sum(&y).backward();
        for (i, x) in inputs.iter().enumerate() {
            assert_close(case, &x.grad(), reference.get(&format!("{case} dx{i}")));
        }
    }
}

#[test]
fn the_shortcut_without_weights_is_every_other_pixel_and_zeros() {
    let reference = Reference::read();
    let x = reference.get("input odd");
    let x = MaxPool2d::new(1).stride(2).forward(x, &[], Mode::Inference);
    let y = PadChannels::new(2, 2).forward(&x, &[], Mode::Inference);
    assert_close("shortcut", &y, reference.get("shortcut y"));
}

#[test]
fn the_file_holds_nothing_that_is_not_looked_at() {
    let reference = Reference::read();
    let cases = reference.0.keys().filter(|name| name.ends_with(" y")).count();
    assert_eq!(cases, 64 + 11 + 6 + 15 + 12 + 3 + 1);
    assert!(reference.has("shortcut"));
}
