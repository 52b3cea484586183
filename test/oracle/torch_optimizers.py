"""optimizers.json: parameters after each of three steps, with gradients that are the formula's.

Parameter p of the list is formula_tensor("weight" or "bias" by its shape, p, shape); its gradient at step s (0, 1, 2) is
formula_uniform(100 + 10 * s + p). PyTorch's single-tensor float32 path made the numbers; `foreachDeviation` is how far
PyTorch's own multi-tensor path is from them, as max |a - b| / max |b|.

Option names are PyTorch's. Where `groups` stands, the parameters are in that many groups with those options on top.
"""

import torch
from fixture import floats, write
from formula import formula_tensor, formula_uniform

SHAPES = [[6, 5], [4, 3, 3, 3], [7]]
STEPS = 3

CASES = [
    ("sgd", torch.optim.SGD, {"lr": 0.1}, None),
    ("sgd_weight_decay", torch.optim.SGD, {"lr": 0.1, "weight_decay": 0.01}, None),
    ("sgd_momentum", torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}, None),
    ("sgd_momentum_dampening", torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}, None),
    ("sgd_momentum_weight_decay", torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4}, None),
    ("sgd_nesterov", torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}, None),
    ("adam", torch.optim.Adam, {"lr": 1e-3}, None),
    ("adam_weight_decay", torch.optim.Adam, {"lr": 1e-3, "weight_decay": 1e-4}, None),
    ("adam_betas_eps", torch.optim.Adam, {"lr": 0.01, "betas": [0.8, 0.95], "eps": 1e-3}, None),
    ("adamw", torch.optim.AdamW, {"lr": 1e-3}, None),
    ("adamw_weight_decay", torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.1}, None),
    (
        "adamw_groups",
        torch.optim.AdamW,
        {"lr": 1e-3, "weight_decay": 0.05},
        [{"parameters": [0, 1]}, {"parameters": [2], "lr": 0.01, "weight_decay": 0.0}],
    ),
    (
        "sgd_groups",
        torch.optim.SGD,
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
        [{"parameters": [0]}, {"parameters": [1, 2], "lr": 0.01}],
    ),
]


def steps(optimizer_class, options: dict, groups, foreach: bool) -> list[list[torch.Tensor]]:
    """[step][parameter]"""
    parameters = [
        torch.from_numpy(formula_tensor("bias" if len(shape) == 1 else "weight", p, shape)).requires_grad_()
        for p, shape in enumerate(SHAPES)
    ]
    given = parameters
    if groups is not None:
        given = [
            {"params": [parameters[p] for p in g["parameters"]], **{k: v for k, v in g.items() if k != "parameters"}}
            for g in groups
        ]
    optimizer = optimizer_class(given, **options, foreach=foreach)
    after = []
    for step in range(STEPS):
        for p, parameter in enumerate(parameters):
            gradient = formula_uniform(100 + 10 * step + p, parameter.numel())
            parameter.grad = torch.from_numpy(gradient).reshape(parameter.shape)
        optimizer.step()
        after.append([parameter.detach().clone() for parameter in parameters])
    return after


def case(optimizer_class, options: dict, groups) -> dict:
    single = steps(optimizer_class, options, groups, foreach=False)
    foreach = steps(optimizer_class, options, groups, foreach=True)
    deviation = max(
        ((a - b).abs().max() / b.abs().max()).item() for f, s in zip(foreach, single) for a, b in zip(f, s)
    )
    return {
        "optimizer": optimizer_class.__name__,
        "options": options,
        **({"groups": groups} if groups is not None else {}),
        "foreachDeviation": deviation,
        "steps": [{"parameters": [floats(parameter) for parameter in step]} for step in single],
    }


write("optimizers", {"shapes": SHAPES, "cases": {name: case(*rest) for name, *rest in CASES}})
