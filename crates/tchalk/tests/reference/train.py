"""Twenty steps of each optimizer, schedules and losses, in PyTorch and Keras.

Writes train.safetensors. A small network learns one batch; names of weights are tchalk's.
"""

from pathlib import Path

import keras
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

STEPS = 20
torch.manual_seed(3)
network = torch.nn.Sequential(torch.nn.Linear(6, 9), torch.nn.ReLU(), torch.nn.Linear(9, 4))
NAMES = ["dense.weight", "dense.bias", "dense_1.weight", "dense_1.bias"]
parameters = list(network.parameters())
start = [p.detach().clone() for p in parameters]
x = torch.randn(12, 6)
y = torch.randint(4, (12,))
values = {"x": x, "y": y}


def keep(prefix, tensors):
    values.update({f"{prefix}.{name}": t.detach().clone() for name, t in zip(NAMES, tensors, strict=True)})


def set_parameters(tensors):
    with torch.no_grad():
        for parameter, value in zip(parameters, tensors, strict=True):
            parameter.copy_(value)


def gradients():
    with torch.enable_grad():
        return torch.autograd.grad(F.cross_entropy(network(x), y), parameters)


def torch_steps(name, optimizer, clip=None, schedule=None):
    """Twenty steps of a PyTorch optimizer."""
    set_parameters(start)
    for _ in range(STEPS):
        for parameter, gradient in zip(parameters, gradients(), strict=True):
            parameter.grad = gradient.clone()
        if clip:
            clip()
        optimizer.step()
        if schedule:
            schedule.step()
    keep(f"torch {name}", parameters)


def keras_steps(name, optimizer):
    """Twenty steps of a Keras optimizer."""
    variables = [keras.Variable(value.numpy().copy()) for value in start]
    optimizer.build(variables)
    for _ in range(STEPS):
        set_parameters([variable.value for variable in variables])
        with torch.no_grad():
            optimizer.apply(gradients(), variables)
    keep(f"keras {name}", [variable.value for variable in variables])


keep("start", start)
sgd = lambda **options: torch.optim.SGD(parameters, **options)  # noqa: E731
torch_steps("sgd", sgd(lr=0.1))
torch_steps("momentum", sgd(lr=0.1, momentum=0.9))
torch_steps("nesterov", sgd(lr=0.1, momentum=0.9, nesterov=True))
torch_steps("rmsprop", torch.optim.RMSprop(parameters, lr=1e-2, alpha=0.9, eps=1e-10))
torch_steps("adam", torch.optim.Adam(parameters, lr=1e-2, eps=1e-12))
torch_steps("adamw", torch.optim.AdamW(parameters, lr=1e-2, eps=1e-12, weight_decay=0.1))
parts = [{"params": parameters[:2], "lr": 0.01}, {"params": parameters[2:]}]
torch_steps("parts", torch.optim.SGD(parts, lr=0.1))
clip = torch.nn.utils
torch_steps("global_clip_norm", sgd(lr=0.1), lambda: clip.clip_grad_norm_(parameters, 0.1))
torch_steps("clip_norm", sgd(lr=0.1), lambda: [clip.clip_grad_norm_([p], 0.1) for p in parameters])
torch_steps("clip_value", sgd(lr=0.1), lambda: clip.clip_grad_value_(parameters, 0.02))

optimizers = keras.optimizers
keras_steps("nesterov", optimizers.SGD(0.1, momentum=0.9, nesterov=True))
keras_steps("decayed_sgd", optimizers.SGD(0.1, weight_decay=0.05))
falling = optimizers.schedules.InverseTimeDecay(1e-2, 1, 0.05)
keras_steps("rmsprop", optimizers.RMSprop(falling))
keras_steps("rmsprop_momentum", optimizers.RMSprop(1e-2, momentum=0.5))
keras_steps("adam", optimizers.Adam(1e-2))
keras_steps("adamw", optimizers.AdamW(1e-2))
keras_steps("global_clip_norm", optimizers.Adam(1e-2, global_clipnorm=0.1))

# Schedules: the rate of each of twenty steps, four to an epoch.
PER_EPOCH = 4


def rates(name, make, every_step=True):
    """The rates that a PyTorch scheduler gives, and a walk along them."""
    optimizer = sgd(lr=0.1)
    schedule = make(optimizer)
    found = []
    for step in range(STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if every_step or step % PER_EPOCH == PER_EPOCH - 1:
            schedule.step()
    values[f"rates {name}"] = torch.tensor(found, dtype=torch.float64)


for parameter in parameters:
    parameter.grad = torch.zeros_like(parameter)
S = torch.optim.lr_scheduler
rates("step", lambda o: S.StepLR(o, 2, 0.1), every_step=False)
rates("exponential", lambda o: S.ExponentialLR(o, 0.7 ** (1 / PER_EPOCH)))
rates("linear", lambda o: S.LinearLR(o, 1.0, 0.2, STEPS))
rates("cosine", lambda o: S.CosineAnnealingLR(o, STEPS))
rates("cycles", lambda o: S.CosineAnnealingWarmRestarts(o, STEPS // 2))
rates("one_cycle", lambda o: S.OneCycleLR(o, 0.1, STEPS))
warm = 2 * PER_EPOCH
rates(
    "warm_up",
    lambda o: S.SequentialLR(
        o,
        [S.LinearLR(o, 1 / warm, 1.0, warm - 1), S.CosineAnnealingLR(o, STEPS - warm)],
        [warm],
    ),
)
# A walk along the cosine, a rate for every step. (With momentum the two differ: in Keras the rate
# goes into what is remembered.)
walk = sgd(lr=0.1)
torch_steps("cosine", walk, schedule=S.CosineAnnealingLR(walk, STEPS))
keras_steps("cosine", optimizers.SGD(optimizers.schedules.CosineDecay(0.1, STEPS), momentum=0.9))
# A loss that stops getting better, and what the plateau scheduler makes of it.
losses = [1.0, 0.8, 0.7, 0.7, 0.7, 0.71, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
plateau = sgd(lr=0.1)
schedule = S.ReduceLROnPlateau(plateau, factor=0.5, patience=2, threshold=0.0, cooldown=1, min_lr=0.02)
found = []
for loss in losses:
    schedule.step(loss)
    found.append(plateau.param_groups[0]["lr"])
values["plateau losses"] = torch.tensor(losses, dtype=torch.float64)
values["plateau rates"] = torch.tensor(found, dtype=torch.float64)

# Losses: the network's own outputs, as scores and as probabilities.
set_parameters(start)
scores = network(x).detach()
probabilities = scores.softmax(1)
one_hot = F.one_hot(y, 4).float()
weights = torch.tensor([0.5, 1.0, 2.0, 3.0])
categorical = keras.losses.CategoricalCrossentropy
binary = keras.losses.BinaryCrossentropy
values["loss cross_entropy"] = F.cross_entropy(scores, y)
values["loss smoothed"] = F.cross_entropy(scores, y, label_smoothing=0.1)
values["loss weighted"] = (F.cross_entropy(scores, y, reduction="none") * weights[y]).mean()
values["loss probabilities"] = categorical(label_smoothing=0.1)(one_hot, probabilities)
values["loss binary_logits"] = F.binary_cross_entropy_with_logits(scores, one_hot)
values["loss binary"] = binary(label_smoothing=0.1)(one_hot, probabilities)
values["loss squared"] = keras.losses.MeanSquaredError()(one_hot, probabilities)

save_file(
    {name: value.detach().contiguous().cpu() for name, value in values.items()},
    Path(__file__).with_name("train.safetensors"),
)
