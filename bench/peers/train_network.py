"""A fine-tuning step of a large network as PyTorch users write it: forward, loss, backward, Adam. Prints one line of JSON."""

import argparse
import contextlib
import ctypes
import json
import os
import pathlib
import sys
import time

import torch
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "test" / "oracle"))

# Where a hypervisor hides AMX's tile palette, the harness names the library that answers for it (native/amx_palette.cc).
if "THAW_BENCH_AMX" in os.environ:
    ctypes.CDLL(os.environ["THAW_BENCH_AMX"]).thaw_prepare_amx()


def create(name: str, explicit_attention: bool) -> nn.Module:
    if name == "simple_cnn":
        from simple_cnn import SimpleCNN

        return SimpleCNN(classes=10)
    import torchvision

    if name == "vit_tiny_patch16_224":
        from probe import Attention, VisionTransformer

        Attention.fused = Attention.fused and not explicit_attention
        return VisionTransformer(classes=10)
    return getattr(torchvision.models, name)(num_classes=10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--train", nargs="*", help="names of the parts that train; all by default")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--layout", choices=["nchw", "channels_last"], default="nchw")
    parser.add_argument("--explicit-attention", action="store_true", help="of ViT, by matrix products")
    parser.add_argument("--compile", action="store_true", help="torch.compile, in its default mode")
    parser.add_argument("--threads", type=int, default=2, help="Debian's PyTorch starts with 1 (default: 2)")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=224)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(42)
    model = create(args.model, args.explicit_attention)
    if args.train:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.split(".")[0] in args.train)
    images = torch.randn(args.batch, 3, args.size, args.size)
    labels = torch.randint(0, 10, (args.batch,))
    if args.layout == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    if args.compile:
        model = torch.compile(model)
    criterion = nn.CrossEntropyLoss()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=1e-4, weight_decay=1e-4)
    autocast = contextlib.nullcontext
    if args.precision == "bf16":
        autocast = lambda: torch.autocast("cpu", dtype=torch.bfloat16)  # noqa: E731

    def step() -> None:
        optimizer.zero_grad()
        with autocast():
            loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()

    model.train()
    for _ in range(args.warmup):
        step()
    start = time.perf_counter()
    for _ in range(args.steps):
        step()
    seconds = time.perf_counter() - start
    print(json.dumps({"imagesPerSecond": args.batch * args.steps / seconds, "torch": torch.__version__}))


main()
