"""Confusion matrices, classification reports and top-k accuracies by scikit-learn.

Writes evaluate.json: for each case the labels, the probabilities, and what scikit-learn says. The
last case has classes that are never said, never occur, or neither.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.metrics import classification_report, confusion_matrix, top_k_accuracy_score

random = np.random.default_rng(7)
cases = []


def case(name, truth, probabilities):
    probabilities = np.asarray(probabilities, dtype=np.float32)
    classes = probabilities.shape[1]
    truth = np.asarray(truth)
    said = probabilities.argmax(1)
    report = classification_report(truth, said, output_dict=True, zero_division=0)
    # scikit-learn takes two classes for something else.
    tops = {}
    for k in (1, 2, 5):
        if 2 < classes > k:
            tops[str(k)] = top_k_accuracy_score(truth, probabilities, k=k, labels=np.arange(classes))
    cases.append(
        {
            "name": name,
            "truth": truth.tolist(),
            # Four digits name the same f32 everywhere and keep the file small.
            "probabilities": [[float(f"{p:.4g}") for p in row] for row in probabilities],
            "matrix": confusion_matrix(truth, said, labels=np.arange(classes)).tolist(),
            "classes": {k: v for k, v in report.items() if k.isdigit()},
            "macro": report["macro avg"],
            "weighted": report["weighted avg"],
            "accuracy": float((truth == said).mean()),
            "top": tops,
        }
    )


def drawn(images, classes, sharpness):
    """Probabilities that favor the truth, rounded as they are written, without ties."""
    truth = random.integers(0, classes, images)
    scores = random.normal(size=(images, classes))
    scores[np.arange(images), truth] += sharpness
    probabilities = np.exp(scores)
    probabilities /= probabilities.sum(1, keepdims=True)
    rounded = [[float(f"{p:.4g}") for p in row] for row in probabilities]
    return truth, rounded


case("two classes", *drawn(40, 2, 1.0))
case("ten classes", *drawn(200, 10, 2.0))
case("a hundred classes", *drawn(120, 100, 3.0))
case("one class", [0, 0, 0], [[1.0], [1.0], [1.0]])
truth, probabilities = drawn(60, 6, 1.5)
probabilities = np.asarray(probabilities)
probabilities[:, 2] = 1e-5  # never said
probabilities[:, 5] = 1e-6  # neither said,
truth = np.where(truth == 5, 0, truth)  # nor there
truth = np.where(truth == 4, 1, truth)  # said, but not there
probabilities /= probabilities.sum(1, keepdims=True)
case("silent classes", truth, [[float(f"{p:.4g}") for p in row] for row in probabilities])

Path(__file__).with_name("evaluate.json").write_text(json.dumps(cases))
