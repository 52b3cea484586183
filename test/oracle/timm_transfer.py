"""transfer.json: epochs of fine-tuning with each strategy, the losses of their steps.

A ResNet-20 for CIFAR-10 (cifar_resnet.py) and timm's vit_tiny_patch16_224 for small images start from the formula's
weights and train on formula_input(shape) in its own order, with formula_labels, by batches, no augmentation, at a constant
rate. A case is a strategy with its options; `gradual` takes three epochs, so that two stages thaw. Per case

    losses      mean cross-entropy of every step, before it, in float32
    evalLoss    of all images in evaluation mode, after the last step
    emaLoss     the same of timm's ModelEmaV2 of decay 0.9, where the case has it
    emaTracked  its num_batches_tracked of the first batch norm (an integer, cut off at each update)

What is frozen has no gradient and its batch norms stand in evaluation mode. Rates: the head's at `headLr` (lr if not
given), the stage before it at lr * layerDecay, the one before that at lr * layerDecay^2 and so on; tensors of one
dimension have no weight decay. Stages are named by prefixes of their parameters, first to last.
"""

import re

import timm
import torch
import torch.nn.functional as F
from cifar_resnet import CifarResNet
from fixture import floats, significant, write
from formula import formula_input, formula_labels, load_formula
from timm.utils import ModelEmaV2

CLASSES = 5
COUNT = 20
BATCH = 4
EMA_DECAY = 0.9

MODELS = {
    "resnet20_cifar": {
        "create": lambda: CifarResNet(3, CLASSES),
        "size": 16,
        "optimizer": {"opt": "sgd", "lr": 0.02, "momentum": 0.9, "nesterov": False, "weightDecay": 0.01},
        "stages": [r"(conv1|bn1)\.", r"layer1\.", r"layer2\.", r"layer3\.", r"linear\."],
    },
    "vit_tiny_patch16_224": {
        "create": lambda: timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=CLASSES),
        "size": 32,
        "optimizer": {"opt": "adamw", "lr": 2e-4, "weightDecay": 0.05, "betas": [0.9, 0.999]},
        "stages": [
            r"(cls_token|pos_embed|patch_embed)",
            *[rf"blocks\.{i}\." for i in range(11)],
            r"(blocks\.11|norm)\.",
            r"head\.",
        ],
    },
}
CASES = {
    "scratch": {"strategy": "scratch", "epochs": 1, "ema": True},
    "freeze": {"strategy": "freeze", "epochs": 1},
    "partial": {"strategy": "partial", "unfreeze": 2, "epochs": 1},
    "gradual": {"strategy": "gradual", "unfreezeEvery": 1, "epochs": 3},
    "full": {"strategy": "full", "epochs": 1},
    "fullByLayers": {"strategy": "full", "layerDecay": 0.7, "headLr": 0.001, "epochs": 1},
}


def first_trained(case: dict, stages: int, epoch: int) -> int:
    """Number of the first stage that trains in an epoch, from 0."""
    return {
        "freeze": stages - 1,
        "partial": stages - 1 - case.get("unfreeze", 0),
        "gradual": max(0, stages - 1 - epoch // case.get("unfreezeEvery", 1)),
    }.get(case["strategy"], 0)


def stage_of(name: str, stages: list[str]) -> int:
    return next(i for i, prefix in enumerate(stages) if re.match(prefix, name))


def optimizer_of(model: torch.nn.Module, spec: dict, case: dict) -> torch.optim.Optimizer:
    options, stages = spec["optimizer"], spec["stages"]
    first = first_trained(case, len(stages), case["epochs"] - 1)
    groups = []
    for name, parameter in model.named_parameters():
        stage = stage_of(name, stages)
        if stage < first:
            continue
        rate = options["lr"] * case.get("layerDecay", 1) ** (len(stages) - 1 - stage)
        if stage == len(stages) - 1:
            rate = case.get("headLr", options["lr"])
        decay = 0.0 if parameter.ndim <= 1 else options["weightDecay"]
        groups.append({"params": [parameter], "lr": rate, "weight_decay": decay})
    if options["opt"] == "sgd":
        return torch.optim.SGD(groups, lr=options["lr"], momentum=options["momentum"], nesterov=options["nesterov"])
    return torch.optim.AdamW(groups, lr=options["lr"], betas=tuple(options["betas"]))


def freeze(model: torch.nn.Module, stages: list[str], first: int) -> None:
    model.train()
    for name, parameter in model.named_parameters():
        parameter.requires_grad = stage_of(name, stages) >= first
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d) and stage_of(name + ".", stages) < first:
            module.eval()


def eval_loss(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    model.eval()
    with torch.no_grad():
        return significant(F.cross_entropy(model(images), labels).item())


def run(spec: dict, case: dict) -> dict:
    model = spec["create"]()
    load_formula(model)
    shape = [COUNT, 3, spec["size"], spec["size"]]
    images = torch.from_numpy(formula_input(shape))
    labels = torch.from_numpy(formula_labels(COUNT, CLASSES))
    optimizer = optimizer_of(model, spec, case)
    ema = ModelEmaV2(model, decay=EMA_DECAY) if case.get("ema") else None
    losses = []
    for epoch in range(case["epochs"]):
        freeze(model, spec["stages"], first_trained(case, len(spec["stages"]), epoch))
        for start in range(0, COUNT, BATCH):
            loss = F.cross_entropy(model(images[start : start + BATCH]), labels[start : start + BATCH])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
            if ema is not None:
                ema.update(model)
    tracked = [b for name, b in (ema.module if ema else model).named_buffers() if name.endswith("batches_tracked")]
    return {
        "config": {key: value for key, value in case.items() if key != "ema"},
        "losses": floats(torch.stack(losses)),
        "evalLoss": eval_loss(model, images, labels),
        **({"emaLoss": eval_loss(ema.module, images, labels)} if ema else {}),
        **({"emaTracked": tracked[0].item()} if ema and tracked else {}),
    }


write(
    "transfer",
    {
        "classes": CLASSES,
        "count": COUNT,
        "batch": BATCH,
        "emaDecay": EMA_DECAY,
        "models": {
            name: {
                "size": spec["size"],
                "optimizer": spec["optimizer"],
                "cases": {key: run(spec, case) for key, case in CASES.items()},
            }
            for name, spec in MODELS.items()
        },
    },
    "timm",
)
