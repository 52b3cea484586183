"""Weights, inputs and labels that Python and TypeScript both compute, so that no weights are committed.

The twin of this file is test/formula.ts; this docstring is where the formula is written down.

    hash(stream, i)     unsigned 32 bits, all products modulo 2^32:
                          x = (i + 1) * 0x9E3779B1  xor  (stream + 1) * 0x85EBCA77
                          x ^= x >> 16;  x *= 0x7FEB352D;  x ^= x >> 15;  x *= 0x846CA68B;  x ^= x >> 16
                          (the finalizer is Chris Wellons' lowbias32)
    uniform(stream, i)  (hash >> 8) / 2^23 - 1: in [-1, 1), a multiple of 2^-23, hence exact in float32

A tensor of a model is value[i] = float32(offset + scale * uniform(index, i)), computed in float64, where `index` counts
the floating tensors of the state dict in its order (num_batches_tracked, an integer, is not counted), i counts the
elements in row-major order, and

    name ends in          shape        offset   scale
    running_mean          any          0        0.1
    running_var           any          1        0.2
    (any other)           >= 2 dims    0        sqrt(3 / fan_in), fan_in = product of shape[1:]
    weight                1 dim        1        0.1        a norm's
    (any other)           1 dim        0        0.1        a bias

    input               2 * uniform(1000000, i)
    labels              (hash(1000001, i) >> 8) mod classes

Only integer arithmetic, one square root (correctly rounded everywhere), one product, one sum and one rounding take part,
so both sides agree to the last bit: test/formula.test.ts holds them to SHA-256 equality.
"""

import math

import numpy as np

INPUT_STREAM = 1_000_000
LABEL_STREAM = 1_000_001


def formula_hash(stream: int, count: int) -> np.ndarray:
    """uint32 [count]"""
    x = np.arange(1, count + 1, dtype=np.uint64).astype(np.uint32)
    x *= np.uint32(0x9E3779B1)
    x ^= np.uint32((stream + 1) * 0x85EBCA77 & 0xFFFFFFFF)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return x


def formula_uniform(stream: int, count: int) -> np.ndarray:
    """float32 [count] in [-1, 1)"""
    return ((formula_hash(stream, count) >> np.uint32(8)) / 2.0**23 - 1.0).astype(np.float32)


def offset_and_scale(name: str, shape) -> tuple[float, float]:
    if name.endswith("running_mean"):
        return 0.0, 0.1
    if name.endswith("running_var"):
        return 1.0, 0.2
    if len(shape) >= 2:
        return 0.0, math.sqrt(3 / math.prod(shape[1:]))
    if name.endswith("weight"):
        return 1.0, 0.1
    return 0.0, 0.1


def formula_tensor(name: str, index: int, shape) -> np.ndarray:
    """float32 of `shape`: tensor number `index` of a state dict."""
    offset, scale = offset_and_scale(name, shape)
    u = formula_uniform(index, math.prod(shape)).astype(np.float64)
    return (offset + scale * u).astype(np.float32).reshape(shape)


def formula_input(shape) -> np.ndarray:
    """float32 of `shape` in [-2, 2), about what normalized images look like."""
    return (2 * formula_uniform(INPUT_STREAM, math.prod(shape))).reshape(shape)


def formula_labels(count: int, classes: int) -> np.ndarray:
    """int64 [count] in [0, classes)"""
    return ((formula_hash(LABEL_STREAM, count) >> np.uint32(8)) % np.uint32(classes)).astype(np.int64)


def sample_indices(count: int) -> list[int]:
    """Which 8 elements of a flattened tensor a fixture lists (all of them where there are no more than 8)."""
    return list(range(count)) if count <= 8 else [k * count // 8 for k in range(8)]


def load_formula(model) -> None:
    """Overwrites every floating tensor of a torch module's state dict with the formula's."""
    import torch

    index = 0
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.from_numpy(formula_tensor(name, index, tuple(tensor.shape))))
                index += 1
