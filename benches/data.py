"""Images read, looked at and changed, beside what Python readers use for it: both sides in one run.

    python benches/data.py FOLDER [--data FILES]

FOLDER holds the built examples (target/release/examples, or debug); FILES are the official files, and
TCHALK_DATA_DIR by default. Wants scikit-learn and torch; pandas and polars where the CSV is compared.
Prints a table: seconds on both sides, their ratio, what was aimed at, and the accuracy beside it.
Numbers are the best of some rounds, in turn where that is cheap, so that a busy machine slows both sides
alike; scikit-learn's t-SNE runs once.
"""

import argparse
import gzip
import importlib.util
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file


def seconds(work):
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


class Bench:
    def __init__(self, examples, data, rounds):
        self.examples, self.data, self.rounds = examples, data, rounds
        self.lines = []

    def rust(self, name, *arguments):
        """Runs an example; what it prints last is JSON."""
        program = self.examples / f"bench_{name}"
        if not program.exists():
            return None
        # The libtorch that Python has is the one that the example was built with.
        import torch

        library = str(Path(torch.__file__).parent / "lib")
        environment = dict(os.environ, TCHALK_DATA_DIR=str(self.data))
        environment["LD_LIBRARY_PATH"] = library + ":" + environment.get("LD_LIBRARY_PATH", "")
        done = subprocess.run([program, *map(str, arguments)], env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{program} {arguments}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout.strip().splitlines()[-1])

    def line(self, what, ours, theirs, name, aim, accuracy=""):
        ratio = ours / theirs
        self.lines.append([what, f"{ours:.2f} s", f"{theirs:.2f} s", name, f"{ratio:.2f}", aim, accuracy])
        print("  ".join(self.lines[-1]), flush=True)

    def csv(self):
        file = self.data / "digit-recognizer/train.csv"
        if not file.exists():
            return print("skipped: no train.csv")
        theirs = {}
        if importlib.util.find_spec("pandas"):
            import pandas

            theirs["pandas", "0.25"] = lambda: pandas.read_csv(file).to_numpy(np.uint8)
        if importlib.util.find_spec("polars"):
            import polars

            names = polars.read_csv(file, n_rows=1).columns
            schema = {name: polars.UInt8 for name in names}
            theirs["polars", "0.6"] = lambda: polars.read_csv(file, schema=schema).to_numpy()
        ours, best = [], {name: [] for name in theirs}
        for _ in range(self.rounds):
            result = self.rust("csv", file)
            if result is None:
                return print("skipped: no bench_csv")
            ours.append(next(value for key, value in result.items() if "seconds" in key))
            for name, work in theirs.items():
                best[name].append(seconds(work)[0])
        for (name, aim), times in best.items():
            self.line("train.csv to an array", min(ours), min(times), name, aim)

    def images(self, name):
        if name == "mnist":
            raw = gzip.decompress(next((self.data / "mnist").glob("*train-images*")).read_bytes())
            return np.frombuffer(raw[16:], np.uint8).reshape(60_000, -1)
        with tarfile.open(self.data / "cifar10/cifar-10-binary.tar.gz") as archive:
            members = sorted(m.name for m in archive if "data_batch" in m.name)
            raw = b"".join(archive.extractfile(member).read() for member in members)
        planes = np.frombuffer(raw, np.uint8).reshape(-1, 3073)[:, 1:].reshape(-1, 3, 32, 32)
        return planes.transpose(0, 2, 3, 1).reshape(50_000, -1)

    def pca(self):
        from sklearn.decomposition import PCA

        for name in ["cifar10", "mnist"]:
            images = self.images(name)
            x = images.astype(np.float32) / 255
            # As a reader gives them, bytes (which scikit-learn makes doubles), and as single numbers.
            ours, theirs, single = [], [], []
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "pca.safetensors"
                for _ in range(self.rounds):
                    ours.append(self.rust("pca", name, 40, out)["fit"])
                    spent, found = seconds(lambda: PCA(40, random_state=0).fit(images))
                    theirs.append(spent)
                    single.append(seconds(lambda: PCA(40, random_state=0).fit(x))[0])
                own = load_file(out)
            # The exact answer, in double precision.
            mean, covariance = images.mean(0, dtype=np.float64) / 255, 0
            for part in np.array_split(images, 12):
                part = part / 255 - mean
                covariance = covariance + part.T @ part
            variance, vectors = np.linalg.eigh(covariance / (len(x) - 1))
            variance, exact = variance[::-1][:40], vectors[:, ::-1][:, :40]

            def angle(components):
                basis = np.linalg.qr(components.astype(np.float64).T)[0]
                return np.arcsin(min(1, np.linalg.norm(exact - basis @ (basis.T @ exact), 2)))

            worst = np.abs(own["variances"] / variance - 1).max()
            accuracy = (
                f"angle {angle(own['components']):.1e} (theirs {angle(found.components_):.1e}), "
                f"variance {worst:.1e} (theirs {np.abs(found.explained_variance_ / 255**2 / variance - 1).max():.1e})"
            )
            aim = "0.6" if name == "cifar10" else ""
            self.line(f"PCA of {name}, 40 components", min(ours), min(theirs), "scikit-learn", aim, accuracy)
            self.line("the same", min(ours), min(single), "its f32", "", "")

    def tsne(self):
        from scipy.spatial.distance import squareform
        from sklearn.decomposition import PCA
        from sklearn.manifold import TSNE
        from sklearn.manifold._t_sne import _joint_probabilities
        from sklearn.metrics import pairwise_distances

        x = self.images("mnist")[:5_000].astype(np.float32) / 255
        points = np.ascontiguousarray(PCA(50, random_state=0).fit_transform(x).astype(np.float32))
        p = squareform(_joint_probabilities(pairwise_distances(points, squared=True).astype(np.float32), 30, 0))

        def divergence(places):
            q = 1 / (1 + pairwise_distances(places.astype(np.float64), squared=True))
            np.fill_diagonal(q, 0)
            q /= q.sum()
            there = p > 1e-300
            return (p[there] * np.log(p[there] / q[there])).sum()

        with tempfile.TemporaryDirectory() as folder:
            given, out = Path(folder) / "points.safetensors", Path(folder) / "map.safetensors"
            save_file({"points": points}, given)
            ours = min(self.rust("tsne", given, out)["seconds"] for _ in range(self.rounds))
            own = divergence(load_file(out)["map"])
        theirs, found = seconds(lambda: TSNE(2, random_state=0).fit_transform(points))
        other = divergence(found)
        accuracy = f"exact divergence {own:.4f} (theirs {other:.4f}, {100 * (own / other - 1):+.1f} %)"
        self.line("t-SNE of 5,000 MNIST images", ours, theirs, "scikit-learn", "0.4", accuracy)

    def augmentation(self):
        result = self.rust("augment")
        aim = "0.3" if "Cpu" in result["device"] else "0.02"
        what = "flip, crop, hole: 50,000 × 3 × 32 × 32, "
        for key in ["batches_of_128", "batches_of_1000"]:
            self.line(what + key.replace("_", " "), result[key], result["tch"], "tch::vision", aim)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("examples", type=Path)
    parser.add_argument("--data", type=Path, default=os.environ.get("TCHALK_DATA_DIR"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="csv, pca, tsne or augmentation")
    arguments = parser.parse_args()
    if arguments.data is None:
        sys.exit("Where are the official files? --data FILES, or TCHALK_DATA_DIR.")
    bench = Bench(arguments.examples.resolve(), Path(arguments.data), arguments.rounds)
    for part in ["csv", "pca", "tsne", "augmentation"]:
        if arguments.only in (None, part):
            getattr(bench, part)()
    heads = ["", "ours", "theirs", "whose", "ratio", "aim", "accuracy"]
    table = [heads, *bench.lines]
    widths = [max(len(line[i]) for line in table) for i in range(len(heads))]
    print()
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
