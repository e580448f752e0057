//! Can this network tell the classes apart?

use super::structure::Structure;
use crate::course::checklist::{Checklist, Severity, Topic, topics};
use crate::course::finding::Finding;
use crate::data::TensorSet;
use crate::layers::shape_text;
use crate::model::Model;
use crate::text::{percent, thousands};

/// More parameters than this are more than tens of thousands of images can teach.
const MANY: usize = 10_000_000;
/// With more multiply-adds than this, an epoch on a processor takes ten times as long as with the
/// tutorial's network.
const SLOW: usize = 150_000_000;
/// A receptive field narrower than this holds no whole loop of a digit.
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
    if model.input_shapes().len() != 1 || model.output_shapes().len() != 1 {
        let text = "it has several inputs or outputs, and a classifier of images has one each.";
        list.push(Finding::SeveralInputsOrOutputs, Severity::Problem, "ends", text);
        return list;
    }
    let network = Network::of(model, set);
    list.examine(&network, ENDS);
    super::output::examine(&mut list, model, &network.structure);
    list.examine(&network, LAYERS);
    list
}

/// What the check looks at.
struct Network {
    structure: Structure,
    /// The shapes of the network's input and of the set's images.
    input: Vec<usize>,
    images: Vec<usize>,
    output: Vec<usize>,
    classes: usize,
    /// Whether all pixels lie between 0 and 1.
    pixels_scaled: bool,
    parameters: usize,
    trainable: usize,
    /// The units of the hidden layers: the fewest and the most.
    narrowest: usize,
    widest: usize,
    convolutions: usize,
    /// A layer with a small receptive field before a global pooling, and the field's side.
    narrow: Option<(String, usize)>,
    multiply_adds: usize,
    on_gpu: bool,
}

impl Network {
    fn of(model: &Model, set: &TensorSet) -> Network {
        let structure = Structure::of(model);
        let x = set.x();
        let pixels_scaled =
            !set.is_empty() && x.min().double_value(&[]) >= 0.0 && x.max().double_value(&[]) <= 1.0;
        let hidden = structure.hidden_units();
        let narrow = structure.globally_pooled().into_iter().find_map(|step| {
            let path = structure.path(step);
            let side = model.receptive_field_side(&path)?;
            (side < NARROW).then_some((path, side))
        });
        Network {
            input: model.input_shape(),
            images: set.example_shape(),
            output: model.output_shape(),
            classes: set.class_names().len(),
            pixels_scaled,
            parameters: model.parameter_count(),
            trainable: model.trainable_count(),
            narrowest: hidden.iter().copied().min().unwrap_or(usize::MAX),
            widest: hidden.iter().copied().max().unwrap_or(usize::MAX),
            convolutions: structure.count(&["conv2d", "depthwise_conv2d"]),
            narrow,
            multiply_adds: model.multiply_adds_of_one(),
            on_gpu: model.device().is_cuda(),
            structure,
        }
    }

    fn is_dense(&self) -> bool {
        self.convolutions == 0
    }

    fn has_hidden_layers(&self) -> bool {
        self.widest != usize::MAX
    }

    /// Whether the input has the images' dimensions in another order.
    fn input_is_permuted(&self) -> bool {
        let sorted = |shape: &[usize]| {
            let mut shape = shape.to_vec();
            shape.sort_unstable();
            shape
        };
        self.input.len() == 3 && sorted(&self.input) == sorted(&self.images)
    }

    fn trainable_text(&self) -> String {
        thousands(self.trainable)
    }
}

const ENDS: &[Topic<Network>] = topics![|it: Network|
    "input" {
        Good InputFits if it.input == it.images =>
            format!("it takes images {}.", shape_text(&it.images));
        Problem InputIsARow
            if it.input.len() == 1 && it.input[0] == it.images.iter().product::<usize>() =>
            format!("it takes a row of {} numbers, but the images are {1}. Begin with \
                     input_shape({1}), and let Flatten be the first layer.",
                it.input[0], shape_text(&it.images));
        Problem ChannelsLast if it.input_is_permuted() =>
            format!("it takes {}, but the images are {1}: the channels come first, then the rows, \
                     then the columns. Write input_shape({1}).",
                shape_text(&it.input), shape_text(&it.images));
        Problem WrongChannels if it.input.len() == 3 && it.input[1..] == it.images[1..] =>
            format!("it takes {} channels, but the images have {}: gray images have one, color \
                     images three. Write input_shape({}).",
                it.input[0], it.images[0], shape_text(&it.images));
        Problem WrongInputShape =>
            format!("it takes {}, but the images are {1}. Write input_shape({1}).",
                shape_text(&it.input), shape_text(&it.images));
    }
    "pixels" {
        Advice PixelsScaledTwice if {
            let scale = it.structure.first_scale();
            scale.is_some_and(|scale| !(0.05..=20.0).contains(&scale)) && it.pixels_scaled
        } =>
            format!("the pixels lie between 0 and 1 already (to_tensors divided them by 255), and \
                     the Rescale in front multiplies them by {:.4} once more. Leave it out.",
                it.structure.first_scale().unwrap_or(1.0));
    }
    "output" {
        Good OutputFits if it.output == [it.classes] =>
            format!("{} numbers, one for each class.", it.classes);
        Problem WrongNumberOfClasses if it.output.len() == 1 =>
            format!("it answers with {}, but there are {} classes, and each needs one. Let the \
                     last Dense be Dense::new({1}).", numbers(it.output[0]), it.classes);
        Problem OutputIsABlock =>
            format!("its answer is a block {}, not a row of {} numbers. Add Flatten (or \
                     GlobalAveragePool2d) after the last convolution, then Dense::new({1}).",
                shape_text(&it.output), it.classes);
    }
];

/// What the layers inside can do.
const LAYERS: &[Topic<Network>] = topics![|it: Network|
    "activations" {
        Problem NoActivations if it.structure.weighted() > 1 && it.structure.activations() == 0 => {
            let pools = it.structure.count(&["max_pool2d", "global_max_pool2d"]) > 0;
            format!(
                "{}there is no activation between its {} layers of weights, and a sum of \
                 sums is only a sum: together they can do hardly more than one of them. Add \
                 Relu after each Conv2d and each Dense but the last.",
                if pools { "apart from the pooling, " } else { "" },
                it.structure.weighted()
            )
        };
        Advice MissingActivation if !it.structure.pairs_without_activation().is_empty() => {
            let pairs = it.structure.pairs_without_activation();
            let (first, second) = &pairs[0];
            let more = match pairs.len() - 1 {
                0 => String::new(),
                n => format!(" (nor between {n} other pairs)"),
            };
            format!(
                "there is no activation between {first} and {second}{more}: the two \
                 together can do no more than one layer. Add Relu between them."
            )
        };
        Good ActivationsFit if it.structure.weighted() > 1 =>
            "there is one between any two layers of weights.";
    }
    "kind" {
        Good Convolutional if it.convolutions > 0 => {
            let skips = it.structure.count(&["add"]) > 0;
            format!(
                "convolutional: {} layer{} with {} kernels in all{}. It finds a pattern \
                 wherever it is.",
                it.convolutions,
                if it.convolutions == 1 { "" } else { "s" },
                thousands(it.structure.kernels()),
                if skips { ", with skip connections" } else { "" }
            )
        };
        Good FullyConnected if it.has_hidden_layers() =>
            "dense: that reaches 98 % if it is wide enough. Convolutions reach 99 % and more, \
             because they look at neighboring pixels together.";
    }
    "receptive field" {
        Advice SmallReceptiveField if it.narrow.is_some() => {
            let (path, side) = it.narrow.clone().unwrap_or_default();
            format!(
                "each number of {path} sees only {side} × {side} pixels, and the pooling after \
                 it forgets where they were: too little to tell a 6 from a 9. Add convolutions, \
                 or MaxPool2d between them."
            )
        };
    }
    "dropout" {
        Problem StrongDropout if it.structure.strongest_dropout() >= 0.9 => strong_dropout(it);
        Advice StrongDropout if it.structure.strongest_dropout() > 0.7 => strong_dropout(it);
    }
    "size" {
        Problem NoWeights if it.parameters == 0 =>
            "it has no weights, so there is nothing it could learn. Add Dense or Conv2d.";
        Problem AllFrozen if it.trainable == 0 =>
            "all its weights are frozen, so nothing can be learned. Call unfreeze().";
        Problem FarTooLarge if it.trainable > 10 * MANY =>
            format!("{} parameters are out of all proportion to 60,000 images: slow, and ready to \
                     memorize them. A good network here has 0.1 to 2 million. Pool more before \
                     Flatten, or use fewer units.", it.trainable_text());
        Problem SingleLayer if it.is_dense() && !it.has_hidden_layers() =>
            format!("{} parameters, a single layer: it weighs each pixel for each class and adds \
                     up, which ends at 92 % of MNIST however long it is trained. Add a hidden \
                     layer (Dense::new(128) and Relu), or better, convolutions before Flatten.",
                it.trainable_text());
        Problem Bottleneck if it.narrowest < 10 =>
            format!("all that is known of an image has to pass through {} in the narrowest hidden \
                     layer. Give it at least 64 units.", numbers(it.narrowest));
        Problem TooFewUnits if it.is_dense() && it.widest < 32 =>
            format!("a hidden layer of {0} units is too small for 98 %: it keeps {0} numbers of \
                     each image. Try 128 to 512, or convolutions.", it.widest);
        Problem TooFewParameters if !it.is_dense() && it.trainable < 1_000 =>
            format!("{} parameters are too few for 98 %: use more kernels (16 or 32 in the first \
                     layer), or a second convolution.", it.trainable_text());
        Advice FewUnits if it.is_dense() && it.widest < 100 =>
            format!("{} parameters; with {} hidden units it ends near 97 %. Try 128 to 512.",
                it.trainable_text(), it.widest);
        Advice LargeNetwork if it.trainable > MANY =>
            format!("{} parameters are many for these images: more memory and time, and no more \
                     accuracy. A good network here has 0.1 to 2 million.", it.trainable_text());
        Good SizeFits => format!("{} parameters: a good size for this task.", it.trainable_text());
    }
    "pooling" {
        Advice LargeFlatten if {
            let fits = (1..=10 * MANY).contains(&it.trainable);
            fits && it.convolutions > 0 && it.structure.flattened() > 15_000
        } =>
            format!("Flatten lays out {} numbers for the next layer. MaxPool2d after the \
                     convolutions makes them a quarter each time, and the network quicker.",
                thousands(it.structure.flattened()));
    }
    "time" {
        Advice SlowWithoutGpu if {
            let fits = (1..=10 * MANY).contains(&it.trainable);
            fits && it.multiply_adds > SLOW && !it.on_gpu
        } =>
            format!("{} million multiplications an image: without a GPU an epoch takes about {} \
                     times as long as with the tutorial's kind of network. Use fewer kernels, or \
                     pool earlier.",
                thousands(it.multiply_adds / 1_000_000), it.multiply_adds / 15_000_000);
    }
];

fn strong_dropout(it: &Network) -> String {
    format!(
        "a Dropout leaves out {} of all values: little is left to learn from. 0.25 to 0.5 is usual.",
        percent(it.structure.strongest_dropout(), 0)
    )
}

fn numbers(count: usize) -> String {
    format!("{count} number{}", if count == 1 { "" } else { "s" })
}
