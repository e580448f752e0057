"""scikit-learn's t-SNE of numbers made here, and how far its map is from them.

Writes tsne.safetensors: the points, and the exact Kullback-Leibler divergence (all pairs) of maps from
a few seeds, in two dimensions.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from scipy.spatial.distance import squareform
from sklearn.manifold import TSNE
from sklearn.manifold._t_sne import _joint_probabilities
from sklearn.metrics import pairwise_distances

rng = np.random.default_rng(2)
centers = 4 * rng.normal(size=(8, 10))
points = np.concatenate([center + rng.normal(size=(100, 10)) * rng.uniform(0.5, 1.5) for center in centers])
points = points.astype(np.float32)


def divergence(places):
    squares = pairwise_distances(points, squared=True).astype(np.float32)
    p = squareform(_joint_probabilities(squares, 30, 0))
    q = 1 / (1 + pairwise_distances(places.astype(np.float64), squared=True))
    np.fill_diagonal(q, 0)
    q /= q.sum()
    there = p > 1e-300
    return float((p[there] * np.log(p[there] / q[there])).sum())


maps = [TSNE(2, random_state=seed).fit_transform(points) for seed in range(3)]
values = {"points": points, "divergence": np.array([divergence(places) for places in maps])}
save_file(values, Path(__file__).with_name("tsne.safetensors"))
print(values["divergence"])
