"""The ready-made networks in PyTorch, after torchvision's published definitions, with made-up weights.

The weights are made of their names by a formula that tchalk's test repeats (`made_up` here and there), so that
applications.safetensors holds only what comes of them: for each network and case the output, the gradient with
respect to the input, averaged over an 8 × 8 grid, and for each weight two numbers that tell its gradient: the mean of
its absolute values and its product with other made-up numbers.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

torch.set_num_threads(2)
values = {}


def made_up(name, shape):
    """Numbers from −1 to 1, the same for the same name."""
    seed = 2166136261
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 % 2**32
    count = torch.Size(shape).numel()
    pieces = []
    for start in range(0, max(count, 1), 1 << 20):
        h = (torch.arange(start, min(start + (1 << 20), count)) + seed) % 2**32
        h = h * 668265263 % 2**32
        h = h ^ (h >> 15)
        h = h * 374761393 % 2**32
        h = h ^ (h >> 13)
        pieces.append((h.double() / 2**31 - 1).float())
    return torch.cat(pieces).view(shape)


def fill(network):
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        u = made_up(name, tensor.shape)
        if name.endswith("running_var"):
            u = 1 + 0.5 * u
        elif name.endswith("running_mean") or name.endswith("bias"):
            u = 0.1 * u
        elif tensor.dim() == 1:
            u = 1 + 0.2 * u
        else:
            u = u * (6 / tensor[0].numel()) ** 0.5
        tensor.copy_(u)


def conv_bn(inputs, outputs, kernel, stride=1, groups=1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(),
    )


class VGG16(nn.Module):
    def __init__(self, classes):
        super().__init__()
        layers, inputs = [], 3
        for filters in [64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0]:
            if filters:
                layers += [nn.Conv2d(inputs, filters, 3, padding=1), nn.ReLU()]
                inputs = filters
            else:
                layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 49, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, classes)
        )

    def base(self, x):
        return self.features(x)

    def top(self, x):
        return self.classifier(self.avgpool(x).flatten(1))


class Fire(nn.Module):
    def __init__(self, inputs, squeeze, expand):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x):
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], 1)


class SqueezeNet(nn.Module):
    def __init__(self, classes, version):
        super().__init__()
        pool = lambda: nn.MaxPool2d(3, 2, ceil_mode=True)
        if version == "1_0":
            layers = [nn.Conv2d(3, 96, 7, 2), nn.ReLU(), pool(), Fire(96, 16, 64), Fire(128, 16, 64), Fire(128, 32, 128), pool()]
            layers += [Fire(256, 32, 128), Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), pool(), Fire(512, 64, 256)]
        else:
            layers = [nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool(), Fire(64, 16, 64), Fire(128, 16, 64), pool(), Fire(128, 32, 128)]
            layers += [Fire(256, 32, 128), pool(), Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256)]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(512, classes, 1), nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1)))

    def base(self, x):
        return self.features(x)

    def top(self, x):
        return self.classifier(x).flatten(1)


class Block(nn.Module):
    def __init__(self, inputs, width, stride, bottleneck):
        super().__init__()
        conv = lambda i, o, k, s=1: nn.Conv2d(i, o, k, s, k // 2, bias=False)
        outputs = 4 * width if bottleneck else width
        kernels = [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)]
        if not bottleneck:
            kernels = [(inputs, width, 3, stride), (width, width, 3, 1)]
        self.count = len(kernels)
        for i, (a, b, k, s) in enumerate(kernels, 1):
            setattr(self, f"conv{i}", conv(a, b, k, s))
            setattr(self, f"bn{i}", nn.BatchNorm2d(b))
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = y.relu() if i < self.count else y
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class ResNet(nn.Module):
    def __init__(self, classes, counts, bottleneck):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = 64
        for stage, count in enumerate(counts, 1):
            width, blocks = 32 << stage, []
            for i in range(count):
                blocks.append(Block(inputs, width, 2 if stage > 1 and i == 0 else 1, bottleneck))
                inputs = 4 * width if bottleneck else width
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inputs, classes)

    def base(self, x):
        x = self.maxpool(self.bn1(self.conv1(x)).relu())
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))

    def top(self, x):
        return self.fc(x.mean((2, 3)))


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        hidden = inputs * expansion
        layers = [conv_bn(inputs, hidden, 1)] if expansion != 1 else []
        layers += [conv_bn(hidden, hidden, 3, stride, hidden), nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.conv = nn.Sequential(*layers)
        self.around = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.conv(x) if self.around else self.conv(x)


class MobileNetV2(nn.Module):
    def __init__(self, classes):
        super().__init__()
        layers, inputs = [conv_bn(3, 32, 3, 2)], 32
        for t, c, n, s in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
            for i in range(n):
                layers.append(InvertedResidual(inputs, c, s if i == 0 else 1, t))
                inputs = c
        layers.append(conv_bn(inputs, 1280, 1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def base(self, x):
        return self.features(x)

    def top(self, x):
        return self.classifier(x.mean((2, 3)))


def keep(case, network, whole, size, learning=False, gradients=True):
    network.train(learning)
    x = (made_up("input", (2, 3, *size)) / 2 + 0.5).requires_grad_(gradients)
    y = network.base(x)
    y = network.top(y) if whole else y
    values[f"{case} y"] = y.detach()
    if not gradients:
        return
    names, parameters = zip(*[(n, p) for n, p in network.named_parameters() if whole or not n.startswith(("classifier", "fc"))], strict=True)
    # Of size 1 altogether, whatever the number of outputs.
    loss = (y * made_up("loss", y.shape)).sum() / y.numel() ** 0.5
    dx, *found = torch.autograd.grad(loss, [x, *parameters])
    values[f"{case} dx"] = nn.functional.adaptive_avg_pool2d(dx, 8)
    told = [[g.abs().mean().item(), (g * made_up(n, g.shape)).mean().item()] for n, g in zip(names, found, strict=True)]
    values[f"{case} dw"] = torch.tensor(told)
    print(case, tuple(y.shape), "output", float(y.std()), "dx", float(dx.abs().mean()), len(names))


def vgg16():
    network = VGG16(7)
    with torch.no_grad():
        fill(network)
    keep("vgg16 base", network, False, (70, 33))
    with torch.no_grad():
        keep("vgg16 whole", network, True, (64, 47), gradients=False)


def others():
    networks = {
        "resnet18": (ResNet(7, [2, 2, 2, 2], False), (65, 50)),
        "resnet50": (ResNet(7, [3, 4, 6, 3], True), (64, 49)),
        "squeezenet1_0": (SqueezeNet(7, "1_0"), (70, 55)),
        "squeezenet1_1": (SqueezeNet(7, "1_1"), (70, 55)),
        "mobilenet_v2": (MobileNetV2(7), (64, 49)),
    }
    for name, (network, size) in networks.items():
        with torch.no_grad():
            fill(network)
        keep(f"{name} whole", network, True, size)
        if name in ("resnet18", "resnet50", "mobilenet_v2"):
            keep(f"{name} learning", network, False, size, learning=True)


vgg16()
others()
save_file({name: value.clone().contiguous() for name, value in values.items()}, Path(__file__).with_name("applications.safetensors"))
