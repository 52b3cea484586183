"""Small checkpoints as torch.save writes them, and what is in them: test/fixtures/checkpoints/.

    /usr/bin/python3 test/oracle/torch_checkpoints.py

expected.json has, for every file, the tensors of its state dict in row-major order: {dtype, shape, hex}. `evil` files
would run a command if Python unpickled them; nothing here does.
"""

import argparse
import collections
import json
import os
import pathlib
import pickle
import zipfile

import numpy as np
import torch

OUT = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "checkpoints"
OUT.mkdir(parents=True, exist_ok=True)

NAMES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}


def values(shape, dtype=torch.float32):
    count = int(np.prod(shape, dtype=np.int64))
    return ((torch.arange(count) * 7 + 3) % 11).to(dtype).reshape(shape)


def described(tensor):
    flat = tensor.detach().contiguous()
    raw = flat.view(torch.int16).numpy() if tensor.dtype == torch.bfloat16 else flat.numpy()
    return {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "hex": raw.tobytes().hex()}


shared = values((12,))
plain = collections.OrderedDict(
    {f"t.{name.lower()}": values((2, 3), dtype) for dtype, name in NAMES.items()},
)
plain._metadata = {"": {"version": 1}}
layouts = {
    "scalar": values(()),
    "empty": torch.zeros(0, 4),
    "transposed": values((3, 4)).t(),
    "channels_last": values((2, 3, 2, 2)).contiguous(memory_format=torch.channels_last),
    "stepped": values((10,))[1::3],
    "window": shared[2:8].view(2, 3),
    "shared": shared,
    "half_transposed": values((2, 3), torch.float16).t(),
    "one_row": values((1, 5))[:, 1:4],
    "expanded": values((2, 1)).expand(2, 3),
}
model = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 1), torch.nn.BatchNorm2d(3))
with torch.no_grad():
    for tensor in model.state_dict().values():
        tensor.copy_(values(tensor.shape, tensor.dtype))
weights = model.state_dict()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
model(torch.ones(2, 2, 4, 4)).sum().backward()
optimizer.step()
with torch.no_grad():
    for tensor in model.state_dict().values():
        tensor.copy_(values(tensor.shape, tensor.dtype))
weights = collections.OrderedDict((k, v.clone()) for k, v in model.state_dict().items())
trained = {
    "epoch": 3, "arch": "tiny", "best_prec1": np.float64(91.25), "loss": np.float32(0.5), "history": [1.5, 2],
    "state_dict": collections.OrderedDict((f"module.{k}", v) for k, v in weights.items()),
    "optimizer": optimizer.state_dict(), "args": argparse.Namespace(lr=0.1, model="tiny"), "big": 2**70,
}
averaged = {
    "state_dict": {k: torch.zeros_like(v) for k, v in weights.items()},
    "state_dict_ema": {f"_orig_mod.{k}": v for k, v in weights.items()},
}
parameters = {"model": {k: torch.nn.Parameter(v) if v.is_floating_point() else v for k, v in weights.items()}}
# As Lightning saves a module whose network is its attribute `net`.
lightning = {
    "epoch": 3, "global_step": 12, "pytorch-lightning_version": "2.0.0", "loops": {"fit_loop": {"state_dict": {}}},
    "state_dict": collections.OrderedDict(
        [(f"net.{k}", v) for k, v in weights.items()]
        + [("criterion.weight", values((3,))), ("mean", values((3,))), ("std", values((3,)))]
    ),
    "callbacks": {"ModelCheckpoint{'monitor': 'val'}": {"best_model_score": torch.tensor(0.5), "best_k_models": {}}},
    "optimizer_states": [optimizer.state_dict()], "lr_schedulers": [{"last_epoch": 3, "_last_lr": [0.1]}],
    "hparams_name": "kwargs", "hyper_parameters": {"lr": 0.1, "root": pathlib.PurePosixPath("data")},
}
CASES = {
    "dtypes": (plain, plain), "layouts": (layouts, layouts), "trained": (trained, weights),
    "averaged": (averaged, weights), "parameters": (parameters, weights),
}

expected = {"lightning.ckpt": {key: described(tensor) for key, tensor in weights.items()}}
torch.save(lightning, OUT / "lightning.ckpt")
for name, (content, tensors) in CASES.items():
    told = {key: described(tensor) for key, tensor in tensors.items()}
    for ending, zipped in ((".pth", True), (".th", False)):
        torch.save(content, OUT / f"{name}{ending}", _use_new_zipfile_serialization=zipped)
        expected[f"{name}{ending}"] = told
torch.save(plain, OUT / "protocol4.pth", pickle_protocol=4)
expected["protocol4.pth"] = {key: described(tensor) for key, tensor in plain.items()}


class Command:
    def __reduce__(self):
        return os.system, ("touch thaw-was-here",)


class Nested:
    def __reduce__(self):
        return eval, ("__import__('os').system('touch thaw-was-here')",)


evil = {"state_dict": {"w": values((2,))}, "extra": Command()}
torch.save(evil, OUT / "evil.pth")
torch.save(evil, OUT / "evil.th", _use_new_zipfile_serialization=False)
torch.save({"w": Nested()}, OUT / "evil-eval.pth")
(OUT / "evil-protocol0.pt").write_bytes(pickle.dumps(Command(), protocol=0))
torch.save(model, OUT / "whole-model.pth")


def rezipped(source, target, change, compression=zipfile.ZIP_STORED):
    """A copy of a zip archive with other entries."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        entries = {info.filename: old.read(info) for info in old.infolist()}
        for name, data in change(entries).items():
            new.writestr(name, data)


folder = "dtypes"
rezipped(OUT / "dtypes.pth", OUT / "big-endian.pth", lambda e: {**e, f"{folder}/byteorder": b"big"})
rezipped(OUT / "dtypes.pth", OUT / "compressed.pth", lambda e: e, zipfile.ZIP_DEFLATED)
rezipped(OUT / "dtypes.pth", OUT / "no-storage.pth", lambda e: {k: v for k, v in e.items() if not k.endswith("/data/3")})
rezipped(OUT / "dtypes.pth", OUT / "script.pth", lambda e: {**e, f"{folder}/code/__torch__.py": b"pass"})

for path in OUT.glob("*.*"):
    if path.suffix != ".json" and not path.name.startswith("evil") and path.name in expected:
        torch.load(path)
(OUT / "expected.json").write_text(json.dumps(
    {"about": {"command": "/usr/bin/python3 test/oracle/torch_checkpoints.py", "torch": torch.__version__},
     "files": expected}, indent=1) + "\n")
