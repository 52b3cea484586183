"""One classical model of scikit-learn on Fashion-MNIST, as its users write it. Prints one line of JSON."""

import argparse
import gzip
import json
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")

import numpy as np  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.neighbors import KNeighborsClassifier  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.svm import LinearSVC  # noqa: E402

FOLDER = "/usr/share/datasets/fashion-mnist/"
ROWS = {"logreg-5000": 5000, "logreg-fold": 40_000, "svc-5000": 5000, "knn": 60_000}


def read(name: str, offset: int):
    return np.frombuffer(gzip.open(FOLDER + name).read(), np.uint8, offset=offset)


def objective(model, x, y) -> float:
    scores = x @ model.coef_.T + model.intercept_
    if isinstance(model, LogisticRegression):
        scores -= scores.max(axis=1, keepdims=True)
        loss = (np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(y)), y]).sum()
        return float(loss + (model.coef_**2).sum() / (2 * model.C))
    signs = np.where(y[:, None] == np.arange(10), 1, -1)
    loss = model.C * (np.maximum(0, 1 - signs * scores) ** 2).sum()
    return float(loss + ((model.coef_**2).sum() + (model.intercept_**2).sum()) / 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", choices=ROWS, default="logreg-5000")
    parser.add_argument("--rows", type=int, default=60_000)
    args = parser.parse_args()

    rows = min(args.rows, ROWS[args.task])
    x = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 784)[:rows] / 255
    query = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784) / 255
    y, truth = read("train-labels-idx1-ubyte.gz", 8)[:rows], read("t10k-labels-idx1-ubyte.gz", 8)
    if args.task == "logreg-fold":
        x = StandardScaler().fit_transform(x)
    model = {
        "logreg-5000": LogisticRegression(max_iter=1000),
        "logreg-fold": LogisticRegression(C=0.1, max_iter=1000),
        # Its default of 1,000 iterations ends before the minimum, with a warning; this many reach it.
        "svc-5000": LinearSVC(max_iter=20_000),
        "knn": KNeighborsClassifier(),
    }[args.task]
    start = time.perf_counter()
    model.fit(x, y)
    predicted = model.predict(query) if args.task == "knn" else None
    seconds = time.perf_counter() - start
    result = {"seconds": seconds, "fitsPerSecond": 1 / seconds, "objective": None, "accuracy": None}
    if predicted is None:
        result["objective"] = objective(model, x, y)
    else:
        result["accuracy"] = float((predicted == truth).mean())
    print(json.dumps(result))


main()
