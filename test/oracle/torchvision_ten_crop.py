"""torchvision's TenCrop of images whose pixels are their own numbers, of even and of odd spare room.

`cases`: `image` [height, width] holds 0, 1, 2, …; `crops` are the ten crops of `size`, in torchvision's order, row by row.
"""

import json
import pathlib

import torch
import torchvision
from torchvision.transforms import TenCrop

CASES = [((5, 7), (3, 4)), ((6, 6), (4, 4)), ((7, 8), (4, 5)), ((4, 4), (4, 4))]


def main() -> None:
    cases = []
    for (height, width), size in CASES:
        image = torch.arange(height * width, dtype=torch.float32).reshape(1, height, width)
        crops = TenCrop(size)(image)
        cases.append(
            {
                "image": [height, width],
                "size": list(size),
                "crops": [crop.flatten().int().tolist() for crop in crops],
            }
        )
    target = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "torchvision-ten-crop.json"
    about = f"python test/oracle/torchvision_ten_crop.py; torchvision {torchvision.__version__}, torch {torch.__version__}"
    target.write_text(json.dumps({"about": about, "cases": cases}, separators=(",", ":")) + "\n")


main()
