"""How long cells take: tchalk's kernel, stock Evcxr, and ipykernel with PyTorch doing the like.

    kernel.py KERNEL…      each KERNEL is tchalk, tchalk-prewarmed, rust (stock evcxr_jupyter) or python3

Every kernel runs the same cells, one notebook after another, `--rounds` times in turns. Printed are
the time from start to the first result, in the first round (in which stock Evcxr builds everything) and
in the later ones, median and 90th percentile of the cells after the first, what share of stock Evcxr's
they are, and for each of these cells the median of every kernel.
"""

import argparse
import os
import pathlib
import statistics
import time

from jupyter_client.manager import start_new_kernel

# Names what stock Evcxr is given: the same library, as an ordinary crate.
STOCK_LIBRARY = "TCHALK_STOCK_LIBRARY"

RUST = [
    "use tchalk::prelude::*;\nruntime::report()",
    "let shapes = datasets::shapes()?;\nshapes.describe()",
    "let photo = shapes.test.image(0);\nlet label = photo.label().unwrap();\nphoto",
    'println!("{label}");',
    "shapes.train.image_grid(4, 10)?",
    "shapes.train.histograms()?",
    "let train = shapes.train.take(200).to_tensors(Device::Cpu);\ntrain",
    """let model = Sequential::new()
    .input_shape([3, 32, 32])
    .add(Conv2d::new(32, 3)).add(Relu).add(MaxPool2d::new(2))
    .add(Flatten).add(Dense::new(10)).add(Softmax)
    .build(Device::Cpu)?;
model.summary()""",
    "model.compile(RmsProp::new(1e-3), Loss::CategoricalCrossEntropy)?;",
    "let history = model.fit(&train, Fit::new().epochs(1))?;",
    "history.plot()?",
    "model.evaluate(&train)?",
    "1 + 1",
    "let numbers: Vec<i32> = (0..10).collect();",
    "numbers.iter().sum::<i32>()",
]

PYTHON = [
    "import torch, numpy as np\nprint(torch.__version__)",
    "rng = np.random.default_rng(0)\nimages = rng.integers(0, 256, (6000, 32, 32, 3), dtype=np.uint8)\n"
    "labels = rng.integers(0, 10, 6000)\nimages.shape, images.mean()",
    "photo = images[0]\nlabel = labels[0]\nphoto.shape",
    "print(label)",
    "images[:40].mean(axis=(1, 2, 3))",
    "np.bincount(labels), np.bincount(images.ravel())",
    "x = torch.from_numpy(images[:200]).permute(0, 3, 1, 2).float() / 255\ny = torch.from_numpy(labels[:200])\nx.shape",
    "model = torch.nn.Sequential(torch.nn.Conv2d(3, 32, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2),\n"
    "    torch.nn.Flatten(), torch.nn.Linear(7200, 10))\nmodel",
    "optimizer = torch.optim.RMSprop(model.parameters(), 1e-3)",
    "for a, b in zip(x.split(32), y.split(32)):\n    optimizer.zero_grad()\n"
    "    loss = torch.nn.functional.cross_entropy(model(a), b)\n    loss.backward()\n    optimizer.step()",
    "loss.item()",
    "(model(x).argmax(1) == y).float().mean()",
    "1 + 1",
    "numbers = list(range(10))",
    "sum(numbers)",
]


def run_notebook(name):
    """Seconds to the first result, and of each later cell."""
    os.environ["TCHALK_PREWARM"] = "1" if name == "tchalk-prewarmed" else "0"
    cells = PYTHON if name == "python3" else RUST
    begun = time.perf_counter()
    kernel = "tchalk" if name == "tchalk-prewarmed" else name
    manager, client = start_new_kernel(kernel_name=kernel, startup_timeout=600)
    times = []
    try:
        if name == "rust":
            client.execute_interactive(f':dep tchalk = {{ path = "{os.environ[STOCK_LIBRARY]}" }}', timeout=1800, output_hook=lambda _: None)
        for code in cells:
            cell_begun = time.perf_counter()
            reply = client.execute_interactive(code, timeout=1800, output_hook=lambda _: None)
            if reply["content"]["status"] != "ok":
                raise SystemExit(f"{name}: {code!r} failed: {reply['content'].get('evalue')}")
            now = time.perf_counter()
            times.append(now - (cell_begun if times else begun))
        if name == "tchalk-prewarmed":
            # The next round finds a reserve: what a class finds from the second start on.
            socket = pathlib.Path(os.environ["TCHALK_STATE"]) / "prewarmed/socket"
            deadline = time.monotonic() + 120
            while not socket.exists() and time.monotonic() < deadline:
                time.sleep(0.2)
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kernels", nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if "tchalk-prewarmed" in arguments.kernels:
        run_notebook("tchalk-prewarmed")
    results = {name: [] for name in arguments.kernels}
    for _ in range(arguments.rounds):
        for name in arguments.kernels:
            results[name].append(run_notebook(name))
    later = {name: [time for times in rounds for time in times[1:]] for name, rounds in results.items()}
    middle = {name: statistics.median(times) for name, times in later.items()}
    tenth = {name: statistics.quantiles(times, n=10)[-1] for name, times in later.items()}
    print(f"{'kernel':16} {'first start':>12} {'later starts':>13} {'median cell':>12} {'90th percentile':>16}")
    for name, rounds in results.items():
        first, *others = (times[0] for times in rounds)
        others = f"{statistics.median(others):11.2f} s" if others else f"{'':13}"
        print(f"{name:16} {first:10.2f} s {others} {middle[name]:10.3f} s {tenth[name]:14.3f} s")
    for name in results:
        if "rust" in results and name != "rust":
            shares = middle[name] / middle["rust"], tenth[name] / tenth["rust"]
            print(f"{name}: {shares[0]:.2f} of stock Evcxr's median cell, {shares[1]:.2f} of its 90th percentile")
    print("\n" + " ".join(f"{name:>15}" for name in results) + "  cell (median)")
    for index, code in enumerate(RUST[1:], 1):
        row = " ".join(f"{statistics.median(times[index] for times in rounds):13.3f} s" for rounds in results.values())
        print(f"{row}  {code.splitlines()[-1].strip()[:60]}")


if __name__ == "__main__":
    main()
