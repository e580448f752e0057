//! Can this network tell the classes apart?

use super::Checklist;
use super::end::end;
use super::structure::Structure;
use crate::data::TensorSet;
use crate::layers::shape_text;
use crate::model::Model;
use crate::text::thousands;

/// More parameters than this are more than a few ten thousand images can teach.
const MANY: usize = 10_000_000;
/// More than this, and an epoch on a processor takes ten times as long as the tutorial's network needs.
const SLOW: usize = 150_000_000;
/// A network on a drawing of 28 pixels that sees less than this sees no whole loop.
const NARROW: usize = 10;

/// Looks at a network before it is trained: whether it takes the images of `set` and answers with a
/// probability for each class, whether its layers can do what they are there for, whether it is too
/// small or too large for its task.
///
/// What it says of accuracies holds for handwritten digits.
///
/// ```
/// use tchalk::prelude::*;
/// let train = datasets::strokes()?.train.take(50).to_tensors(Device::Cpu);
/// let model = Sequential::new()
///     .input_shape([1, 28, 28])
///     .add(Conv2d::new(8, 3)).add(Relu).add(MaxPool2d::new(2))
///     .add(Flatten).add(Dense::new(10)).add(Softmax)
///     .build(Device::Cpu)?;
/// assert!(check::model(&model, &train).passes());
/// # Ok::<(), tchalk::Error>(())
/// ```
pub fn model(model: &Model, set: &TensorSet) -> Checklist {
    let mut list = Checklist::new("your network");
    let structure = Structure::of(model);
    if model.input_shapes().len() != 1 || model.output_shapes().len() != 1 {
        list.wrong(
            "ends",
            "it has several inputs or outputs, and a classifier of images has one each.",
        );
        return list;
    }
    input(&mut list, model, set);
    pixels(&mut list, set, &structure);
    output(&mut list, model, set);
    end(&mut list, model, &structure);
    bends(&mut list, &structure);
    kind(&mut list, model, &structure);
    size(&mut list, model, &structure);
    list
}

fn input(list: &mut Checklist, model: &Model, set: &TensorSet) {
    let (takes, images) = (model.input_shape(), set.example_shape());
    if takes == images {
        return list.right("input", format!("it takes images {}.", shape_text(&images)));
    }
    let (got, fits) = (shape_text(&takes), shape_text(&images));
    let same_numbers = takes.iter().product::<usize>() == images.iter().product::<usize>();
    let mut sorted = (takes.clone(), images.clone());
    sorted.0.sort();
    sorted.1.sort();
    let why = match takes.len() {
        1 if same_numbers => format!(
            "it takes a row of {} numbers, but the images are {fits}. Begin with \
             input_shape({fits}), and let Flatten be the first layer.",
            takes[0]
        ),
        3 if sorted.0 == sorted.1 => format!(
            "it takes {got}, but the images are {fits}: the channels come first, then the rows, \
             then the columns. Write input_shape({fits})."
        ),
        3 if takes[1..] == images[1..] => format!(
            "it takes {} channels, but the images have {}: gray images have one, color images \
             three. Write input_shape({fits}).",
            takes[0], images[0]
        ),
        _ => format!("it takes {got}, but the images are {fits}. Write input_shape({fits})."),
    };
    list.wrong("input", why);
}

/// Whether a first layer makes numbers small that are small already.
fn pixels(list: &mut Checklist, set: &TensorSet, structure: &Structure) {
    let Some(scale) = structure.first_scale().filter(|scale| !(0.05..=20.0).contains(scale)) else {
        return;
    };
    let x = set.x();
    if set.is_empty() || x.min().double_value(&[]) < 0.0 || x.max().double_value(&[]) > 1.0 {
        return;
    }
    list.odd(
        "pixels",
        format!(
            "the pixels lie between 0 and 1 already (to_tensors divided them by 255), and the Rescale in \
             front multiplies them by {scale:.4} once more. Leave it out."
        ),
    );
}

fn output(list: &mut Checklist, model: &Model, set: &TensorSet) {
    let (classes, output) = (set.class_names().len(), model.output_shape());
    match output[..] {
        [units] if units == classes => {
            list.right("output", format!("{classes} numbers, one for each class."));
        }
        [units] => list.wrong(
            "output",
            format!(
                "it answers with {units} number{}, but there are {classes} classes, and each needs \
                 one. Let the last Dense be Dense::new({classes}).",
                if units == 1 { "" } else { "s" }
            ),
        ),
        _ => list.wrong(
            "output",
            format!(
                "its answer is a block {}, not a row of {classes} numbers. Add Flatten (or \
                 GlobalAveragePool2d) after the last convolution, then Dense::new({classes}).",
                shape_text(&output)
            ),
        ),
    }
}

fn bends(list: &mut Checklist, structure: &Structure) {
    if structure.sums() < 2 {
        return;
    }
    let pairs = structure.unbent_pairs();
    if structure.bends() == 0 {
        let pools = structure.count(&["max_pool2d", "global_max_pool2d"]) > 0;
        let but = if pools { "apart from the pooling, " } else { "" };
        list.wrong(
            "activations",
            format!(
                "{but}nothing bends between its {} layers of weights, and sums of sums are only sums: \
                 together they can do hardly more than one of them. Add Relu behind each Conv2d and \
                 each Dense but the last.",
                structure.sums()
            ),
        );
    } else if let Some((first, second)) = pairs.first() {
        list.odd(
            "activations",
            format!(
                "nothing bends between {first} and {second}{}: the two together can do no more than \
                 one layer. Add Relu between them.",
                match pairs.len() {
                    1 => String::new(),
                    n => format!(" (nor in {} more places)", n - 1),
                }
            ),
        );
    } else {
        list.right("activations", "a bend between any two layers of weights.");
    }
}

/// Credit for what the network is.
fn kind(list: &mut Checklist, model: &Model, structure: &Structure) {
    let convolutions = structure.count(&["conv2d", "depthwise_conv2d"]);
    let joins = structure.count(&["add"]);
    if convolutions > 0 {
        let several = if convolutions == 1 { "" } else { "s" };
        let skips = if joins > 0 { ", with skip connections" } else { "" };
        list.right(
            "kind",
            format!(
                "convolutional: {convolutions} layer{several} with {} kernels in all{skips}. It finds \
                 a pattern wherever it is.",
                thousands(structure.kernels())
            ),
        );
    } else if !structure.hidden_units().is_empty() {
        list.right(
            "kind",
            "dense: that reaches 98 % if it is wide enough. Convolutions reach 99 % and more, because \
             they look at neighboring pixels together.",
        );
    }
    let narrow = structure.globally_pooled().into_iter().find_map(|step| {
        let path = structure.path(step);
        model.receptive_field_side(&path).filter(|&side| side < NARROW).map(|side| (path, side))
    });
    if let Some((path, side)) = narrow {
        list.odd(
            "view",
            format!(
                "each number of {path} sees only {side} × {side} pixels, and the pooling behind it \
                 forgets where they were: too little to tell a 6 from a 9. Add convolutions, or \
                 MaxPool2d between them."
            ),
        );
    }
    let dropout = structure.strongest_dropout();
    if dropout > 0.7 {
        let text = format!(
            "a Dropout leaves out {:.0} % of all values: little is left to learn from. 0.25 to 0.5 is \
             usual.",
            100.0 * dropout
        );
        if dropout < 0.9 { list.odd("dropout", text) } else { list.wrong("dropout", text) }
    }
}

fn size(list: &mut Checklist, model: &Model, structure: &Structure) {
    let (all, free) = (model.parameter_count(), model.trainable_count());
    let parameters = thousands(free);
    let convolutional = structure.count(&["conv2d", "depthwise_conv2d"]) > 0;
    let hidden = structure.hidden_units();
    let narrowest = hidden.iter().copied().min().unwrap_or(usize::MAX);
    let widest = hidden.iter().copied().max().unwrap_or(usize::MAX);
    let flattened = structure.flattened();
    if free == 0 {
        let why = match all {
            0 => "it has no weights, so there is nothing it could learn. Add Dense or Conv2d.",
            _ => "all its weights are frozen, so nothing can be learned. Call unfreeze().",
        };
        return list.wrong("size", why);
    }
    if free > 10 * MANY {
        return list.wrong(
            "size",
            format!(
                "{parameters} parameters are out of all proportion to 60,000 images: slow, and \
                 ready to learn them by heart. A good network here has 0.1 to 2 million. Pool more \
                 before Flatten, or use fewer units."
            ),
        );
    }
    if !convolutional && hidden.is_empty() {
        list.wrong(
            "size",
            format!(
                "{parameters} parameters, a single layer: it weighs each pixel for each class and \
                 adds up, which ends at 92 % of MNIST however long it is trained. Add a hidden layer \
                 (Dense::new(128) and Relu), or better, convolutions before Flatten."
            ),
        );
    } else if narrowest < 10 {
        list.wrong(
            "size",
            format!(
                "all that is known of an image has to pass through {narrowest} number{} in the \
                 narrowest hidden layer. Give it at least 64 units.",
                if narrowest == 1 { "" } else { "s" }
            ),
        );
    } else if !convolutional && widest < 32 {
        list.wrong(
            "size",
            format!(
                "a hidden layer of {widest} units is too small for 98 %: it keeps {widest} \
                 numbers of each image. Try 128 to 512, or convolutions."
            ),
        );
    } else if convolutional && free < 1_000 {
        list.wrong(
            "size",
            format!(
                "{parameters} parameters are too few for 98 %: more kernels (16 or 32 in the first \
                 layer), or a second convolution."
            ),
        );
    } else if !convolutional && widest < 100 {
        list.odd(
            "size",
            format!(
                "{parameters} parameters; with {widest} hidden units it ends near 97 %. Try 128 to \
                 512."
            ),
        );
    } else if free > MANY {
        list.odd(
            "size",
            format!(
                "{parameters} parameters are many for these images: more memory and time, and no \
                 more accuracy. A good network here has 0.1 to 2 million."
            ),
        );
    } else {
        list.right("size", format!("{parameters} parameters: a good size for this task."));
    }
    if flattened > 15_000 && convolutional {
        list.odd(
            "pooling",
            format!(
                "Flatten lays out {} numbers for the next layer. MaxPool2d after the convolutions \
                 makes them a quarter each time, and the network quicker.",
                thousands(flattened)
            ),
        );
    }
    let steps = model.multiply_adds_of_one();
    if steps > SLOW && !model.device().is_cuda() {
        list.odd(
            "time",
            format!(
                "{} million multiplications an image: without a GPU an epoch takes about {} times as \
                 long as with the tutorial's kind of network. Fewer kernels, or pool earlier.",
                thousands(steps / 1_000_000),
                steps / 15_000_000
            ),
        );
    }
}
