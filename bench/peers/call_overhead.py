"""The cost of one operator call: torch.add of two tensors of one element, without gradients. Prints one line of JSON."""

import argparse
import json
import time

import torch

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--calls", type=int, default=200_000)
parser.add_argument("--warmup", type=int, default=20_000, help="calls before the clock starts")
args = parser.parse_args()

torch.set_num_threads(2)
a, b = torch.ones(1), torch.ones(1)
add = torch.add
with torch.no_grad():
    for _ in range(args.warmup):
        add(a, b)
    start = time.perf_counter()
    for _ in range(args.calls):
        add(a, b)
    seconds = time.perf_counter() - start
print(json.dumps({"microsecondsPerCall": 1e6 * seconds / args.calls, "torch": torch.__version__}))
