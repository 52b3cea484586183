"""torchvision's ImageFolder and ResNet-50 in fp32, an evaluation loop as users write it. Prints one line of JSON."""

import argparse
import json
import pathlib
import subprocess
import time

import torch
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, models, transforms

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    script = REPOSITORY / "bench" / "harness" / "photos.mjs"
    folder = subprocess.run(["node", script], check=True, capture_output=True, text=True).stdout.strip()
    normalize = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    steps = [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(), normalize]
    dataset = datasets.ImageFolder(folder, transforms.Compose(steps))
    model = models.resnet50(weights=None).eval()

    def label(count: int) -> float:
        rows = [i % len(dataset) for i in range(count)]
        loader = DataLoader(Subset(dataset, rows), batch_size=args.batch, num_workers=args.workers)
        began = time.perf_counter()
        with torch.no_grad():
            for images, _ in loader:
                model(images).softmax(1).topk(5)
        return time.perf_counter() - began

    label(32)
    seconds = label(args.images)
    print(json.dumps({"imagesPerSecond": args.images / seconds, "torch": torch.__version__}))


main()
