"""Writes test/fixtures/images/resize.json: what torchvision's transforms make of plain.jpg by Pillow (37 x 23 pixels).

Every case has `pixels`, [height, width, 3] in base64, beside what was asked for.
"""

import base64
import json
import pathlib

import numpy as np
import PIL
import torchvision
import torchvision.transforms.functional as F
from PIL import Image
from torchvision.transforms import InterpolationMode

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "test" / "fixtures" / "images"
MODES = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}


def packed(image: Image.Image) -> str:
    return base64.b64encode(np.asarray(image).tobytes()).decode()


def main() -> None:
    image = Image.open(FIXTURES / "plain.jpg").convert("RGB")
    resized, centered, flipped = [], [], []
    for name, mode in MODES.items():
        # [top, left, height, width] of the crop, then the size it is resized to.
        for crop, size in [
            ((0, 0, 23, 37), (11, 13)),
            ((0, 0, 23, 37), (23, 9)),
            ((0, 0, 23, 37), (7, 37)),
            ((0, 0, 23, 37), (30, 50)),
            ((5, 9, 12, 20), (8, 8)),
            ((11, 0, 12, 37), (16, 5)),
            ((3, 30, 4, 7), (12, 12)),
        ]:
            result = F.resized_crop(image, *crop, list(size), mode)
            resized.append({"filter": name, "crop": crop, "size": size, "pixels": packed(result)})
        for shorter, size in [(16, (14, 14)), (23, (23, 23)), (13, (11, 12)), (18, (16, 16))]:
            result = F.center_crop(F.resize(image, shorter, mode), list(size))
            centered.append({"filter": name, "shorter": shorter, "size": size, "pixels": packed(result)})
    about = {
        "command": "/usr/bin/python3 test/oracle/pillow_resize.py",
        "pillow": PIL.__version__,
        "torchvision": torchvision.__version__,
    }
    path = FIXTURES / "resize.json"
    groups = {"resizedCrop": resized, "resizeAndCenter": centered, "mirror": [{"pixels": packed(F.hflip(image))}]}
    rows = {k: "[\n" + ",\n".join(json.dumps(case) for case in v) + "\n]" for k, v in groups.items()}
    path.write_text("{" + ",\n".join([f'"about": {json.dumps(about)}', *(f'"{k}": {v}' for k, v in rows.items())]) + "}\n")
    print(f"{path.name}: {path.stat().st_size:,} bytes")


main()
