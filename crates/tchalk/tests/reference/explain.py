"""Grad-CAM, saliency and integrated gradients in plain PyTorch, for a small network.

Writes explain.safetensors. Names of weights are tchalk's.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

torch.manual_seed(5)
first, second, dense = torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 6, 3), torch.nn.Linear(6 * 3 * 3, 5)
layers = {"conv2d": first, "conv2d_1": second, "dense": dense}
x = torch.rand(1, 3, 12, 12)


def maps_of(x):
    return second(torch.max_pool2d(first(x).relu(), 2)).relu()


def scores_of(maps):
    return dense(maps.flatten(1))


values = {f"{name}.{kind}": value for name, layer in layers.items() for kind, value in layer.named_parameters()}
values["x"] = x
cams = []
for c in range(5):
    maps = maps_of(x).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(scores_of(maps)[0, c], maps)
    cams.append((gradient.mean((2, 3), keepdim=True) * maps).sum(1).relu()[0])
values["grad_cam"] = torch.stack(cams)

image = x.clone().requires_grad_()
(gradient,) = torch.autograd.grad(scores_of(maps_of(image))[0, 1], image)
values["saliency"] = gradient[0].abs().amax(0)

total = torch.zeros_like(x)
for i in range(64):
    point = (x * (i + 0.5) / 64).requires_grad_()
    (gradient,) = torch.autograd.grad(scores_of(maps_of(point))[0, 2], point)
    total += gradient
values["integrated_gradients"] = (total / 64 * x)[0].sum(0)

save_file({k: v.detach().contiguous() for k, v in values.items()}, Path(__file__).with_name("explain.safetensors"))
