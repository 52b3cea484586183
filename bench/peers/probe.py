"""A linear probe as PyTorch users write it: DeiT-Tiny frozen, fp32, its forward pass in every epoch. Prints one line of JSON.

The first epoch and its validation are run and timed as they are. Later epochs see the same features, because the backbone
is frozen and in eval mode: they are trained from the kept ones, for the accuracy, and take the first epoch's time each.
"""

import argparse
import json
import pathlib
import subprocess
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


class Attention(nn.Module):
    # As timm does by default; PyTorch before 2.0 has no such function.
    fused = hasattr(F, "scaled_dot_product_attention")

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(n, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        if self.fused:
            return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, tokens, width))
        weights = (q @ k.transpose(-2, -1) * (width // self.heads) ** -0.5).softmax(dim=-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(n, tokens, width))


class Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    """timm's names, so that its files load as they are."""

    def __init__(self, width: int = 192, depth: int = 12, heads: int = 3, classes: int = 1000) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.randn(1, 197, width) * 0.02)
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, width, 16, stride=16)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.embed(x))

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch_embed.proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed
        return self.norm(self.blocks(x))[:, 0]


def read_safetensors(path: str) -> dict[str, torch.Tensor]:
    content = pathlib.Path(path).read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        values = np.frombuffer(content[begin:end], np.float32).reshape(entry["shape"])
        tensors[name] = torch.from_numpy(values.copy())
    return tensors


def read_set(path: str, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """CIFAR records as images of 224 pixels: every pixel 7 x 7 times."""
    records = np.fromfile(path, np.uint8, count * 3073).reshape(count, 3073)
    images = records[:, 1:].reshape(count, 3, 32, 32).repeat(7, axis=2).repeat(7, axis=3)
    return torch.from_numpy(images), torch.from_numpy(records[:, 0].astype(np.int64))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--val", type=int, default=1000)
    args = parser.parse_args()

    torch.set_num_threads(2)
    torch.manual_seed(42)
    script = REPOSITORY / "bench" / "harness" / "probe-data.mjs"
    files = json.loads(subprocess.run(["node", script], check=True, capture_output=True, text=True).stdout)
    model = VisionTransformer()
    model.load_state_dict(read_safetensors(files["weights"]))
    model.head = nn.Linear(192, 10)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    model.head.requires_grad_(True)
    model.eval()
    images, labels = read_set(files["train"], args.images)
    val_images, val_labels = read_set(files["test"], args.val)
    optimizer = torch.optim.Adam(model.head.parameters(), lr=1e-3)

    def normalized(batch: torch.Tensor) -> torch.Tensor:
        return (batch.float() / 255 - MEAN) / STD

    def step(features: torch.Tensor, targets: torch.Tensor) -> None:
        optimizer.zero_grad()
        F.cross_entropy(model.head(features), targets).backward()
        optimizer.step()

    def validate() -> torch.Tensor:
        with torch.no_grad():
            return torch.cat([model.embed(normalized(batch)) for batch in val_images.split(32)])

    model(normalized(images[:32]))
    features = torch.empty(args.images, 192)
    start = time.perf_counter()
    for rows in torch.randperm(args.images).split(32):
        features[rows] = model.embed(normalized(images[rows]))
        step(features[rows], labels[rows])
    val_features = validate()
    epoch_seconds = time.perf_counter() - start
    for _ in range(9):
        for rows in torch.randperm(args.images).split(32):
            step(features[rows], labels[rows])
    with torch.no_grad():
        hits = (model.head(val_features).argmax(1) == val_labels).float().mean().item()
    seconds = 10 * epoch_seconds
    print(json.dumps({"seconds": seconds, "probesPerHour": 3600 / seconds, "accuracy": 100 * hits, "extrapolated": True}))


if __name__ == "__main__":
    main()
