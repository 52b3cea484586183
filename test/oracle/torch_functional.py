"""functional.json: layers, losses and gradient clipping on small inputs, each with its gradients.

Every tensor that goes in is formula_uniform(stream, numel) in its shape, times `times` (1 where it is not given); a case
lists its tensors as {name: {stream, shape}} and what comes out as {name: {shape, values}}. Gradients (`grad.x`) are those
of sum(y * g) where g = formula_uniform(900, numel of y) in y's shape. All in float32, as PyTorch gives it.

What the cases without `inputs` are fed:
    batchNorm2d     3 channels: weight 1 + 0.5 * stream 1, bias stream 2, running mean stream 3, running variance
                    1 + 0.5 * stream 4; input of step s: 2 * stream 10 + s in [4, 3, 2, 3]; y and gradients are the last step's
    crossEntropy    logits 3 * stream 20 in [6, 5]; `labels` as listed, or for `soft*` softmax over dim 1 of 2 * stream 21
                    in [6, 5]; the gradient is of the loss (of its sum, where it is not reduced)
    distillation    the student's logits 3 * stream 20, the teacher's 4 * stream 22, in [6, 5]
    clipGradNorm    gradients stream 30 in [3, 4] and stream 31 in [5]
"""

import math

import torch
import torch.nn.functional as F
from fixture import floats, write
from formula import formula_labels, formula_uniform

UPSTREAM = 900


def tensor(stream: int, shape: list[int], times: float = 1) -> torch.Tensor:
    return torch.from_numpy(formula_uniform(stream, math.prod(shape))).reshape(shape) * times


def out(value: torch.Tensor) -> dict:
    return {"shape": list(value.shape), "values": floats(value)}


def case(function, inputs: dict, options: dict | None = None) -> dict:
    """inputs: name -> (stream, shape) or (stream, shape, times), in the function's order; y and every input's gradient."""
    tensors = {name: tensor(*spec).requires_grad_() for name, spec in inputs.items()}
    y = function(*tensors.values(), **(options or {}))
    (y * tensor(UPSTREAM, list(y.shape))).sum().backward()
    return {
        "inputs": {
            name: {"stream": stream, "shape": shape, **({"times": times[0]} if times else {})}
            for name, (stream, shape, *times) in inputs.items()
        },
        "options": options or {},
        "outputs": {"y": out(y), **{f"grad.{name}": out(t.grad) for name, t in tensors.items()}},
    }


def batch_norm(training: bool, momentum: float = 0.1, eps: float = 1e-5, steps: int = 1) -> dict:
    layer = torch.nn.BatchNorm2d(3, eps=eps, momentum=momentum)
    with torch.no_grad():
        layer.weight.copy_(1 + 0.5 * tensor(1, [3]))
        layer.bias.copy_(tensor(2, [3]))
        layer.running_mean.copy_(tensor(3, [3]))
        layer.running_var.copy_(1 + 0.5 * tensor(4, [3]))
    layer.train(training)
    for step in range(steps):
        layer.zero_grad()
        x = (2 * tensor(10 + step, [4, 3, 2, 3])).requires_grad_()
        y = layer(x)
        (y * tensor(UPSTREAM, list(y.shape))).sum().backward()
    return {
        "options": {"training": training, "momentum": momentum, "eps": eps, "steps": steps},
        "outputs": {
            "y": out(y),
            "grad.x": out(x.grad),
            "grad.weight": out(layer.weight.grad),
            "grad.bias": out(layer.bias.grad),
            "runningMean": out(layer.running_mean),
            "runningVar": out(layer.running_var),
        },
    }


def cross_entropy(**options) -> dict:
    logits = (3 * tensor(20, [6, 5])).requires_grad_()
    labels = torch.from_numpy(formula_labels(6, 5))
    given = dict(options)
    if "ignore_index" in given:
        labels[2] = given["ignore_index"]
    if "weight" in given:
        given["weight"] = torch.tensor(given["weight"])
    loss = F.cross_entropy(logits, labels, **given)
    loss.sum().backward()
    return {
        "labels": labels.tolist(),
        "options": options,
        "outputs": {"loss": out(loss), "grad.logits": out(logits.grad)},
    }


def cross_entropy_soft(**options) -> dict:
    """Against probabilities, as MixUp makes them."""
    logits = (3 * tensor(20, [6, 5])).requires_grad_()
    loss = F.cross_entropy(logits, (2 * tensor(21, [6, 5])).softmax(1), **options)
    loss.sum().backward()
    return {"options": options, "outputs": {"loss": out(loss), "grad.logits": out(logits.grad)}}


def distillation(temperature: float) -> dict:
    """T^2 KL(teacher || student), a mean over the batch (Hinton et al. 2015)."""
    logits = (3 * tensor(20, [6, 5])).requires_grad_()
    teacher = 4 * tensor(22, [6, 5])
    soft = [F.log_softmax(x / temperature, 1) for x in (logits, teacher)]
    loss = temperature**2 * F.kl_div(*soft, reduction="batchmean", log_target=True)
    loss.backward()
    return {"options": {"temperature": temperature}, "outputs": {"loss": out(loss), "grad.logits": out(logits.grad)}}


def clip(max_norm: float, norm_type: float = 2.0) -> dict:
    # The third has no gradient and must not count.
    parameters = [torch.zeros(3, 4, requires_grad=True), torch.zeros(5, requires_grad=True), torch.zeros(2, requires_grad=True)]
    parameters[0].grad, parameters[1].grad = tensor(30, [3, 4]), tensor(31, [5])
    total = torch.nn.utils.clip_grad_norm_(parameters, max_norm, norm_type)
    return {
        "maxNorm": max_norm,
        "normType": "inf" if math.isinf(norm_type) else norm_type,
        "totalNorm": float(str(total.numpy())),
        "clipped": [floats(p.grad) for p in parameters[:2]],
    }



X = {"x": (0, [2, 4, 5, 6])}
write(
    "functional",
    {
        "upstream": {"stream": UPSTREAM},
        "linear": case(F.linear, {"x": (0, [3, 4]), "weight": (1, [2, 4]), "bias": (2, [2])}),
        "conv2d": {
            name: case(F.conv2d, {**X, "weight": (1, weight), "bias": (2, weight[:1])}, options)
            for name, weight, options in [
                ("padding", [3, 4, 3, 3], {"padding": 1}),
                ("stride", [3, 4, 3, 3], {"stride": 2, "padding": 1}),
                ("dilation", [2, 4, 3, 2], {"dilation": [2, 1], "padding": [2, 0]}),
                ("groups", [4, 2, 3, 3], {"groups": 2, "padding": 1}),
                ("depthwise", [4, 1, 3, 3], {"groups": 4, "stride": [2, 1], "padding": 1}),
                ("pointwise", [3, 4, 1, 1], {}),
            ]
        },
        "batchNorm2d": {
            "train": batch_norm(True),
            "trainThreeSteps": batch_norm(True, momentum=0.3, eps=1e-3, steps=3),
            "eval": batch_norm(False),
        },
        "layerNorm": {
            "affine": case(
                lambda x, weight, bias, **options: F.layer_norm(x, weight=weight, bias=bias, **options),
                {"x": (0, [2, 3, 6], 3), "weight": (1, [6]), "bias": (2, [6])},
                {"normalized_shape": [6], "eps": 1e-6},
            ),
            "plain": case(F.layer_norm, {"x": (0, [2, 3, 6], 3)}, {"normalized_shape": [3, 6]}),
        },
        "activations": {
            "gelu": case(F.gelu, {"x": (0, [24], 4)}),
            "geluTanh": case(F.gelu, {"x": (0, [24], 4)}, {"approximate": "tanh"}),
            "relu": case(F.relu, {"x": (0, [24], 4)}),
            "silu": case(F.silu, {"x": (0, [24], 4)}),
            "sigmoid": case(torch.sigmoid, {"x": (0, [24], 4)}),
            "softmax": case(F.softmax, {"x": (0, [4, 6], 4)}, {"dim": 1}),
            "logSoftmax": case(F.log_softmax, {"x": (0, [4, 6], 4)}, {"dim": 1}),
        },
        "pooling": {
            "max": case(F.max_pool2d, X, {"kernel_size": 2}),
            "maxPadded": case(F.max_pool2d, X, {"kernel_size": 3, "stride": 2, "padding": 1}),
            "average": case(F.avg_pool2d, X, {"kernel_size": 2}),
            "averagePadded": case(F.avg_pool2d, X, {"kernel_size": 3, "stride": 2, "padding": 1}),
            "averageNotCountingPadding": case(
                F.avg_pool2d, X, {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}
            ),
            "adaptive1": case(F.adaptive_avg_pool2d, X, {"output_size": 1}),
            "adaptive3x4": case(F.adaptive_avg_pool2d, X, {"output_size": [3, 4]}),
        },
        "crossEntropy": {
            "mean": cross_entropy(),
            "sum": cross_entropy(reduction="sum"),
            "none": cross_entropy(reduction="none"),
            "smoothed": cross_entropy(label_smoothing=0.1),
            "weighted": cross_entropy(weight=[1.0, 2.0, 0.5, 1.0, 3.0]),
            "weightedSmoothed": cross_entropy(weight=[1.0, 2.0, 0.5, 1.0, 3.0], label_smoothing=0.2),
            "ignored": cross_entropy(ignore_index=-100),
            "soft": cross_entropy_soft(),
            "softSmoothed": cross_entropy_soft(label_smoothing=0.1),
        },
        "distillation": {f"temperature{t}": distillation(t) for t in (1, 4)},
        "clipGradNorm": {
            "above": clip(0.5),
            "below": clip(100.0),
            "norm1": clip(1.0, 1.0),
            "normInf": clip(0.25, math.inf),
        },
    },
)
