"""Keys and shapes of efficientnet-pytorch's state dicts, and timm's for the same networks.

In test/fixtures/efficientnet-pytorch-layouts.json.gz, as torchvision_layouts.py writes its own: each network is
{theirs: {key: shape}, timmName, timm: {key: shape}}. The tensors stand in the same order, and with the same values timm's
`tf_` network must give the same logits in float64, which this script checks.

In the virtual environment of timm, with `pip install --no-deps efficientnet-pytorch==0.7.1`.
"""

import gzip
import json
import pathlib

import efficientnet_pytorch
import timm
import torch
from formula import formula_input, load_formula
from model_numbers import deviation

NETWORKS = {"efficientnet-b0": 224, "efficientnet-b3": 300}
OUT = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "efficientnet-pytorch-layouts.json.gz"


def shapes(model):
    return {key: list(tensor.shape) for key, tensor in model.state_dict().items()}


@torch.no_grad()
def check_same(theirs, ours, size):
    load_formula(ours)
    names = theirs.state_dict()
    tensors = list(ours.state_dict().values())
    assert len(names) == len(tensors)
    theirs.load_state_dict(dict(zip(names, tensors)))
    images = torch.from_numpy(formula_input([1, 3, size, size])).double()
    expected, got = (m.eval().double()(images) for m in (theirs, ours))
    assert deviation(got, expected) < 1e-10, deviation(got, expected)


layouts = {}
for name, size in NETWORKS.items():
    theirs = efficientnet_pytorch.EfficientNet.from_name(name)
    timm_name = "tf_" + name.replace("-", "_")
    ours = timm.create_model(timm_name)
    layouts[name] = {"theirs": shapes(theirs), "timmName": timm_name, "timm": shapes(ours)}
    check_same(theirs, ours, size)
about = {"efficientnet-pytorch": efficientnet_pytorch.__version__, "timm": timm.__version__, "torch": torch.__version__}
content = json.dumps({"about": about, "layouts": layouts}, separators=(",", ":"))
OUT.write_bytes(gzip.compress(content.encode(), mtime=0))
