"""Writes test/fixtures/torchvision/transforms.json: what torchvision's functional transforms make of small uint8 tensors.

    images         shape [C, H, W] and pixels, in base64
    operators      an operator of RandAugment or TrivialAugmentWide by `_apply_op`, or Hue: image, name, magnitude, pixels
    affines        image; angle, translate, scale, shear of `affine`, nearest, black outside; pixels
    rotations      image, degrees of `rotate`, pixels
    spaces         the policies' magnitudes: policy, bins, size [H, W], and by operator the bins in `at`
    draws          mean and deviation of what `get_params` draws 100,000 times for images of size [H, W]

All of it on tensors: Pillow's operators, which torchvision calls for PIL images, differ by one in places.
"""

import base64

import numpy as np
import torch
import torchvision.transforms.functional as F
from torchvision.transforms import ColorJitter, InterpolationMode, RandomAffine, RandomErasing
from torchvision.transforms.autoaugment import RandAugment, TrivialAugmentWide, _apply_op

import fixture
from formula import formula_hash

SIZE = (28, 36)
DRAWS = 100_000


def image(stream: int, channels: int, height: int, width: int) -> torch.Tensor:
    """Waves under noise: smooth enough for a geometry to show, with values at both ends."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([127 + 110 * np.sin((x * (c + 1) + 2 * y) / 3) for c in range(channels)])
    noise = (formula_hash(stream, waves.size) % 61).astype(np.int64).reshape(waves.shape) - 30
    return torch.from_numpy(np.clip(waves.astype(np.int64) + noise, 0, 255).astype(np.uint8))


def packed(pixels: torch.Tensor) -> str:
    return base64.b64encode(pixels.numpy().tobytes()).decode()


def space(policy, bins: int) -> dict:
    own = policy(num_magnitude_bins=bins)
    return own._augmentation_space(bins, SIZE) if policy is RandAugment else own._augmentation_space(bins)


def operator_cases(images: list[torch.Tensor]) -> list[dict]:
    cases = []

    def add(i: int, name: str, magnitude: float, pixels: torch.Tensor) -> None:
        cases.append({"image": i, "name": name, "magnitude": magnitude, "pixels": packed(pixels)})

    for i, pixels in enumerate(images):
        for policy, bins in [(RandAugment, [9, 20]), (TrivialAugmentWide, [13, 30])]:
            for name, (magnitudes, signed) in space(policy, 31).items():
                if magnitudes.ndim == 0 and policy is RandAugment:
                    continue
                # Sharing a border between two pixels, some of these are decided by the last bit.
                for magnitude in magnitudes[bins].tolist() if magnitudes.ndim > 0 else [0.0]:
                    for sign in [1, -1] if signed else [1]:
                        value = magnitude * sign
                        add(i, name, value, _apply_op(pixels, name, value, InterpolationMode.NEAREST, None))
        for hue in [-0.5, -0.21, 0.04, 0.3, 0.5] if pixels.shape[0] == 3 else [0.3]:
            add(i, "Hue", hue, F.adjust_hue(pixels, hue))
    return cases


def draws() -> dict:
    torch.manual_seed(1)
    height, width = SIZE
    blank = torch.zeros(3, height, width)

    def moments(rows: list) -> dict:
        values = np.asarray(rows, dtype=np.float64)
        return {"mean": fixture.floats(values.mean(0)), "std": fixture.floats(values.std(0))}

    # Top, left, height, width of what is erased; attempts without a place are left out.
    erased = [RandomErasing.get_params(blank, (0.02, 0.33), (0.3, 3.3), [0.0])[:4] for _ in range(DRAWS)]
    affine = [RandomAffine.get_params([-30.0, 30.0], [0.1, 0.3], [0.8, 1.3], [-10.0, 10.0, -5.0, 20.0], [width, height]) for _ in range(DRAWS)]
    jitter = ColorJitter(0.4, 0.2, 1.5, 0.1)
    factors = [ColorJitter.get_params(jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue)[1:] for _ in range(DRAWS)]
    return {
        "size": list(SIZE),
        "erasing": moments([e for e in erased if e[2] < height]),
        # Angle, translation across and down, scale, shears.
        "affine": moments([[a, *t, s, *h] for a, t, s, h in affine]),
        # Brightness, contrast, saturation, hue.
        "jitter": moments(factors),
    }


def main() -> None:
    images = [image(1, 3, 7, 10), image(2, 1, 12, 12)]
    affines = []
    for i, pixels in enumerate(images):
        for angle, translate, scale, shear in [
            (0.0, [2, -1], 1.0, [0.0, 0.0]),
            (33.0, [0, 0], 1.0, [0.0, 0.0]),
            (0.0, [0, 0], 2.0, [0.0, 0.0]),
            (0.0, [0, 0], 0.75, [0.0, 0.0]),
            (0.0, [0, 0], 1.0, [20.0, -10.0]),
            (-120.5, [3, 1], 1.3, [-7.5, 12.25]),
            (45.0, [1, 0], 0.5, [0.0, 30.0]),
        ]:
            result = F.affine(pixels, angle, translate, scale, shear, fill=[0.0])
            affines.append({"image": i, "angle": angle, "translate": translate, "scale": scale, "shear": shear, "pixels": packed(result)})
    rotations = [
        {"image": i, "degrees": degrees, "pixels": packed(F.rotate(pixels, degrees, fill=[0.0]))}
        for i, pixels in enumerate(images)
        for degrees in [0, 15, -37.5, 45, 90, -90, 180]
    ]
    spaces = [
        {
            "policy": policy.__name__.lower(),
            "bins": bins,
            "size": list(SIZE),
            "at": at,
            "magnitudes": {
                name: fixture.floats(magnitudes[at].to(torch.float32)) if magnitudes.ndim > 0 else None
                for name, (magnitudes, _) in space(policy, bins).items()
            },
            "signed": [name for name, (_, signed) in space(policy, bins).items() if signed],
        }
        for policy in [RandAugment, TrivialAugmentWide]
        for bins, at in [(31, [0, 1, 9, 14, 15, 16, 29, 30]), (10, list(range(10)))]
    ]
    content = {
        "images": [{"shape": list(pixels.shape), "pixels": packed(pixels)} for pixels in images],
        "operators": operator_cases(images),
        "affines": affines,
        "rotations": rotations,
        "spaces": spaces,
        "draws": draws(),
    }
    fixture.write("transforms", content, "torchvision")


main()
