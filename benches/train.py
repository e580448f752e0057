"""How long training takes: tchalk, PyTorch eager and Keras 3 over PyTorch, with equal threads.

    train.py FOLDER [--threads 2] [--rounds 5] [--steps 20]

FOLDER holds bench_train, built from crates/tchalk/examples with --release. Every
contender runs in a process of its own, one after another, `--rounds` times in turns. Printed are the
median of the rounds (each itself the median step), which part of it the first one takes, and peak memory.

The network is the tutorial's CNN, 1,250,858 parameters, on batches of 128 images of 3 x 32 x 32,
with dropout, trained by RMSprop. PyTorch is timed in its usual order of memory and, as tchalk chooses,
with the channels last. Then: a head on a frozen VGG16 for 25 epochs on 1,000 images, with its base
computed once and in every epoch (of which a fifth is run, and the time multiplied).
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

BATCH = 128


def torch_steps(steps, channels_last):
    """The seconds of each step in eager PyTorch."""
    import torch
    from torch import nn

    def block(inside, filters):
        return [
            nn.Conv2d(inside, filters, 3, padding=1), nn.ReLU(), nn.Conv2d(filters, filters, 3), nn.ReLU(),
            nn.MaxPool2d(2), nn.Dropout(0.25),
        ]

    model = nn.Sequential(
        *block(3, 32), *block(32, 64), nn.Flatten(),
        nn.Linear(2304, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, 10),
    )
    assert sum(p.numel() for p in model.parameters()) == 1_250_858
    x, y = torch.rand(BATCH * (steps + 3), 3, 32, 32), torch.randint(10, (BATCH * (steps + 3),))
    if channels_last:
        model, x = (it.to(memory_format=torch.channels_last) for it in (model, x))
    optimizer = torch.optim.RMSprop(model.parameters(), 1e-3, alpha=0.9, foreach=True)
    order, times = torch.randperm(len(x)), []
    total = torch.zeros(())
    for picked in order.split(BATCH):
        begun = time.perf_counter()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[picked]), y[picked])
        loss.backward()
        optimizer.step()
        total += loss.detach()
        times.append(time.perf_counter() - begun)
    return times


def keras_steps(steps):
    """The seconds of each step of Keras's `fit`."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
    import numpy as np

    keras.backend.set_image_data_format("channels_first")
    layers = keras.layers
    model = keras.Sequential([keras.Input((3, 32, 32))])
    for filters in (32, 64):
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.Conv2D(filters, 3, activation="relu"))
        model.add(layers.MaxPooling2D(2))
        model.add(layers.Dropout(0.25))
    model.add(layers.Flatten())
    model.add(layers.Dense(512, activation="relu"))
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(10, activation="softmax"))
    assert model.count_params() == 1_250_858
    optimizer = keras.optimizers.RMSprop(1e-3)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    count = BATCH * (steps + 3)
    x = np.random.rand(count, 3, 32, 32).astype("float32")
    y = np.random.randint(10, size=count)
    times = []

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            times.append(time.perf_counter())

    model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0, callbacks=[Clock()])
    return [after - before for before, after in zip(times, times[1:])]


def contender(name, threads, steps):
    """One contender, in this process."""
    import torch

    torch.set_num_threads(threads)
    times = keras_steps(steps) if name == "keras" else torch_steps(steps, name == "torch channels last")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": statistics.median(times[2:]), "peak_mb": peak}))


def run(command):
    """What a process prints last, as JSON."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command}:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def table(found):
    """A line for each contender; the first's time as a part of each one's."""
    reference = next(iter(found))
    first = statistics.median(one["seconds"] for one in found[reference])
    for name, all_of_it in found.items():
        seconds = [one["seconds"] for one in all_of_it]
        peak = max(one["peak_mb"] for one in all_of_it)
        middle = statistics.median(seconds)
        print(
            f"{name:<28} median {middle * 1e3:>10.1f} ms  ({min(seconds) * 1e3:.1f} to {max(seconds) * 1e3:.1f})"
            f"  {reference} is {first / middle:.2f} of it  peak {peak:.0f} MB"
        )


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--steps", type=int, default=20)
    arguments.add_argument("--contender")
    given = arguments.parse_args()
    if given.contender:
        return contender(given.contender, given.threads, given.steps)
    program = os.path.join(given.folder, "bench_train")
    threads, steps = str(given.threads), str(given.steps)
    here = [sys.executable, __file__, given.folder, "--threads", threads, "--steps", steps, "--contender"]
    commands = {"tchalk": [program, "cnn", threads, steps]}
    commands.update({name: [*here, name] for name in ("torch", "torch channels last", "keras")})
    found = {name: [] for name in commands}
    for _ in range(given.rounds):
        for name, command in commands.items():
            found[name].append(run(command))
    print(f"a step of training, {threads} threads, {given.rounds} rounds")
    table(found)

    found = {"base computed once": [], "base in every epoch": []}
    for _ in range(max(1, given.rounds // 2)):
        found["base computed once"].append(run([program, "frozen", threads, "25", "once"]))
        every = run([program, "frozen", threads, "5", "every"])
        every["seconds"] *= 5
        found["base in every epoch"].append(every)
    print(f"25 epochs of a head on a frozen VGG16, 1,000 images, {len(found['base in every epoch'])} rounds")
    table(found)


if __name__ == "__main__":
    main()
