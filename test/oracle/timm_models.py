"""One fixture a model of timm, in timm/<model>.json: model_numbers.py says what of. Also holds timm against torchvision.

Gradients and running statistics are those of each eighth tensor (of `tf_` models, each twelfth), of the first two and
of the last two.

Where torchvision has the same network, its state dict has the same tensors in the same order under other names; with
the same values it must give the same logits. What differs by definition is made equal first: torchvision's MobileNetV3
has batch norms of epsilon 1e-3.

The `tf_` models, which pad by the image's size, are of images whose height and width differ, odd and even.
"""

import timm
import torch
import torchvision
from formula import formula_input, load_formula
from model_numbers import deviation, model_fixture

CLASSES = 10
SHAPE = [2, 3, 96, 96]
TORCHVISION = {
    "convnext_tiny": torchvision.models.convnext_tiny,
    "efficientnet_b0": torchvision.models.efficientnet_b0,
    "efficientnet_lite0": None,
    "mobilenetv3_large_100": torchvision.models.mobilenet_v3_large,
    "mobilenetv3_small_100": torchvision.models.mobilenet_v3_small,
}
TENSORFLOW = {
    "tf_efficientnet_b0": [2, 3, 96, 81],
    "tf_efficientnet_lite0": [2, 3, 75, 96],
    "tf_mobilenetv3_large_075": [2, 3, 75, 90],
    "tf_mobilenetv3_small_minimal_100": [2, 3, 98, 96],
}


@torch.no_grad()
def check_against_torchvision(model: torch.nn.Module, other: torch.nn.Module) -> None:
    tensors = list(model.state_dict().values())
    names = other.state_dict()
    assert len(names) == len(tensors)
    other.load_state_dict({name: t.reshape(names[name].shape) for name, t in zip(names, tensors)})
    for module in other.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 1e-5
    images = torch.from_numpy(formula_input(SHAPE)).double()
    expected, got = (m.eval().double()(images) for m in (other, model))
    assert deviation(got, expected) < 1e-10, deviation(got, expected)
    model.float()


for name, torchvision_model in TORCHVISION.items():
    model = timm.create_model(name, num_classes=CLASSES)
    if torchvision_model is not None:
        load_formula(model)
        check_against_torchvision(model, torchvision_model(num_classes=CLASSES))
    model_fixture(name, model, SHAPE, CLASSES, library="timm", every=8)

for name, shape in TENSORFLOW.items():
    model_fixture(name, timm.create_model(name, num_classes=CLASSES), shape, CLASSES, library="timm", every=12)
