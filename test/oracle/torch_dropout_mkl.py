"""dropout-mkl.json: init.json's dropout cases where PyTorch draws them by MKL, as PyPI's builds of 2.4 and before do.

Run with such a build: python test/oracle/torch_dropout_mkl.py
"""

import hashlib
import json
import pathlib

import torch

SEED = 42
FILE = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "torch" / "dropout-mkl.json"


def dropout(p: float, count: int) -> dict:
    torch.manual_seed(SEED)
    kept = torch.nn.functional.dropout(torch.ones(count), p, training=True)
    values = kept.numpy()
    return {
        "shape": [count],
        "first": values[:8].tolist(),
        "sha256": hashlib.sha256(values.tobytes()).hexdigest(),
    }


about = {"command": "python test/oracle/torch_dropout_mkl.py", "torch": torch.__version__}
cases = {f"dropout{p}": dropout(p, 10_000) for p in (0.5, 0.1)}
FILE.write_text(json.dumps({"about": about, "seed": SEED, "cases": cases}, indent=1) + "\n")
