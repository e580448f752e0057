"""scikit-learn's exact PCA of numbers made here, and of MNIST and CIFAR-10 where they are.

Writes pca.safetensors: small sets with everything about them; of the official sets the variances and
a few numbers of each component. `python pca.py [folder of official files]`.
"""

import gzip
import sys
import tarfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from sklearn.decomposition import PCA

rng = np.random.default_rng(1)
values = {}


def keep(name, x, components):
    """Everything about a small set."""
    pca = PCA(components, svd_solver="full").fit(x.astype(np.float64))
    values[f"{name}.x"] = x
    values[f"{name}.components"] = pca.components_.astype(np.float32)
    values[f"{name}.variance"] = pca.explained_variance_
    values[f"{name}.ratio"] = pca.explained_variance_ratio_
    values[f"{name}.mean"] = pca.mean_.astype(np.float32)
    values[f"{name}.points"] = pca.transform(x.astype(np.float64))[:20].astype(np.float32)


def numbers(n, d):
    """Rows whose variances fall off, far from zero."""
    return (rng.normal(size=(n, 12)) * 2.0 ** -np.arange(12) @ rng.normal(size=(12, d)) + 5.0 + 0.01 * rng.normal(size=(n, d))).astype(np.float32)


keep("tall", numbers(300, 20), 6)
keep("wide", numbers(15, 120), 6)
keep("kept", numbers(200, 25), 0.95)


def official(name, x):
    """Variances of 40 components; of each component, the numbers at 24 places."""
    x = x.reshape(len(x), -1)
    mean, covariance = x.mean(0, dtype=np.float64) / 255, 0
    for part in np.array_split(x, 12):
        part = part / 255 - mean
        covariance = covariance + part.T @ part
    # What PCA(svd_solver="covariance_eigh") solves, in double precision.
    variance, vectors = np.linalg.eigh(covariance / (len(x) - 1))
    order = np.argsort(-variance)
    kept = np.searchsorted(np.cumsum(variance[order]) / variance.sum(), 0.95) + 1
    components = vectors[:, order[:40]].T
    largest = np.abs(components).argmax(1)
    components *= np.sign(components[np.arange(40), largest])[:, None]
    # A random basis makes the angle between subspaces visible in few numbers: each unit vector of
    # the basis, projected onto the components.
    values[f"{name}.variance"] = variance[order[:40]]
    values[f"{name}.total"] = np.array([variance.sum()])
    values[f"{name}.kept"] = np.array([kept])
    values[f"{name}.components"] = components.astype(np.float16 if x.shape[1] > 1000 else np.float32)[:, :: 32 if x.shape[1] > 1000 else 8].astype(np.float32)
    probes = np.sin(np.outer(np.arange(1, 25), np.arange(1, x.shape[1] + 1)))
    probes /= np.linalg.norm(probes, axis=1)[:, None]
    values[f"{name}.projected"] = probes @ components.T @ components @ probes.T


if len(sys.argv) > 1:
    folder = Path(sys.argv[1])
    raw = gzip.decompress(next((folder / "mnist").glob("*train-images*")).read_bytes())
    official("mnist", np.frombuffer(raw[16:], np.uint8).reshape(-1, 28, 28))
    with tarfile.open(folder / "cifar10/cifar-10-binary.tar.gz") as archive:
        members = sorted(m.name for m in archive if "data_batch" in m.name)
        raw = b"".join(archive.extractfile(name).read() for name in members)
    records = np.frombuffer(raw, np.uint8).reshape(-1, 3073)[:, 1:]
    official("cifar10", records.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))

save_file({k: np.ascontiguousarray(v) for k, v in values.items()}, Path(__file__).with_name("pca.safetensors"))
