"""What Keras's layers make of an input, and what gradients they send back.

Writes layers.safetensors. Each case holds its input's name as `CASE x INPUT` (an empty tensor), its weights
`CASE w0`, `CASE w1`, … in tchalk's order and layout, the output `CASE y`, and the gradients `CASE dx`,
`CASE dw0`, … of the sum of the outputs, each times a weight of its own, (i % 7 − 3) / 4.
"""

import itertools
from pathlib import Path

import keras
import torch
from safetensors.torch import save_file

keras.backend.set_image_data_format("channels_first")
torch.manual_seed(5)
L = keras.layers
INPUTS = {
    "odd": torch.randn(2, 3, 7, 5),
    "even": torch.randn(2, 4, 6, 4),
    "tall": torch.randn(1, 2, 9, 4),
    "flat": 2 * torch.randn(4, 6),
    "small": torch.randn(3, 2, 2, 3),
}
values = {f"input {name}": x for name, x in INPUTS.items()}


def as_is(t):
    return t


def dense(t):
    return t.T


def conv(t):
    return t.permute(3, 2, 0, 1)


def depthwise(t):
    return t.permute(2, 3, 0, 1).flatten(0, 1).unsqueeze(1)


def case(name, layer, inputs, weights=(), training=False):
    """`weights`: the layer's attributes in tchalk's order, each with the change of layout."""
    if isinstance(inputs, str):
        values[f"{name} x {inputs}"] = torch.zeros(0)
        x = INPUTS[inputs].clone().requires_grad_()
    else:
        x = [t.clone().requires_grad_() for t in inputs]
        values.update({f"{name} in{i}": t.detach() for i, t in enumerate(x)})
    if hasattr(layer, "build") and isinstance(inputs, str):
        layer.build(x.shape)
    variables = [getattr(layer, attribute) for attribute, _ in weights]
    for variable in variables:
        if variable.name != "moving_variance":
            variable.assign(0.5 * torch.randn(variable.shape) + (1.0 if variable.name == "gamma" else 0.0))
        else:
            variable.assign(0.5 + torch.rand(variable.shape))
    for i, ((_, change), variable) in enumerate(zip(weights, variables, strict=True)):
        values[f"{name} w{i}"] = change(variable.value.detach().clone())
    y = layer(x, training=training) if training else layer(x)
    values[f"{name} y"] = y.detach()
    up = (torch.arange(y.numel()).view(y.shape) % 7 - 3) / 4
    learned = [i for i, v in enumerate(variables) if v.trainable]
    sources = [x] if isinstance(inputs, str) else x
    gradients = torch.autograd.grad((y * up).sum(), sources + [variables[i].value for i in learned])
    for i, gradient in enumerate(gradients[: len(sources)]):
        values[f"{name} dx" + ("" if isinstance(inputs, str) else str(i))] = gradient
    for i, gradient in zip(learned, gradients[len(sources) :], strict=True):
        values[f"{name} dw{i}"] = weights[i][1](gradient)
    if training:
        for i, variable in enumerate(variables):
            if not variable.trainable:
                values[f"{name} after w{i}"] = variable.value.detach().clone()


def average_same(x, size, stride):
    """The mean of the pixels that a window covers, "same" padding: Keras's definition, and TensorFlow's.

    Keras's PyTorch backend repeats the edge instead where the padding is uneven.
    """
    height, width = x.shape[2:]
    rows, columns = -(-height // stride), -(-width // stride)
    top = max((rows - 1) * stride + size - height, 0) // 2
    left = max((columns - 1) * stride + size - width, 0) // 2

    def mean(row, column):
        y, z = row * stride - top, column * stride - left
        return x[:, :, max(y, 0) : y + size, max(z, 0) : z + size].mean((2, 3))

    return torch.stack([torch.stack([mean(r, c) for c in range(columns)], -1) for r in range(rows)], -2)


KERNEL = [("kernel", conv), ("bias", as_is)]
for size, stride, padding, image in itertools.product([2, 3], [1, 2], ["same", "valid"], ["odd", "even"]):
    what = f"{size} {stride} {padding}"
    case(f"conv2d {what} {image}", L.Conv2D(2, size, strides=stride, padding=padding), image, KERNEL)
    case(f"max_pool2d {what} {image}", L.MaxPooling2D(size, strides=stride, padding=padding), image)
    keras_s = L.AveragePooling2D(size, strides=stride, padding=padding)
    ours = lambda x, size=size, stride=stride: average_same(x, size, stride)
    if padding == "same" and size == 3 and stride == 1:  # even padding
        assert torch.allclose(keras_s(INPUTS[image]), ours(INPUTS[image]), atol=1e-6)
    case(f"average_pool2d {what} {image}", ours if padding == "same" else keras_s, image)
    layer = L.DepthwiseConv2D(size, strides=stride, padding=padding, depth_multiplier=stride)
    case(f"depthwise_conv2d {what} {image}", layer, image, [("kernel", depthwise), ("bias", as_is)])
for padding, image in itertools.product(["same", "valid"], ["odd", "even"]):
    case(f"conv2d dilated {padding} {image}", L.Conv2D(2, 2, dilation_rate=2, padding=padding), image, KERNEL)
    case(f"conv2d relu {padding} {image}", L.Conv2D(2, 3, padding=padding, activation="relu"), image, KERNEL)
case("conv2d groups", L.Conv2D(6, 3, groups=2, padding="same"), "even", KERNEL)
case("conv2d no bias", L.Conv2D(3, 1, use_bias=False), "even", KERNEL[:1])
case("depthwise_conv2d dilated", L.DepthwiseConv2D(2, dilation_rate=2, padding="same"), "odd", [("kernel", depthwise), ("bias", as_is)])
case("dense", L.Dense(3), "flat", [("kernel", dense), ("bias", as_is)])
case("dense tanh", L.Dense(3, activation="tanh"), "flat", [("kernel", dense), ("bias", as_is)])
case("dense softmax", L.Dense(3, activation="softmax"), "flat", [("kernel", dense), ("bias", as_is)])
NORM = [(name, as_is) for name in ["gamma", "beta", "moving_mean", "moving_variance"]]
case("batch_norm2d use", L.BatchNormalization(axis=1), "odd", NORM)
case("batch_norm2d learn", L.BatchNormalization(axis=1), "odd", NORM, training=True)
case("batch_norm2d set", L.BatchNormalization(axis=1, momentum=0.9, epsilon=1e-5), "small", NORM, training=True)
case("global_average_pool2d", L.GlobalAveragePooling2D(), "odd")
case("global_max_pool2d", L.GlobalMaxPooling2D(), "odd")
for rows, columns in [(2, 3), (7, 7), (1, 1)]:
    if hasattr(L, "AdaptiveAveragePooling2D"):
        layer = L.AdaptiveAveragePooling2D((rows, columns))
    else:
        layer = torch.nn.AdaptiveAvgPool2d((rows, columns))
    case(f"adaptive_average_pool2d {rows} {columns}", layer, "tall")
case("flatten", L.Flatten(data_format="channels_last"), "odd")
case("reshape", L.Reshape((6, 6, 2)), "tall")
case("zero_pad2d", L.ZeroPadding2D(2), "odd")
case("zero_pad2d sides", L.ZeroPadding2D(((0, 1), (2, 3))), "odd")
case("rescale", L.Rescaling(2.5, offset=-0.5), "odd")
case("normalize", L.Normalization(axis=1, mean=[0.5, -0.25, 2.0], variance=[0.25, 4.0, 1.0]), "odd")
for rows, columns in [(14, 10), (3, 3), (5, 8)]:
    # What Keras's Resizing calls; its outputs are the same, to the bit.
    layer = lambda x, s=(rows, columns): torch.nn.functional.interpolate(x, s, mode="bilinear", align_corners=False)
    case(f"resize {rows} {columns}", layer, "tall")
layer = lambda x: torch.nn.functional.interpolate(x, (3, 2), mode="bilinear", align_corners=False, antialias=True)
case("resize antialias", layer, "tall")
case("relu", L.ReLU(), "flat")
case("relu6", L.ReLU(max_value=6.0), "flat")
case("leaky_relu", L.LeakyReLU(), "flat")
case("leaky_relu 0.01", L.LeakyReLU(negative_slope=0.01), "flat")
case("elu", L.ELU(), "flat")
case("elu 0.5", L.ELU(alpha=0.5), "flat")
case("gelu", L.Activation("gelu"), "flat")
case("gelu approximate", lambda x: keras.activations.gelu(x, approximate=True), "flat")
case("silu", L.Activation("silu"), "flat")
case("tanh", L.Activation("tanh"), "flat")
case("sigmoid", L.Activation("sigmoid"), "flat")
case("softmax", L.Softmax(), "flat")
three = [torch.randn(2, c, 3, 2) for c in [2, 1, 3]]
case("concatenate", L.Concatenate(axis=1), three)
alike = [torch.randn(2, 2, 3, 2) for _ in range(3)]
case("add", L.Add(), alike)
case("average", L.Average(), alike)
# The shortcut of a CIFAR-10 residual network, option A.
case("shortcut", lambda x: torch.nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2)), "odd")

save_file({name: value.clone().contiguous() for name, value in values.items()}, Path(__file__).with_name("layers.safetensors"))
