"""What a model's fixture holds: logits, losses, gradients and running statistics with the formula's weights.

    eval                running statistics, no dropout
    train               one step's worth of numbers with batch statistics and dropout 0; its
      runningStats      are the buffers after that one forward (momentum 0.1)
    each with
      logits, crossEntropy, crossEntropySmoothed (label smoothing 0.1)
      gradients         of crossEntropy with respect to every parameter
      inputGradient     and to the input

The numbers are PyTorch's in float64 (of the formula's float32 weights and inputs), so that they serve float32 and float64
alike. `noise` tells how far PyTorch's own float32 is from them, as max |a - b| / max |b| over a tensor (the worst tensor,
for gradients): nobody's float32 can be expected much nearer than that. It is below 1e-4 everywhere but for ResNet-50's
gradients with batch statistics: there, 16 values a channel and 50 layers make rounding errors flip some ReLUs, whose
gradient jumps. Check those in float64, and in float32 the gradients in eval mode.

A tensor is summarised as {norm, sum, samples}: L2 norm, sum, and the elements at sample_indices (formula.py) of its
row-major order. With a tolerance t, expect |norm - norm'| <= t * norm, |sample - sample'| <= t * (the tensor's largest
magnitude, or norm), |sum - sum'| <= t * norm * sqrt(count). `zero: true` marks gradients that are zero but for rounding
(a bias before a batch norm): check that they are small beside their neighbours, not their digits.
"""

import copy

import torch
import torch.nn.functional as F
from fixture import floats, significant, write
from formula import formula_input, formula_labels, load_formula, sample_indices


def summary(tensor: torch.Tensor) -> dict:
    flat = tensor.detach().contiguous().reshape(-1)
    return {
        "norm": significant(flat.norm().item()),
        "sum": significant(flat.sum().item()),
        "samples": floats(flat[sample_indices(flat.numel())]),
    }


def one_pass(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> dict:
    """Forward and backward on a copy of the model in the mode it is in; everything still a tensor."""
    model = copy.deepcopy(model)
    images = images.clone().requires_grad_()
    logits = model(images)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    return {
        "logits": logits.detach(),
        "crossEntropy": loss.detach(),
        "crossEntropySmoothed": F.cross_entropy(logits, labels, label_smoothing=0.1).detach(),
        "gradients": {name: p.grad for name, p in model.named_parameters()},
        "inputGradient": images.grad,
        # Buffers that are not saved, as Swin's masks, are nobody's statistics.
        "runningStats": {
            name: b
            for name, b in model.named_buffers()
            if b.is_floating_point() and name in model.state_dict()
        },
    }


def deviation(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(f"{((a.double() - b).abs().max() / b.abs().max()).item():.1e}")


def is_zero(gradient: torch.Tensor) -> bool:
    return bool(gradient.norm() < 1e-10)


def some(tensors: dict, every: int) -> dict:
    """Each `every`-th, the first two and the last two."""
    last = len(tensors) - 1
    return {key: t for i, (key, t) in enumerate(tensors.items()) if i % every == 0 or i < 2 or i >= last - 1}


def mode_fixture(
    mode: str, model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, every: int
) -> dict:
    model.train(mode == "train")
    single = one_pass(model, images, labels)
    double = one_pass(copy.deepcopy(model).double(), images.double(), labels)
    gradients = double["gradients"]
    return {
        "noise": {
            "logits": deviation(single["logits"], double["logits"]),
            "gradients": max(deviation(single["gradients"][k], g) for k, g in gradients.items() if not is_zero(g)),
        },
        "logits": floats(double["logits"]),
        "crossEntropy": significant(double["crossEntropy"].item()),
        "crossEntropySmoothed": significant(double["crossEntropySmoothed"].item()),
        "gradients": {
            key: {**summary(g), "zero": True} if is_zero(g) else summary(g)
            for key, g in some(gradients, every).items()
        },
        "inputGradient": summary(double["inputGradient"]),
        **(
            {"runningStats": {k: summary(b) for k, b in some(double["runningStats"], every).items()}}
            if mode == "train"
            else {}
        ),
    }


def model_fixture(
    name: str, model: torch.nn.Module, shape: list[int], classes: int, library: str = "torch", every: int = 1
) -> None:
    """Writes a model's fixture; its gradients and running statistics are those of `some` tensors."""
    load_formula(model)
    images = torch.from_numpy(formula_input(shape))
    labels = torch.from_numpy(formula_labels(shape[0], classes))
    modes = {mode: mode_fixture(mode, model, images, labels, every) for mode in ("eval", "train")}
    print(name, {mode: values["noise"] for mode, values in modes.items()})
    write(
        name,
        {
            "model": name,
            "inputShape": shape,
            "classes": classes,
            "labels": labels.tolist(),
            "parameterCount": sum(p.numel() for p in model.parameters()),
            "stateDict": {key: list(t.shape) for key, t in model.state_dict().items() if t.is_floating_point()},
            **modes,
        },
        library,
    )
