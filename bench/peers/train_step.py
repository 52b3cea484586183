"""A SimpleCNN training step as PyTorch users write it: forward, loss, backward, Adam. Prints one line of JSON."""

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

# Where a hypervisor hides AMX's tile palette, the harness names the library that answers for it (native/amx_palette.cc).
if "THAW_BENCH_AMX" in os.environ:
    ctypes.CDLL(os.environ["THAW_BENCH_AMX"]).thaw_prepare_amx()

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "test" / "oracle"))
from simple_cnn import SimpleCNN  # noqa: E402


def memory(field: str) -> int:
    """Bytes of this process: VmRSS now, VmHWM at its highest."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--layout", choices=["nchw", "channels_last"], default="nchw")
    parser.add_argument("--threads", type=int, default=2, help="Debian's PyTorch starts with 1 (default: 2)")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warmup", type=int, default=5, help="steps before the clock starts")
    parser.add_argument("--batch", type=int, default=128)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(42)
    model = SimpleCNN()
    images = torch.randn(args.batch, 3, 32, 32)
    labels = torch.randint(0, 5, (args.batch,))
    if args.layout == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
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
    rss_after_warmup = memory("VmRSS")
    start = time.perf_counter()
    for _ in range(args.steps):
        step()
    seconds = time.perf_counter() - start
    rss = memory("VmRSS")
    print(
        json.dumps(
            {
                "imagesPerSecond": args.batch * args.steps / seconds,
                "peakRssBytes": memory("VmHWM"),
                "rssGrowthPercent": 100 * (rss / rss_after_warmup - 1),
                "threads": torch.get_num_threads(),
                "torch": torch.__version__,
            }
        )
    )


main()
