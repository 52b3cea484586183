"""fastai's range test on courses of the loss that a formula draws: rates, smoothed losses, suggestions.

`courses`: `losses` go in; `lrs` and `smooth` (AvgSmoothLoss) are what fastai records, cut where its LRFinder stops;
`valley` and `steepest` are what Learner.lr_find suggests from them. Runs fastai's own callback and functions.
"""

import json
import math
import pathlib
import types

import fastai
import torch
from fastai.callback.schedule import SchedExp, steep, valley
from fastai.learner import AvgSmoothLoss

FROM, TO, STEPS = 1e-7, 10, 100


def bowl(i: int) -> float:
    """Flat, a fall around 1e-3, then up."""
    x = i / STEPS
    return 2.3 - 1.4 / (1 + math.exp(-(x - 0.55) * 25)) + 0.02 * math.sin(i * 1.7) + math.exp((x - 0.9) * 60)


def noisy(i: int) -> float:
    return 4.0 - 0.02 * i + 0.4 * math.sin(i * 12.9898) + math.exp((i - 85) / 4)


def falling(i: int) -> float:
    return 3.0 * math.exp(-i / 40)


def rising(i: int) -> float:
    return 1.0 + 0.01 * i


def course(loss_at) -> dict:
    schedule, average = SchedExp(FROM, TO), AvgSmoothLoss()
    average.reset()
    losses, lrs, smooth, best = [], [], [], math.inf
    for i in range(STEPS):
        loss = loss_at(i)
        average.accumulate(types.SimpleNamespace(loss=torch.tensor(loss)))
        losses.append(loss)
        lrs.append(schedule(i / STEPS))
        smooth.append(average.value.item())
        best = min(best, smooth[-1])
        if smooth[-1] > 4 * best:
            break
    seen = [torch.tensor(values[STEPS // 10 : -5]) for values in (lrs, smooth)]
    return {
        "name": loss_at.__name__,
        "losses": losses,
        "lrs": lrs,
        "smooth": smooth,
        "valley": valley(*seen, STEPS)[0],
        "steepest": steep(*seen, STEPS)[0],
    }


def main() -> None:
    target = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "fastai-lr-find.json"
    fixture = {
        "about": f"python test/oracle/fastai_lr_find.py; fastai {fastai.__version__}, torch {torch.__version__}",
        "range": {"from": FROM, "to": TO, "steps": STEPS},
        "courses": [course(of) for of in (bowl, noisy, falling, rising)],
    }
    target.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")


main()
