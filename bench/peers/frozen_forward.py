"""Forward passes of a frozen torchvision network as PyTorch users write them: eval, no_grad. Prints one line of JSON."""

import argparse
import contextlib
import ctypes
import json
import os
import time

import torch
import torchvision

# Where a hypervisor hides AMX's tile palette, the harness names the library that answers for it (native/amx_palette.cc).
if "THAW_BENCH_AMX" in os.environ:
    ctypes.CDLL(os.environ["THAW_BENCH_AMX"]).thaw_prepare_amx()


def create(name: str) -> torch.nn.Module:
    if name == "vit_tiny_patch16_224":  # timm's sizes in torchvision's class
        return torchvision.models.VisionTransformer(
            image_size=224, patch_size=16, num_layers=12, num_heads=3, hidden_dim=192, mlp_dim=768
        )
    return getattr(torchvision.models, name)()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--layout", choices=["nchw", "channels_last"], default="nchw")
    parser.add_argument("--threads", type=int, default=2, help="Debian's PyTorch starts with 1 (default: 2)")
    parser.add_argument("--passes", type=int, default=6)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=224)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(42)
    model = create(args.model).eval()
    images = torch.randn(args.batch, 3, args.size, args.size)
    if args.layout == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    autocast = contextlib.nullcontext
    if args.precision == "bf16":
        autocast = lambda: torch.autocast("cpu", dtype=torch.bfloat16)  # noqa: E731
    with torch.no_grad(), autocast():
        for _ in range(args.warmup):
            model(images)
        start = time.perf_counter()
        for _ in range(args.passes):
            model(images)
        seconds = time.perf_counter() - start
    print(json.dumps({"imagesPerSecond": args.batch * args.passes / seconds}))


main()
