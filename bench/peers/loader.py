"""torchvision's ImageFolder and PyTorch's DataLoader on the same photographs, as users write it. Prints one line of JSON."""

import argparse
import json
import pathlib
import subprocess
import time

import torch
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", choices=["train", "eval"], default="train")
    parser.add_argument("--images", type=int, default=1600)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()

    script = REPOSITORY / "bench" / "harness" / "photos.mjs"
    folder = subprocess.run(["node", script], check=True, capture_output=True, text=True).stdout.strip()
    crop = {
        "train": [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip()],
        "eval": [transforms.Resize(256), transforms.CenterCrop(224)],
    }[args.task]
    normalize = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    dataset = datasets.ImageFolder(folder, transforms.Compose([*crop, transforms.ToTensor(), normalize]))
    rows = [i % len(dataset) for i in range(args.images)]
    loader = DataLoader(
        Subset(dataset, rows), batch_size=args.batch, shuffle=True, num_workers=args.workers, persistent_workers=True
    )
    seconds = 0.0
    for _ in range(2):  # The first epoch starts the processes.
        began = time.perf_counter()
        for _images, _labels in loader:
            pass
        seconds = time.perf_counter() - began
    print(json.dumps({"imagesPerSecond": args.images / seconds, "torch": torch.__version__}))


main()
