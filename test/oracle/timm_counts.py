"""Parameter counts and state dicts of timm's models, in timm/counts.json.

    models[name]
      parameters        by the number of classes, which is a key
      stateDictSha256   of the UTF-8 text of one line a tensor of the state dict, in its order, with 10 classes:
                        `<key> <shape>\\n`, the shape's sizes joined by `x` (empty for a scalar)
"""

import hashlib

import timm
import torch
from fixture import write

NAMES = [
    *("resnet18", "resnet34", "resnet50", "resnet101"),
    *("efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_lite0"),
    *("mobilenetv3_small_100", "mobilenetv3_large_100"),
    *("tf_efficientnet_b0", "tf_efficientnet_b1", "tf_efficientnet_b2", "tf_efficientnet_b3", "tf_efficientnet_lite0"),
    *("tf_mobilenetv3_large_100", "tf_mobilenetv3_large_075", "tf_mobilenetv3_large_minimal_100"),
    *("tf_mobilenetv3_small_100", "tf_mobilenetv3_small_075", "tf_mobilenetv3_small_minimal_100"),
    "convnext_tiny",
    *("vit_tiny_patch16_224", "vit_small_patch16_224", "vit_base_patch16_224"),
    *("vit_small_patch32_224", "vit_base_patch32_224"),
    *("deit_tiny_patch16_224", "deit_small_patch16_224"),
    "swin_tiny_patch4_window7_224",
]


def parameters(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def digest(model: torch.nn.Module) -> str:
    lines = [f"{key} {'x'.join(map(str, tensor.shape))}\n" for key, tensor in model.state_dict().items()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def counted(name: str) -> dict:
    models = {classes: timm.create_model(name, num_classes=classes) for classes in (10, 1000)}
    return {
        "parameters": {str(classes): parameters(model) for classes, model in models.items()},
        "stateDictSha256": digest(models[10]),
    }


write("counts", {"models": {name: counted(name) for name in NAMES}}, library="timm")
