"""A small CNN in PyTorch: probabilities, loss, gradients, one step of SGD; five of Keras's RMSprop.

Writes cnn.safetensors. Names of weights are tchalk's.
"""

from pathlib import Path

import keras
import torch
from safetensors.torch import save_file

torch.manual_seed(1)
network = torch.nn.Sequential(
    torch.nn.Conv2d(3, 4, 3, padding="same"),
    torch.nn.ReLU(),
    torch.nn.Conv2d(4, 5, 3),
    torch.nn.ReLU(),
    torch.nn.MaxPool2d(2),
    torch.nn.Flatten(),
    torch.nn.Linear(5 * 3 * 4, 7),
)
NAMES = ["conv2d.weight", "conv2d.bias", "conv2d_1.weight", "conv2d_1.bias", "dense.weight", "dense.bias"]
parameters = list(network.parameters())
x = torch.rand(6, 3, 9, 10)
y = torch.tensor([0, 6, 2, 2, 5, 1])
values = {"x": x, "y": y}


def keep(prefix, tensors):
    values.update({f"{prefix}.{name}": t.detach().clone() for name, t in zip(NAMES, tensors, strict=True)})


def loss_and_gradients():
    loss = torch.nn.functional.cross_entropy(network(x), y)
    return loss, torch.autograd.grad(loss, parameters)


loss, gradients = loss_and_gradients()
values["probabilities"] = network(x).softmax(1).detach()
values["loss"] = loss.detach()
keep("before", parameters)
keep("gradient", gradients)
start = [p.detach().clone() for p in parameters]

sgd = torch.optim.SGD(network.parameters(), lr=0.1)
for parameter, gradient in zip(parameters, gradients, strict=True):
    parameter.grad = gradient
sgd.step()
keep("sgd", parameters)

with torch.no_grad():
    for parameter, value in zip(parameters, start, strict=True):
        parameter.copy_(value)
momentum = keras.optimizers.SGD(learning_rate=0.05, momentum=0.9)
rmsprop = keras.optimizers.RMSprop(keras.optimizers.schedules.InverseTimeDecay(1e-2, 1, 0.1))
for name, optimizer in {"momentum": momentum, "rmsprop": rmsprop}.items():
    variables = [keras.Variable(value.numpy().copy()) for value in start]
    optimizer.build(variables)
    for _ in range(5):
        with torch.no_grad():
            for parameter, variable in zip(parameters, variables, strict=True):
                parameter.copy_(variable.value)
        _, gradients = loss_and_gradients()
        with torch.no_grad():
            optimizer.apply(gradients, variables)
    keep(name, [variable.value for variable in variables])

save_file({name: value.contiguous().cpu() for name, value in values.items()}, Path(__file__).with_name("cnn.safetensors"))
