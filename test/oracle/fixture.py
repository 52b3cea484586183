"""Writes test/fixtures/{torch,timm}/*.json: numbers, with the command and the versions that made them."""

import json
import os
import pathlib
import sys

import numpy as np
import torch
import torchvision

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = REPOSITORY / "test" / "fixtures"

# Debian's build starts with one thread; the sums' order, hence the last bits, depends on it.
torch.set_num_threads(2)


def about() -> dict:
    script = pathlib.Path(sys.argv[0]).resolve().relative_to(REPOSITORY)
    timm = sys.modules.get("timm")
    return {
        "command": f"{'python' if timm else '/usr/bin/python3'} {script}",
        **({"timm": timm.__version__} if timm else {}),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "threads": torch.get_num_threads(),
        "cpuCapability": cpu_capability(),
    }


def cpu_capability() -> str:
    """The instruction set ATen's kernels were dispatched to."""
    line = next(line for line in torch.__config__.show().splitlines() if "CPU capability" in line)
    return line.split(": ")[-1]


def floats(values) -> list[float]:
    """A flat list. float32 in its shortest form, so that Math.fround() of it is the exact value; float64 to 12 digits."""
    if isinstance(values, torch.Tensor):
        values = values.detach().contiguous().numpy()
    values = np.asarray(values).reshape(-1)
    return [float(str(v)) if v.dtype == np.float32 else significant(v) for v in values]


def significant(value: float) -> float:
    return float(f"{value:.12g}")


def write(name: str, content: dict, library: str = "torch") -> None:
    path = FIXTURES / library / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(dump({"about": about(), **content}) + "\n")
    os.replace(temporary, path)
    print(f"{path.relative_to(REPOSITORY)}: {path.stat().st_size:,} bytes")


def dump(value, indent: str = "") -> str:
    """JSON with objects a key a line and arrays of plain values on one line, so that diffs can be read."""
    inner = indent + " "
    if isinstance(value, dict):
        if all(not isinstance(v, dict) for v in value.values()) and len(flat := json.dumps(value)) < 400:
            return flat
        lines = [f"{inner}{json.dumps(key)}: {dump(v, inner)}" for key, v in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(v, (dict, list)) for v in value):
        return "[\n" + ",\n".join(inner + dump(v, inner) for v in value) + f"\n{indent}]"
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
