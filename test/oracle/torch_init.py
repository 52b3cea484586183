"""init.json: what torch.manual_seed(42) and the modules' initialization give, for checks to the last bit.

Every case starts from torch.manual_seed(42). A module's draws come in the order of its construction: Conv2d and Linear
draw kaiming_uniform_(weight, a=sqrt(5)), then uniform_(bias, +-1/sqrt(fan_in)); norms draw nothing.

    simple_cnn          the modules' defaults, in the order conv1 bn1 conv2 bn2 conv3 bn3 fc1 fc2
    simple_cnn_kaiming  the same, and then, going on from the generator's state, kaiming_normal_(weight, fan_in, ReLU gain)
                        and zero bias for each Conv2d and Linear in that order (reference experiment E)
    resnet18            torchvision: defaults of every module as it is built (fc last), then kaiming_normal_(weight,
                        fan_out, ReLU gain) for each Conv2d in module order; fc keeps its default

A tensor is {shape, first: 8 values, sha256 of its float32 bytes, little-endian}. Constant tensors are left out.

ATen fills tensors of 16 or more normal values by vectors, with other logarithms and cosines where it runs on AVX2: the last
bits of normal values depend on the instruction set. `sha256` is that of `about.cpuCapability`; where others differ they
are in `sha256Of` by their name (as in torch.__config__, "NO AVX" for the plain build). `first` is near enough for all.
"""

import hashlib
import json
import os
import subprocess
import sys

import torch
import torchvision
from fixture import cpu_capability, floats, write
from simple_cnn import SimpleCNN, kaiming_init

SEED = 42
CAPABILITIES = ["default", "avx2", "avx512"]


def described(tensor: torch.Tensor) -> dict:
    values = tensor.detach().contiguous().numpy()
    return {
        "shape": list(values.shape),
        "first": floats(values.reshape(-1)[:8]),
        "sha256": hashlib.sha256(values.tobytes()).hexdigest(),
    }


def seeded(make) -> torch.Tensor | torch.nn.Module:
    torch.manual_seed(SEED)
    return make()


def module(make) -> dict:
    state = seeded(make).state_dict()
    return {
        key: described(t) for key, t in state.items() if t.is_floating_point() and t.numel() > 1 and t.min() != t.max()
    }


def single(fill, shape: list[int]) -> dict:
    return {"values": described(seeded(lambda: fill(torch.empty(shape))))}


def kaiming_simple_cnn() -> torch.nn.Module:
    model = SimpleCNN()
    kaiming_init(model)
    return model


def dropout(p: float, count: int) -> dict:
    """`first` shows kept elements as 1 / (1 - p) and dropped ones as 0."""
    return {"values": described(seeded(lambda: torch.nn.functional.dropout(torch.ones(count), p, training=True)))}


def cases() -> dict:
    init = torch.nn.init
    return {
        "uniform": single(lambda t: t.uniform_(-1, 1), [100]),
        "normal": single(lambda t: t.normal_(), [100]),
        "normalSmall": single(lambda t: t.normal_(), [9]),
        "kaimingUniform": single(lambda t: init.kaiming_uniform_(t, a=5**0.5), [8, 3, 3, 3]),
        "kaimingNormalFanIn": single(lambda t: init.kaiming_normal_(t, nonlinearity="relu"), [8, 3, 3, 3]),
        "kaimingNormalFanOut": single(
            lambda t: init.kaiming_normal_(t, mode="fan_out", nonlinearity="relu"), [8, 3, 3, 3]
        ),
        "xavierUniform": single(init.xavier_uniform_, [16, 12]),
        "xavierNormal": single(init.xavier_normal_, [16, 12]),
        "truncNormal": single(lambda t: init.trunc_normal_(t, std=0.02), [16, 12]),
        "dropout0.5": dropout(0.5, 10_000),
        "dropout0.1": dropout(0.1, 10_000),
        "conv2d": module(lambda: torch.nn.Conv2d(3, 64, 3)),
        "conv2d_groups": module(lambda: torch.nn.Conv2d(8, 16, 3, groups=4)),
        "linear": module(lambda: torch.nn.Linear(512, 10)),
        "simple_cnn": module(SimpleCNN),
        "simple_cnn_kaiming": module(kaiming_simple_cnn),
        "resnet18": module(lambda: torchvision.models.resnet18(num_classes=10)),
    }


def under(capability: str) -> dict:
    """This script's cases in a process whose kernels are held to `capability`."""
    result = subprocess.run(
        [sys.executable, __file__, "--print"],
        env={**os.environ, "ATEN_CPU_CAPABILITY": capability},
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(result.stdout)


if "--print" in sys.argv:
    json.dump({"capability": cpu_capability(), "cases": cases()}, sys.stdout)
else:
    content = cases()
    for other in map(under, CAPABILITIES):
        for name, tensors in other["cases"].items():
            for key, tensor in tensors.items():
                here = content[name][key]
                if tensor["sha256"] != here["sha256"]:
                    here.setdefault("sha256Of", {})[other["capability"]] = tensor["sha256"]
    write("init", {"seed": SEED, "cases": content})
