"""Small files written by the official safetensors library, and what it makes of ours.

Made with safetensors 0.7.0, numpy 2.4.6:
    python3 -m venv /tmp/safetensors-venv
    /tmp/safetensors-venv/bin/pip install safetensors==0.7.0 numpy==2.4.6
    /tmp/safetensors-venv/bin/python test/oracle/safetensors_fixture.py test/fixtures/safetensors
"""

import json
import pathlib
import struct
import sys

import numpy as np
from safetensors import deserialize, serialize

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)

# The formula of the test: element i of a tensor of n elements is (i * 7 + 3) mod 11, as the dtype's own bytes.
NUMPY = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1",
}
OFFICIAL = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64",
    "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}


def data(dtype, shape):
    count = int(np.prod(shape, dtype=np.int64))
    values = (np.arange(count) * 7 + 3) % 11
    if dtype == "BOOL":
        return (values % 2).astype("u1").tobytes()
    if dtype == "BF16":
        return (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return values.astype(NUMPY[dtype]).tobytes()


def tensors(spec):
    return {name: {"dtype": OFFICIAL[d], "shape": list(s), "data": data(d, s)} for name, (d, s) in spec.items()}


CASES = {
    "dtypes": ({f"t.{d.lower()}": (d, (2, 3)) for d in OFFICIAL}, {"format": "pt"}),
    "shapes": ({"scalar": ("F32", ()), "empty": ("F32", (0, 4)), "fc.weight": ("F32", (5, 2)), "Ä": ("U8", (3,))}, None),
    "none": ({}, {"only": "metadata"}),
}
described = {}
for name, (spec, metadata) in CASES.items():
    blob = bytes(serialize(tensors(spec), metadata))
    (out / f"{name}.safetensors").write_bytes(blob)
    described[name] = {
        "metadata": metadata or {},
        "tensors": {k: {"dtype": d, "shape": list(s), "hex": data(d, s).hex()} for k, (d, s) in spec.items()},
    }


def file(header, payload):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + payload


def entry(start, end, shape=(2,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


# What the official reader says of odd files: ours agrees on every one.
ODD = {
    "unaligned header": file(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}  ', bytes(8)),
    "gap": file({"a": entry(0, 8), "b": entry(12, 20)}, bytes(20)),
    "gap at the start": file({"a": entry(4, 12)}, bytes(12)),
    "overlap": file({"a": entry(0, 8), "b": entry(4, 12)}, bytes(12)),
    "tail": file({"a": entry(0, 8)}, bytes(9)),
    "short": file({"a": entry(0, 8)}, bytes(7)),
    "shape and bytes differ": file({"a": entry(0, 8, (3,))}, bytes(8)),
    "shape overflows": file({"a": entry(0, 8, (2**62, 2**62))}, bytes(8)),
    "negative size": file({"a": entry(0, 8, (-2,))}, bytes(8)),
    "offsets reversed": file({"a": entry(8, 0)}, bytes(8)),
    "no brace": file(b' {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', bytes(8)),
    "metadata not a string": file({"__metadata__": {"a": 1}}, b""),
    "not json": file(b'{"a":', b""),
    "header longer than the file": struct.pack("<Q", 100) + b"{}",
    "seven bytes": b"1234567",
    "empty": b"",
    "nothing in it": file(b"{}", b""),
}
odd = {}
for name, blob in ODD.items():
    try:
        deserialize(blob)
        verdict = "read"
    except Exception as error:
        verdict = f"refused: {error}"
    odd[name] = {"hex": blob.hex(), "official": verdict}
(out / "expected.json").write_text(json.dumps({"files": described, "odd": odd}, indent=1) + "\n")
