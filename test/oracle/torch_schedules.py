"""schedules.json: the learning rate in force at step (or epoch) 0, 1, 2, ... of every schedule, base rate 0.1.

`options` use PyTorch's names, or timm's and transformers' where the schedule is theirs. With B the base rate, W the
warm-up steps, T all steps, t the step, the ones that are no class of PyTorch are these, each run through LambdaLR:

    constant_warmup   B t/W for t < W, then B                                 transformers: get_constant_schedule_with_warmup
    linear            B t/W for t < W, then B max(0, (T-t)/(T-W))             transformers: get_linear_schedule_with_warmup
    cosine_warmup     w + (B-w) t/W for t < W, then m + (B-m)/2 (1 + cos(pi (t-W)/(T-W))), m from t = T on
                      (w: warmup_lr, m: min_lr)                               timm: CosineLRScheduler with warmup_prefix

PyTorch's CosineAnnealingLR computes each rate from the one before, so that it differs from its closed form
m + (B-m)/2 (1 + cos(pi t/T)) in the last digits: compare to 1e-9 relative. It also turns back up after T; the series
stops there.

`plateau` cases list `metrics` too: rates[e] is the rate in force after step(metrics[e]).
"""

import math
import warnings

import torch
from fixture import write
from torch.optim import lr_scheduler

BASE = 0.1

# Two false starts, a long stretch without improvement, small improvements (below some thresholds), a late fall.
FALLING = [1.0, 0.9, 0.95, 0.8, 0.81, 0.82, 0.83, 0.84, 0.7999, 0.79995, 0.8, 0.81, 0.82, 0.5]
FALLING += [0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.4, 0.41]
RISING = [0.1, 0.3, 0.5, 0.49, 0.5, 0.48, 0.47, 0.50001, 0.5, 0.5, 0.5, 0.51, 0.5, 0.5, 0.5, 0.5]
RISING += [0.9, 0.8, 0.8, 0.8, 0.8, 0.8]


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)


def series(make, steps: int) -> list[float]:
    """Rates in force at steps 0 ... steps - 1."""
    opt = optimizer()
    schedule = make(opt)
    rates = []
    for step in range(steps):
        rates.append(opt.param_groups[0]["lr"])
        opt.step()
        if step + 1 < steps:
            schedule.step()
    return rates


def factor(function):
    return lambda opt: lr_scheduler.LambdaLR(opt, function)


def plateau(options: dict) -> dict:
    opt = optimizer()
    schedule = lr_scheduler.ReduceLROnPlateau(opt, **options)
    metrics = RISING if options["mode"] == "max" else FALLING
    rates = []
    for metric in metrics:
        schedule.step(metric)
        rates.append(opt.param_groups[0]["lr"])
    return {"schedule": "plateau", "base": BASE, "options": options, "metrics": metrics, "rates": rates}


def case(schedule: str, options: dict, make, steps: int) -> dict:
    return {"schedule": schedule, "base": BASE, "options": options, "rates": series(make, steps)}


def constant_warmup(warmup: int):
    return factor(lambda t: t / warmup if t < warmup else 1.0)


def linear(warmup: int, total: int):
    return factor(lambda t: t / max(1, warmup) if t < warmup else max(0.0, (total - t) / max(1, total - warmup)))


def cosine_warmup(warmup: int, total: int, warmup_lr: float, min_lr: float):
    def rate(t: int) -> float:
        if t < warmup:
            return warmup_lr + (BASE - warmup_lr) * t / warmup
        progress = min(1.0, (t - warmup) / (total - warmup))
        return min_lr + 0.5 * (BASE - min_lr) * (1 + math.cos(math.pi * progress))

    return factor(lambda t: rate(t) / BASE)


def one_cycle(total: int, options: dict):
    return lambda opt: lr_scheduler.OneCycleLR(opt, max_lr=BASE, total_steps=total, cycle_momentum=False, **options)


def cosine(t_max: int, eta_min: float):
    return lambda opt: lr_scheduler.CosineAnnealingLR(opt, T_max=t_max, eta_min=eta_min)


def step(step_size: int, gamma: float):
    return lambda opt: lr_scheduler.StepLR(opt, step_size, gamma)


warnings.filterwarnings("error")
CASES = {
    "constant": case("constant", {}, factor(lambda t: 1.0), 6),
    "constant_warmup": case("constant_warmup", {"warmup": 4}, constant_warmup(4), 8),
    "step": case("step", {"step_size": 3, "gamma": 0.1}, step(3, 0.1), 10),
    "step_half": case("step", {"step_size": 2, "gamma": 0.5}, step(2, 0.5), 9),
    "linear": case("linear", {"warmup": 0, "total": 10}, linear(0, 10), 13),
    "linear_warmup": case("linear", {"warmup": 4, "total": 20}, linear(4, 20), 23),
    "cosine": case("cosine", {"T_max": 20, "eta_min": 0.0}, cosine(20, 0.0), 21),
    "cosine_min": case("cosine", {"T_max": 15, "eta_min": 0.001}, cosine(15, 0.001), 16),
    "cosine_warmup": case(
        "cosine_warmup",
        {"warmup": 5, "total": 20, "warmup_lr": 0.0, "min_lr": 0.0},
        cosine_warmup(5, 20, 0.0, 0.0),
        23,
    ),
    "cosine_warmup_min": case(
        "cosine_warmup",
        {"warmup": 4, "total": 18, "warmup_lr": 1e-4, "min_lr": 1e-3},
        cosine_warmup(4, 18, 1e-4, 1e-3),
        20,
    ),
    "one_cycle": case("one_cycle", {"max_lr": BASE, "total_steps": 20}, one_cycle(20, {}), 20),
    "one_cycle_factors": case(
        "one_cycle",
        {"max_lr": BASE, "total_steps": 17, "pct_start": 0.4, "div_factor": 10.0, "final_div_factor": 100.0},
        one_cycle(17, {"pct_start": 0.4, "div_factor": 10.0, "final_div_factor": 100.0}),
        17,
    ),
    "plateau_min": plateau({"mode": "min", "factor": 0.5, "patience": 2}),
    "plateau_patience_0": plateau({"mode": "min", "factor": 0.5, "patience": 0}),
    "plateau_threshold": plateau({"mode": "min", "factor": 0.1, "patience": 1, "threshold": 0.05}),
    "plateau_cooldown": plateau({"mode": "min", "factor": 0.5, "patience": 1, "cooldown": 3}),
    "plateau_min_lr": plateau({"mode": "min", "factor": 0.5, "patience": 0, "min_lr": 0.03}),
    "plateau_max": plateau({"mode": "max", "factor": 0.5, "patience": 2}),
    "plateau_max_threshold": plateau({"mode": "max", "factor": 0.1, "patience": 1, "threshold": 0.05}),
    "plateau_max_cooldown": plateau({"mode": "max", "factor": 0.5, "patience": 1, "cooldown": 2, "min_lr": 0.02}),
}
write("schedules", {"cases": CASES})
