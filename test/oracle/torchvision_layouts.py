"""Keys and shapes of torchvision's state dicts, and timm's for the same networks: test/fixtures/torchvision-layouts.json.gz.

Made with timm 1.0.15 and Debian's torch and torchvision, in a virtual environment that sees the system's packages:
    /usr/bin/python3 -m venv --system-site-packages /tmp/timm-venv
    /tmp/timm-venv/bin/pip install timm==1.0.15
    /tmp/timm-venv/bin/python test/oracle/torchvision_layouts.py

Each network is {torchvision: {key: shape}, timmName, timm: {key: shape}}.
"""

import gzip
import json
import pathlib

import timm
import torch
import torchvision

PAIRS = {
    "vit_b_16": "vit_base_patch16_224", "efficientnet_b0": "efficientnet_b0", "convnext_tiny": "convnext_tiny",
    "mobilenet_v3_large": "mobilenetv3_large_100", "mobilenet_v3_small": "mobilenetv3_small_100",
    "swin_t": "swin_tiny_patch4_window7_224", "resnet18": "resnet18", "resnet50": "resnet50",
}
OUT = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "torchvision-layouts.json.gz"


def shapes(model):
    return {key: list(tensor.shape) for key, tensor in model.state_dict().items()}


layouts = {}
for ours, theirs in PAIRS.items():
    layouts[ours] = {
        "torchvision": shapes(getattr(torchvision.models, ours)(weights=None)),
        "timmName": theirs,
        "timm": shapes(timm.create_model(theirs)),
    }
about = {"torch": torch.__version__, "torchvision": torchvision.__version__, "timm": timm.__version__}
content = json.dumps({"about": about, "layouts": layouts}, separators=(",", ":"))
# Without a time stamp, so that the same content is the same file.
OUT.write_bytes(gzip.compress(content.encode(), mtime=0))
