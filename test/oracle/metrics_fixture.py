"""Metrics of scikit-learn on probabilities that both sides compute by one formula.

Made with scikit-learn 1.2.1, NumPy 1.24.2, SciPy 1.10.1 (Debian's python3-sklearn):
    /usr/bin/python3 test/oracle/metrics_fixture.py > test/fixtures/metrics.json
"""

import json
import math
import sys
import warnings

import numpy as np
from scipy.stats import binomtest
from sklearn import metrics
from sklearn.calibration import calibration_curve

warnings.simplefilter("ignore")

# name: images, classes, labels used (fewer than classes: some never occur), strength of the right answer
CASES = {
    "ten classes": (500, 10, 10, 0.9),
    "two classes": (40, 2, 2, 0.5),
    "a class never seen": (60, 5, 3, 3.0),
    "mostly wrong": (97, 12, 12, -0.1),
    "most classes absent": (9, 40, 4, 0.5),
    "all right": (16, 4, 4, 50.0),
    "many classes": (900, 150, 150, 1.0),
}


def label(i, used):
    return (i * i + i // 3) % used


def score(i, c):
    """A hash-like number in [0, 1) from integers small enough for exact doubles."""
    return ((i * 7919 + c * 104729 + (i % 17) * (c + 3) * 31) % 9973) / 9973


def probabilities(n, classes, used, strength):
    out = np.zeros((n, classes), dtype=np.float32)
    for i in range(n):
        logits = [4 * score(i, c) + (strength if c == label(i, used) else 0) for c in range(classes)]
        if used < classes:
            logits[-1] = -30.0
        powers = [2.0 ** (math.floor(v * 65536) / 65536) for v in logits]
        total = 0.0
        for power in powers:
            total += power
        for c in range(classes):
            out[i, c] = powers[c] / total
    return out


def areas(y, p):
    """One-vs-rest areas, None where the labels have one value only; averages as scikit-learn gives or refuses them."""
    each = [
        None if (y == c).all() or not (y == c).any() else metrics.roc_auc_score(y == c, p[:, c])
        for c in range(p.shape[1])
    ]
    if p.shape[1] == 2 or None in each:
        return {"each": each, "macro": None, "weighted": None}
    averages = {a: metrics.roc_auc_score(y, p, multi_class="ovr", average=a) for a in ("macro", "weighted")}
    return {"each": each, **averages}


def calibration(y, p, bins):
    """scikit-learn's reliability diagram of the highest probability, and the error it makes (Guo et al. 2017)."""
    sure = p.max(axis=1).astype(np.float64)
    right = (p.argmax(axis=1) == y).astype(int)
    accuracy, confidence = calibration_curve(right, sure, n_bins=bins, pos_label=1)
    inside = np.searchsorted(np.linspace(0.0, 1.0, bins + 1)[1:-1], sure)
    counts = np.bincount(inside, minlength=bins)
    weights = counts[counts > 0] / len(y)
    return {
        "bins": bins,
        "counts": counts.tolist(),
        "accuracy": accuracy.tolist(),
        "confidence": confidence.tolist(),
        "error": float(np.sum(weights * np.abs(accuracy - confidence))),
    }


cases = []
for name, (n, classes, used, strength) in CASES.items():
    p = probabilities(n, classes, used, strength)
    y = np.array([label(i, used) for i in range(n)])
    predicted = p.argmax(axis=1)
    labels = list(range(classes))
    names = [f"class {c}" if c != 1 else "T-shirt/top, «Größe» M" for c in labels]
    averages = {}
    for zero in (0, 1):
        averages[zero] = {}
        for average in ("macro", "micro", "weighted"):
            precision, recall, f1, _ = metrics.precision_recall_fscore_support(
                y, predicted, labels=labels, average=average, zero_division=zero
            )
            averages[zero][average] = {"precision": precision, "recall": recall, "f1": f1}
        # `labels` above is every class; scikit-learn's default is those in the labels or the predictions.
        averages[zero]["macroPresent"] = dict(zip(("precision", "recall", "f1"), metrics.precision_recall_fscore_support(
            y, predicted, average="macro", zero_division=zero
        )))
    scores = {2, 3} & {k for k in (2, 3) if k < classes}
    cases.append(
        {
            "name": name,
            "images": n,
            "classes": classes,
            "used": used,
            "strength": strength,
            "names": names,
            "accuracy": metrics.accuracy_score(y, predicted),
            "topK": {str(k): metrics.top_k_accuracy_score(y, p, k=k, labels=labels) for k in sorted(scores)},
            "averages": averages,
            "logLoss": metrics.log_loss(y, p.astype(np.float64), labels=labels),
            "confusion": metrics.confusion_matrix(y, predicted, labels=labels).tolist() if classes < 20 else None,
            "areas": areas(y, p),
            "calibration": [calibration(y, p, bins) for bins in (15, 10)],
            "reportOnes": metrics.classification_report(
                y, predicted, labels=labels, target_names=names, zero_division=1, digits=4
            )
            if classes < 20
            else None,
            "report": metrics.classification_report(
                y, predicted, labels=labels, target_names=names, zero_division=0, digits=2
            ),
        }
    )

wilson = []
for hits, count in [(0, 5), (5, 5), (124, 125), (125, 125), (1, 2), (9101, 10000), (4551, 5000)]:
    interval = binomtest(hits, count).proportion_ci(confidence_level=0.95, method="wilson")
    wilson.append({"hits": hits, "count": count, "lo": float(interval.low), "hi": float(interval.high)})

# Scores that lie exactly between two printed numbers: 1/8, 5/8, 3/8.
eighths = []
for found in ((1, 5), (3, 7), (5, 3)):
    y = [0] * 8 + [1] * 8
    predicted = [0 if i < found[0] else 1 for i in range(8)] + [1 if i < found[1] else 0 for i in range(8)]
    report = metrics.classification_report(y, predicted, target_names=["a", "b"], zero_division=0)
    eighths.append({"labels": y, "predicted": predicted, "report": report})

json.dump({"eighths": eighths, "cases": cases, "wilson": wilson}, sys.stdout, indent=1, ensure_ascii=False)
print()
