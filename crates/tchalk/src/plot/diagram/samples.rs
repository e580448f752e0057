//! Networks to draw in tests.

use super::{Diagram, DiagramGroup, DiagramNode, NodeKind};
use NodeKind::*;

/// Adds layers one after another.
struct Builder {
    diagram: Diagram,
    last: Option<(String, String)>,
    group: Option<String>,
    frozen: bool,
    count: usize,
}

impl Builder {
    fn new(title: &str) -> Builder {
        let diagram = Diagram::new(title);
        Builder { diagram, last: None, group: None, frozen: false, count: 0 }
    }

    /// One layer after the last; its identity.
    fn add(
        &mut self,
        title: &str,
        subtitle: &str,
        kind: NodeKind,
        n: usize,
        shape: &str,
    ) -> String {
        self.count += 1;
        let id = format!("{}/{title}#{}", self.group.as_deref().unwrap_or(""), self.count);
        let node = DiagramNode::new(&id, title, kind).subtitle(subtitle).parameters(n);
        let mut node = node.frozen(self.frozen && n > 0);
        if let Some(group) = &self.group {
            node = node.group(group);
        }
        let diagram = std::mem::replace(&mut self.diagram, Diagram::new("")).node(node);
        self.diagram = match &self.last {
            Some((from, shape)) => diagram.edge(from, &id, shape),
            None => diagram,
        };
        self.last = Some((id.clone(), shape.to_owned()));
        id
    }

    fn edge(&mut self, from: &str, to: &str, shape: &str) {
        let diagram = std::mem::replace(&mut self.diagram, Diagram::new(""));
        self.diagram = diagram.edge(from, to, shape);
    }

    fn group(&mut self, group: DiagramGroup) {
        let diagram = std::mem::replace(&mut self.diagram, Diagram::new(""));
        self.diagram = diagram.group(group);
    }

    fn head(&mut self, suffix: &str, inputs: usize) {
        self.add(&format!("dense{suffix}"), "Dense 512", Dense, inputs * 512 + 512, "512");
        self.add(&format!("relu{suffix}"), "Relu", Activation, 0, "512");
        self.add(&format!("dropout{suffix}"), "Dropout 0.5", Dropout, 0, "512");
        self.add(&format!("dense{suffix}_out"), "Dense 10", Dense, 5130, "10");
    }
}

const BLOCKS: [(usize, usize); 5] = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)];

fn vgg_block(b: &mut Builder, block: usize, size: usize) {
    let (convolutions, filters) = BLOCKS[block];
    let mut inputs = if block == 0 { 3 } else { BLOCKS[block - 1].1 };
    let shape = format!("{filters} × {size} × {size}");
    for conv in 1..=convolutions {
        let n = inputs * filters * 9 + filters;
        let subtitle = format!("Conv2d {filters} 3×3 relu");
        b.add(&format!("block{}_conv{conv}", block + 1), &subtitle, Convolution, n, &shape);
        inputs = filters;
    }
    let shape = format!("{filters} × {0} × {0}", size / 2);
    b.add(&format!("block{}_pool", block + 1), "MaxPool2d 2", Pooling, 0, &shape);
}

/// VGG16 without its classifier, for images of 32 × 32.
pub(super) fn vgg16() -> Diagram {
    let mut b = Builder::new("vgg16: 14,714,688 parameters, none trainable");
    b.frozen = true;
    b.add("input_1", "Input", Input, 0, "3 × 32 × 32");
    (0..5).for_each(|block| vgg_block(&mut b, block, 32 >> block));
    b.diagram
}

fn simple_layers(b: &mut Builder) {
    for (block, filters) in [32, 64].into_iter().enumerate() {
        for conv in 0..2 {
            let number = match 2 * block + conv {
                0 => String::new(),
                n => format!("_{n}"),
            };
            let size = [32, 30, 15, 13][2 * block + conv];
            let shape = format!("{filters} × {size} × {size}");
            let n = [896, 9_248, 18_496, 36_928][2 * block + conv];
            let subtitle = format!("Conv2d {filters} 3×3");
            b.add(&format!("conv2d{number}"), &subtitle, Convolution, n, &shape);
            b.add(&format!("relu{number}"), "Relu", Activation, 0, &shape);
        }
        let size = [15, 6][block];
        let shape = format!("{filters} × {size} × {size}");
        let suffix = if block == 0 { "" } else { "_1" };
        b.add(&format!("max_pool2d{suffix}"), "MaxPool2d 2", Pooling, 0, &shape);
        b.add(&format!("dropout{suffix}"), "Dropout 0.25", Dropout, 0, &shape);
    }
    b.add("flatten", "Flatten", Reshape, 0, "2,304");
    b.add("dense", "Dense 512", Dense, 1_180_160, "512");
    b.add("relu_4", "Relu", Activation, 0, "512");
    b.add("dropout_2", "Dropout 0.5", Dropout, 0, "512");
    b.add("dense_1", "Dense 10", Dense, 5_130, "10");
    b.add("softmax", "Softmax", Activation, 0, "10");
}

/// The tutorial's network from scratch.
pub(super) fn simple() -> Diagram {
    let mut b = Builder::new("simple_cnn: 1,250,858 parameters, all trainable");
    b.add("input_1", "Input", Input, 0, "3 × 32 × 32");
    simple_layers(&mut b);
    b.diagram
}

/// Two trained networks, one of them with a network inside, and a head over both.
pub(super) fn combined() -> Diagram {
    let mut b = Builder::new("combined_cnn_classifier: 16,260,000 parameters, 15,882 trainable");
    let input = b.add("cifar10_image", "Input", Input, 0, "3 × 32 × 32");
    b.frozen = true;
    let group = |id: &str, n: usize| DiagramGroup::new(id, id).parameters(n).frozen(true);
    b.group(group("transfer_cnn", 14_982_474));
    b.group(group("vgg16", 14_714_688).group("transfer_cnn"));
    b.group(group("simple_cnn", 1_250_858));
    (b.group, b.last) = (Some("vgg16".into()), None);
    (0..5).for_each(|block| vgg_block(&mut b, block, 32 >> block));
    (b.group, b.last) = (Some("transfer_cnn".into()), Some(("vgg16".into(), "512 × 1 × 1".into())));
    b.add("flatten", "Flatten", Reshape, 0, "512");
    b.head("", 512);
    b.add("softmax", "Softmax", Activation, 0, "10");
    (b.group, b.last) = (Some("simple_cnn".into()), None);
    simple_layers(&mut b);
    b.edge(&input, "vgg16", "3 × 32 × 32");
    b.edge(&input, "simple_cnn", "3 × 32 × 32");
    (b.group, b.last, b.frozen) = (None, None, false);
    let concatenate = b.add("concatenate", "Concatenate", Merge, 0, "20");
    b.edge("transfer_cnn", &concatenate, "10");
    b.edge("simple_cnn", &concatenate, "10");
    b.head("", 20);
    b.add("softmax", "Softmax", Activation, 0, "10");
    b.diagram
}

/// VGG16 in five frozen groups, from each of which a branch of its own leads to the end.
pub(super) fn skips() -> Diagram {
    let mut b = Builder::new("vgg16 with skip connections");
    let mut last = b.add("cifar10_image", "Input", Input, 0, "3 × 32 × 32");
    let mut last_shape = "3 × 32 × 32".to_owned();
    let mut ends = Vec::new();
    for (block, &(_, filters)) in BLOCKS.iter().enumerate() {
        let id = format!("vgg16_block{}", block + 1);
        b.group(DiagramGroup::new(&id, &id).parameters(1_000_000 * (block + 1)).frozen(true));
        (b.group, b.last, b.frozen) = (Some(id.clone()), None, true);
        vgg_block(&mut b, block, 32 >> block);
        b.edge(&last, &id, &last_shape);
        let size = 16 >> block;
        let suffix = format!("_{block}");
        last_shape = format!("{filters} × {size} × {size}");
        (b.group, b.frozen) = (None, false);
        b.last = Some((id.clone(), last_shape.clone()));
        let inputs = filters * size * size;
        b.add(&format!("flatten{suffix}"), "Flatten", Reshape, 0, &format!("{inputs}"));
        b.head(&suffix, inputs);
        ends.push(b.last.take().unwrap().0);
        last = id;
    }
    let concatenate = b.add("concatenate", "Concatenate", Merge, 0, "50");
    ends.iter().for_each(|end| b.edge(end, &concatenate, "10"));
    b.head("", 50);
    b.add("softmax", "Softmax", Activation, 0, "10");
    b.diagram
}

/// ResNet-18 (`deep` false) or ResNet-50, for images of 224 × 224.
pub(super) fn resnet(deep: bool) -> Diagram {
    let mut b = Builder::new(if deep { "resnet50" } else { "resnet18" });
    let unit = |b: &mut Builder, name: &str, from: usize, to: usize, k: usize, size: usize| {
        let shape = format!("{to} × {size} × {size}");
        let subtitle = format!("Conv2d {to} {k}×{k}");
        b.add(&format!("{name}_conv"), &subtitle, Convolution, from * to * k * k, &shape);
        b.add(&format!("{name}_bn"), "BatchNorm2d", Normalization, 4 * to, &shape)
    };
    b.add("input_1", "Input", Input, 0, "3 × 224 × 224");
    unit(&mut b, "stem", 3, 64, 7, 112);
    b.add("relu", "Relu", Activation, 0, "64 × 112 × 112");
    b.add("max_pool2d", "MaxPool2d 3", Pooling, 0, "64 × 56 × 56");
    let counts = if deep { [3, 4, 6, 3] } else { [2, 2, 2, 2] };
    let mut channels = 64;
    for (stage, &count) in counts.iter().enumerate() {
        let (inner, size) = (64 << stage, 56 >> stage);
        let outer = if deep { 4 * inner } else { inner };
        for block in 0..count {
            let name = format!("layer{}_{block}", stage + 1);
            let (start, start_shape) = b.last.clone().unwrap();
            let shape = format!("{inner} × {size} × {size}");
            let kernels: &[usize] = if deep { &[1, 3, 1] } else { &[3, 3] };
            let mut from = channels;
            for (i, &k) in kernels.iter().enumerate() {
                let last = i + 1 == kernels.len();
                let to = if last { outer } else { inner };
                unit(&mut b, &format!("{name}_{}", i + 1), from, to, k, size);
                if !last {
                    b.add(&format!("{name}_relu{}", i + 1), "Relu", Activation, 0, &shape);
                }
                from = to;
            }
            let shape = format!("{outer} × {size} × {size}");
            let add = b.add(&format!("{name}_add"), "Add", Merge, 0, &shape);
            if channels == outer && (block > 0 || stage == 0) {
                b.edge(&start, &add, &start_shape);
            } else {
                b.last = Some((start, start_shape));
                let end = unit(&mut b, &format!("{name}_down"), channels, outer, 1, size);
                b.edge(&end, &add, &shape);
                b.last = Some((add, shape.clone()));
            }
            b.add(&format!("{name}_relu"), "Relu", Activation, 0, &shape);
            channels = outer;
        }
    }
    b.add("avgpool", "GlobalAveragePool2d", Pooling, 0, &format!("{channels}"));
    b.add("fc", "Dense 1,000", Dense, channels * 1000 + 1000, "1,000");
    b.add("softmax", "Softmax", Activation, 0, "1,000");
    b.diagram
}

/// A fire module, as in SqueezeNet, and an inception module after it.
pub(super) fn modules() -> Diagram {
    let mut b = Builder::new("modules");
    b.add("input_1", "Input", Input, 0, "3 × 32 × 32");
    let squeeze = b.add("squeeze", "Conv2d 16 1×1 relu", Convolution, 64, "16 × 32 × 32");
    let one = b.add("expand1x1", "Conv2d 64 1×1 relu", Convolution, 1088, "64 × 32 × 32");
    b.last = Some((squeeze, "16 × 32 × 32".into()));
    b.add("expand3x3", "Conv2d 64 3×3 relu", Convolution, 9280, "64 × 32 × 32");
    let concat = b.add("concat", "Concatenate", Merge, 0, "128 × 32 × 32");
    b.edge(&one, &concat, "64 × 32 × 32");
    let mut ends = Vec::new();
    for branch in 0..4usize {
        b.last = Some((concat.clone(), "128 × 32 × 32".into()));
        if branch > 0 {
            b.add(
                &format!("b{branch}_1x1"),
                "Conv2d 32 1×1 relu",
                Convolution,
                4128,
                "32 × 32 × 32",
            );
        }
        for k in 0..branch.min(2) {
            let title = format!("b{branch}_3x3_{k}");
            b.add(&title, "Conv2d 32 3×3 relu", Convolution, 9248, "32 × 32 × 32");
        }
        if branch == 0 {
            b.add("b0_pool", "MaxPool2d 3", Pooling, 0, "128 × 32 × 32");
        }
        ends.push(b.last.clone().unwrap());
    }
    b.last = ends.pop();
    let concat = b.add("concat_1", "Concatenate", Merge, 0, "224 × 32 × 32");
    ends.iter().for_each(|(end, shape)| b.edge(end, &concat, shape));
    b.add("avgpool", "GlobalAveragePool2d", Pooling, 0, "224");
    b.add("dense", "Dense 10", Dense, 2250, "10");
    b.diagram
}

pub(super) fn all() -> Vec<(&'static str, Diagram)> {
    vec![
        ("simple", simple()),
        ("vgg16", vgg16()),
        ("combined", combined()),
        ("combined_closed", combined().collapsed()),
        ("skips", skips()),
        ("skips_closed", skips().collapsed()),
        ("resnet18", resnet(false)),
        ("resnet50", resnet(true)),
        ("modules", modules()),
    ]
}
