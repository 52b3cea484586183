"""formula.json: what test/formula.ts must reproduce to the last bit."""

import hashlib

from fixture import floats, write
from formula import (
    formula_hash,
    formula_input,
    formula_labels,
    formula_tensor,
    formula_uniform,
    sample_indices,
)

TENSORS = [
    ("conv1.weight", 0, [64, 3, 3, 3]),
    ("conv1.bias", 1, [64]),
    ("bn1.weight", 2, [64]),
    ("bn1.running_mean", 4, [64]),
    ("bn1.running_var", 5, [64]),
    ("fc1.weight", 18, [512, 4096]),
]


def digest(array) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


def tensor(name: str, index: int, shape: list[int]) -> dict:
    values = formula_tensor(name, index, shape)
    return {"name": name, "index": index, "shape": shape, "first": floats(values.flat[:8]), "sha256": digest(values)}


write(
    "formula",
    {
        "hash": {"stream": 7, "values": formula_hash(7, 8).tolist()},
        "uniform": {"stream": 7, "values": floats(formula_uniform(7, 8))},
        "tensors": [tensor(*t) for t in TENSORS],
        "input": {"shape": [4, 3, 32, 32], "sha256": digest(formula_input([4, 3, 32, 32]))},
        "labels": {"classes": 10, "values": formula_labels(32, 10).tolist()},
        "sampleIndices": [{"count": n, "values": sample_indices(n)} for n in (3, 8, 9, 1000)],
    },
)
