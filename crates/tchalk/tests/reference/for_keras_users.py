"""Runs the left column of `for_keras_users.md` with Keras 3, block by block.

    KERAS_BACKEND=torch python for_keras_users.py

Names that a block takes for granted (`model`, `x_train`, …) are made here, small; what would ask the
network, or needs a program beside Python, is replaced by a stand-in that says so. Fails with the first
block that Keras does not take.
"""

import os
import pathlib
import re
import sys
import tempfile
import types

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy
import sklearn.metrics
from keras import layers

PAGE = pathlib.Path(__file__).resolve().parents[2] / "src" / "for_keras_users.md"
# What no block of this environment can do, and why; each is at least known to Keras by this name.
STAND_INS = {
    "keras.utils.image_dataset_from_directory": "needs TensorFlow's or Grain's data sets",
    "keras.utils.plot_model": "needs Graphviz",
    "keras.datasets.cifar10.load_data": "asks the network",
    "keras.datasets.mnist.load_data": "asks the network",
    "keras.datasets.fashion_mnist.load_data": "asks the network",
}


def images():
    random = numpy.random.default_rng(0)
    draw = lambda n: random.integers(0, 256, (n, 32, 32, 3), dtype=numpy.uint8)
    return (draw(40), numpy.arange(40)[:, None] % 10), (draw(20), numpy.arange(20)[:, None] % 10)


def network(name="small"):
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(4, 3, name="conv2d"),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ],
        name=name,
    )
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    return model


def stand_in(name):
    *path, last = name.split(".")
    module = keras
    for part in path[1:]:
        module = getattr(module, part)
    if not hasattr(module, last):
        sys.exit(f"Keras {keras.__version__} has no {name}")
    setattr(module, last, lambda *_, **__: images())


def names():
    """What a block may take for granted; made anew for each, so that none depends on another."""
    (x_train, y_train), (x_test, y_test) = images()
    x_train, x_test = x_train / 255, x_test / 255
    y_train, y_test = keras.utils.to_categorical(y_train, 10), keras.utils.to_categorical(y_test, 10)
    model = network()
    history = model.fit(x_train, y_train, validation_data=(x_test, y_test), epochs=1, verbose=0)
    return {
        "keras": keras,
        "layers": layers,
        "sklearn": types.SimpleNamespace(metrics=sklearn.metrics),
        "x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test, "x": x_test,
        "model": model, "base": network(), "model_a": network("a"), "model_b": network("b"),
        "history": history,
        "truth": y_test.argmax(1), "classes": y_test.argmax(1),
        "a": keras.Input((4,)), "b": keras.Input((4,)),
    }


def main():
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    for name in STAND_INS:
        stand_in(name)
    os.chdir(tempfile.mkdtemp())
    for number, block in enumerate(blocks, 1):
        try:
            exec(compile(block, f"block {number}", "exec"), names())
        except Exception as error:
            sys.exit(f"Keras {keras.__version__} does not take block {number}: {error!r}\n\n{block}")
        keras.mixed_precision.set_global_policy("float32")
    print(f"{len(blocks)} blocks run with Keras {keras.__version__}; stand-ins: {', '.join(STAND_INS)}")


if __name__ == "__main__":
    main()
