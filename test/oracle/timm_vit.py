"""One fixture a transformer of timm, in timm/<model>.json: model_numbers.py says what of; and what else they rest on.

Gradients are those of each eighth tensor, of the first two (a ViT's class token and position embedding) and of the last
two (the head's). Swin at 64 pixels pads its maps to whole windows, shifts them, and shrinks windows to small maps.

vit_pieces.json holds
    init                of vit_tiny_patch16_224 and swin_tiny (4 classes, 32 pixels) after torch.manual_seed(42): the
                        first values and the SHA-256 of tensors that are not trunc_normal_'s
    positions           resample_abs_pos_embed of formula_uniform(3, ...), from one grid to another, one prefix token
    huggingFace         transformers' ViTForImageClassification with formula weights in its own state dict's order, and
                        its logits

Before anything is written: timm's vit_base_patch16_224 and swin_tiny must give torchvision's logits with the same
values, so that it does not matter which of the two a checkpoint comes from.
"""

import hashlib
import re

import timm
import torch
import torchvision
import transformers
from fixture import floats, write
from formula import formula_input, formula_uniform, load_formula
from model_numbers import deviation, model_fixture
from timm.layers import resample_abs_pos_embed

CLASSES = 10
SHAPES = {
    "vit_tiny_patch16_224": [2, 3, 64, 64],
    "vit_small_patch32_224": [2, 3, 64, 96],
    "deit_tiny_patch16_224": [2, 3, 32, 32],
    "swin_tiny_patch4_window7_224": [2, 3, 64, 64],
}
VIT_NAMES = {
    r"class_token": "cls_token",
    r"conv_proj\.": "patch_embed.proj.",
    r"encoder\.pos_embedding": "pos_embed",
    r"encoder\.layers\.encoder_layer_(\d+)\.": r"blocks.\1.",
    r"ln_1\.": "norm1.",
    r"ln_2\.": "norm2.",
    r"self_attention\.in_proj_": "attn.qkv.",
    r"self_attention\.out_proj\.": "attn.proj.",
    r"mlp\.(linear_1|0)\.": "mlp.fc1.",
    r"mlp\.(linear_2|3)\.": "mlp.fc2.",
    r"encoder\.ln\.": "norm.",
    r"heads\.head\.": "head.",
}
SWIN_NAMES = {
    r"features\.0\.0\.": "patch_embed.proj.",
    r"features\.0\.2\.": "patch_embed.norm.",
    r"features\.([135])\.(\d+)\.": lambda m: f"layers.{int(m[1]) // 2}.blocks.{m[2]}.",
    r"features\.7\.(\d+)\.": r"layers.3.blocks.\1.",
    r"features\.([246])\.": lambda m: f"layers.{int(m[1]) // 2}.downsample.",
    r"mlp\.0\.": "mlp.fc1.",
    r"mlp\.3\.": "mlp.fc2.",
    r"^head\.": "head.fc.",
}


def renamed(key: str, names: dict) -> str:
    for pattern, replacement in names.items():
        key = re.sub(pattern, replacement, key)
    return key


@torch.no_grad()
def check_against_torchvision(model: torch.nn.Module, other: torch.nn.Module, names: dict, size: int) -> None:
    load_formula(model)
    values = model.state_dict()
    keys = {key: renamed(key, names) for key in other.state_dict() if not key.endswith("relative_position_index")}
    assert sorted(keys.values()) == sorted(values), set(keys.values()) ^ set(values)
    other.load_state_dict({key: values[ours] for key, ours in keys.items()}, strict=False)
    images = torch.from_numpy(formula_input([1, 3, size, size]))
    expected, got = (m.eval()(images) for m in (other, model))
    print("against torchvision:", deviation(got, expected.double()))
    assert deviation(got, expected.double()) < 1e-4


def init_fixture(name: str, keys: list[str]) -> dict:
    torch.manual_seed(42)
    values = timm.create_model(name, num_classes=4, img_size=32).state_dict()
    return {
        key: {
            "shape": list(values[key].shape),
            "first": floats(values[key].flatten()[:4]),
            "sha256": hashlib.sha256(values[key].numpy().tobytes()).hexdigest(),
        }
        for key in keys
    }


def position_fixture(source: list[int], target: list[int], width: int) -> dict:
    tokens = 1 + source[0] * source[1]
    embedding = torch.from_numpy(formula_uniform(3, tokens * width)).reshape(1, tokens, width)
    values = resample_abs_pos_embed(embedding, target, source, num_prefix_tokens=1)
    return {"from": source, "to": target, "width": width, "values": floats(values)}


@torch.no_grad()
def hugging_face_fixture() -> dict:
    config = transformers.ViTConfig(
        hidden_size=192, num_hidden_layers=12, num_attention_heads=3, intermediate_size=768, image_size=32, num_labels=CLASSES
    )
    model = transformers.ViTForImageClassification(config).eval()
    load_formula(model)
    shape = [2, 3, 32, 32]
    logits = model(torch.from_numpy(formula_input(shape))).logits
    return {
        "inputShape": shape,
        "stateDict": {key: list(t.shape) for key, t in model.state_dict().items()},
        "logits": floats(logits),
    }


check_against_torchvision(
    timm.create_model("vit_base_patch16_224", num_classes=CLASSES),
    torchvision.models.vit_b_16(num_classes=CLASSES),
    VIT_NAMES,
    224,
)
check_against_torchvision(
    timm.create_model("swin_tiny_patch4_window7_224", num_classes=CLASSES),
    torchvision.models.swin_t(num_classes=CLASSES),
    SWIN_NAMES,
    224,
)
for name, shape in SHAPES.items():
    # Swin's stochastic depth is on by default; a ViT's rate is 0 anyway.
    model = timm.create_model(name, num_classes=CLASSES, img_size=tuple(shape[2:]), drop_path_rate=0)
    model_fixture(name, model, shape, CLASSES, library="timm", every=8)
write(
    "vit_pieces",
    {
        "init": {
            "vit_tiny_patch16_224": init_fixture("vit_tiny_patch16_224", ["cls_token", "patch_embed.proj.weight"]),
            "swin_tiny_patch4_window7_224": init_fixture("swin_tiny_patch4_window7_224", ["patch_embed.proj.weight"]),
        },
        "positions": [
            position_fixture([4, 4], [7, 7], 2),
            position_fixture([7, 7], [3, 5], 2),
            position_fixture([2, 3], [3, 2], 2),
        ],
        "huggingFace": hugging_face_fixture(),
    },
    library="timm",
)
