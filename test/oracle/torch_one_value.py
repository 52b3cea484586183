"""one_value.json: which inputs [N, C, H, W] PyTorch's batch norm refuses in training, and with what error.

In evaluation mode it takes them all.
"""

import torch
from fixture import write

SHAPES = [[1, 3, 1, 1], [2, 3, 1, 1], [1, 3, 1, 2], [1, 3, 2, 1], [1, 1, 1, 1], [1, 1, 2, 2], [3, 1, 1, 1]]


def error_of(shape: list[int]) -> str | None:
    norm = torch.nn.BatchNorm2d(shape[1])
    norm.eval()(torch.ones(shape))
    try:
        norm.train()(torch.ones(shape))
    except ValueError as error:
        return str(error)
    return None


write("one_value", {"cases": [{"shape": shape, "error": error_of(shape)} for shape in SHAPES]})
