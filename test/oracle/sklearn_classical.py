"""Classical models of scikit-learn on a small formula and on Fashion-MNIST's first 5,000 rows, for src/classical.

Debian's python3-sklearn 1.2.1 and, for the larger figures, dataset-fashion-mnist. Takes some minutes.
"""

import gzip
import json
import pathlib
import warnings

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC

FOLDER = pathlib.Path("/usr/share/datasets/fashion-mnist")
OUT = pathlib.Path(__file__).parent.parent / "fixtures" / "sklearn-classical.json"
ROWS, FEATURES, CLASSES = 90, 6, 3


def formula(rows: int, classes: int):
    i, j = np.arange(rows)[:, None], np.arange(FEATURES)[None, :]
    x = ((i * 7919 + j * 104729 + (i % 17) * (j + 3) * 31) % 9973) / 9973
    y = (i[:, 0] ** 2 + i[:, 0] // 3) % classes
    return x + 0.4 * (j % classes == y[:, None]), y


def logistic_objective(model, x, y):
    scores = x.astype(np.float64) @ model.coef_.T.astype(np.float64) + model.intercept_
    if scores.shape[1] == 1:
        scores = np.hstack([np.zeros_like(scores), scores])
    scores -= scores.max(axis=1, keepdims=True)
    codes = np.searchsorted(model.classes_, y)
    loss = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(y)), codes]
    return loss.sum() + (model.coef_.astype(np.float64) ** 2).sum() / (2 * model.C)


def hinge_objective(model, x, y):
    labels = model.classes_[1:] if len(model.classes_) == 2 else model.classes_
    intercepts = np.broadcast_to(model.intercept_, len(model.coef_))  # a number where there is none
    total = 0.0
    for label, w, b in zip(labels, model.coef_, intercepts):
        margin = np.maximum(0, 1 - np.where(y == label, 1, -1) * (x @ w + b))
        total += 0.5 * (w @ w + (b / model.intercept_scaling) ** 2) + model.C * (margin**2).sum()
    return total


def linear(model, x, y, objective):
    model.fit(x, y)
    return {
        "coef": model.coef_.tolist(),
        "intercept": np.broadcast_to(model.intercept_, len(model.coef_)).tolist(),
        "objective": objective(model, x, y),
        "predicted": model.predict(x).tolist(),
    }


def small():
    x, y = formula(ROWS, CLASSES)
    binary = (y == 2).astype(int) * 3 + 4  # labels 4 and 7
    exact = {"tol": 1e-9, "max_iter": 100_000}
    result = {"rows": ROWS, "features": FEATURES, "classes": CLASSES}
    result["logistic"] = {
        name: linear(LogisticRegression(**exact, **params), x, labels, logistic_objective)
        for name, params, labels in [
            ("multinomial", {"C": 2.0}, y),
            ("without intercept", {"fit_intercept": False}, y),
            ("binary", {}, binary),
        ]
    }
    result["svc"] = {
        name: linear(LinearSVC(**exact, random_state=0, **params), x, labels, hinge_objective)
        for name, params, labels in [
            ("three classes", {"C": 0.5}, y),
            ("scaled intercept", {"intercept_scaling": 10.0}, y),
            ("without intercept", {"fit_intercept": False}, y),
            ("binary", {}, binary),
        ]
    }
    train, query = slice(0, 60), slice(60, None)
    result["neighbors"] = []
    for weights in ("uniform", "distance"):
        for metric in ("euclidean", "cosine"):
            model = KNeighborsClassifier(4, weights=weights, metric=metric).fit(x[train], y[train])
            distances, indices = model.kneighbors(x[query])
            result["neighbors"].append(
                {
                    "weights": weights,
                    "metric": metric,
                    "predicted": model.predict(x[query]).tolist(),
                    "indices": indices.ravel().tolist(),
                    "distances": distances.ravel().tolist(),
                    "proba": model.predict_proba(x[query]).ravel().tolist(),
                }
            )
    constant = x.copy()
    constant[:, 2] = 0.1
    standard, minmax = StandardScaler().fit(constant), MinMaxScaler((-1, 1)).fit(constant)
    result["standard"] = {
        "mean": standard.mean_.tolist(),
        "scale": standard.scale_.tolist(),
        "transformed": standard.transform(constant)[:3].ravel().tolist(),
    }
    result["minmax"] = {
        "scale": minmax.scale_.tolist(),
        "min": minmax.min_.tolist(),
        "transformed": minmax.transform(constant)[:3].ravel().tolist(),
    }
    result["pca"] = []
    for n, whiten in [(3, False), (2, True), (0.6, False), (None, False)]:
        pca = PCA(n, whiten=whiten, svd_solver="full").fit(x)
        result["pca"].append(
            {
                "nComponents": n,
                "whiten": whiten,
                "components": pca.components_.tolist(),
                "explainedVariance": pca.explained_variance_.tolist(),
                "explainedVarianceRatio": pca.explained_variance_ratio_.tolist(),
                "singularValues": pca.singular_values_.tolist(),
                "transformed": pca.transform(x)[:3].ravel().tolist(),
            }
        )
    result["folds"] = []
    for n, splits in [(90, 3), (47, 5), (31, 4)]:
        labels = [(i * i + i // 3) % 4 if i % 7 else 9 for i in range(n)]
        folds = np.empty(n, dtype=int)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for k, (_, test) in enumerate(StratifiedKFold(splits).split(np.zeros(n), labels)):
                folds[test] = k
        result["folds"].append({"labels": labels, "splits": splits, "fold": folds.tolist()})
    pipeline = Pipeline([("scale", StandardScaler()), ("model", LogisticRegression(tol=1e-9, max_iter=10_000))])
    grid = GridSearchCV(pipeline, {"model__C": [0.001, 0.1, 10.0]}, cv=3, scoring="f1_macro").fit(x, y)
    result["grid"] = {
        "scores": [grid.cv_results_[f"split{k}_test_score"].tolist() for k in range(3)],
        "mean": grid.cv_results_["mean_test_score"].tolist(),
        "std": grid.cv_results_["std_test_score"].tolist(),
        "rank": grid.cv_results_["rank_test_score"].tolist(),
        "best": grid.best_params_["model__C"],
    }
    result["crossValScore"] = cross_val_score(LinearSVC(**exact, random_state=0), x, y, cv=4).tolist()
    return result


def read(name: str, offset: int):
    return np.frombuffer(gzip.open(FOLDER / name).read(), np.uint8, offset=offset)


def large():
    x = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    t = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    y, truth = read("train-labels-idx1-ubyte.gz", 8).astype(int), read("t10k-labels-idx1-ubyte.gz", 8).astype(int)
    n = 5000
    pixels, queries = x[:n] / 255, t / 255

    def judged(model, objective, features, test):
        model.fit(features, y[:n])
        predicted = model.predict(test)
        return {
            "objective": objective(model, features, y[:n]),
            "accuracy": float((predicted == truth).mean()),
            "macroF1": f1_score(truth, predicted, average="macro"),
        }

    scaler = StandardScaler().fit(x)
    scaled, scaled_queries = scaler.transform(x[:n]), scaler.transform(t)
    converged = {"max_iter": 50_000, "tol": 1e-5, "random_state": 0}
    neighbors = KNeighborsClassifier().fit(pixels, y[:n])
    return {
        "rows": n,
        "logistic": judged(LogisticRegression(max_iter=1000), logistic_objective, pixels, queries),
        "svc": judged(LinearSVC(**converged), hinge_objective, pixels, queries),
        "scaledLogistic": judged(LogisticRegression(C=0.1, max_iter=1000), logistic_objective, scaled, scaled_queries),
        "neighbors": "".join(map(str, neighbors.predict(queries[:1000]))),
    }


def main() -> None:
    fixture = {"small": small()}
    if FOLDER.exists():
        fixture["fashionMnist"] = large()
    OUT.write_text(json.dumps(fixture, indent=None) + "\n")


main()
