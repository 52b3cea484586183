"""Writes test/fixtures/timm/mixup.json: what timm's Mixup, mode `batch`, does to a small batch.

    shape, images   the batch [N, C, H, W]; labels; logits [N, classes]
    cases           kind, lambda (after CutMix's correction), box [top, bottom, left, right] of CutMix, smoothing;
                    the mixed images; SoftTargetCrossEntropy of `mixup_target`, and its gradient by the logits
    draws           by mixup and cutmix alpha: share of CutMix, mean and deviation of λ, and for CutMix of the box's
                    top, bottom, left, right, of 100,000 batches of size [H, W]
"""

import numpy as np
import torch
from timm.data import mixup as timm_mixup
from timm.loss import SoftTargetCrossEntropy

import fixture
from formula import formula_uniform

SHAPE = (4, 2, 5, 6)
CLASSES = 5
SIZE = (28, 36)
DRAWS = 100_000


class Drawn(timm_mixup.Mixup):
    """Mixup of one λ."""

    def __init__(self, lam: float, use_cutmix: bool, **options):
        super().__init__(**options)
        self.drawn = (lam, use_cutmix)

    def _params_per_batch(self):
        return self.drawn


def cases(images: torch.Tensor, labels: torch.Tensor, logits: torch.Tensor) -> list[dict]:
    result = []
    original = timm_mixup.rand_bbox
    for kind, lam, smoothing, box in [
        ("mixup", 0.3, 0.0, None),
        ("mixup", 0.85, 0.1, None),
        ("cutmix", 0.6, 0.0, (1, 4, 2, 5)),
        ("cutmix", 0.2, 0.1, (0, 5, 0, 4)),
    ]:
        timm_mixup.rand_bbox = lambda *_, **__: box
        mixup = Drawn(lam, kind == "cutmix", mixup_alpha=1.0, label_smoothing=smoothing, num_classes=CLASSES)
        mixed = images.clone()
        corrected = mixup._mix_batch(mixed)
        target = timm_mixup.mixup_target(labels, CLASSES, corrected, smoothing)
        leaf = logits.clone().requires_grad_()
        loss = SoftTargetCrossEntropy()(leaf, target)
        loss.backward()
        result.append(
            {
                "kind": kind,
                "lambda": corrected,
                "box": box,
                "smoothing": smoothing,
                "images": fixture.floats(mixed),
                "loss": fixture.floats(loss)[0],
                "gradient": fixture.floats(leaf.grad),
            }
        )
    timm_mixup.rand_bbox = original
    return result


def draws() -> list[dict]:
    result = []
    for mixup_alpha, cutmix_alpha in [(0.2, 0.0), (1.0, 0.0), (2.5, 0.0), (0.0, 0.2), (0.0, 1.0), (0.8, 1.0)]:
        np.random.seed(1)
        mixup = timm_mixup.Mixup(mixup_alpha=mixup_alpha, cutmix_alpha=cutmix_alpha)
        lambdas, boxes = [], []
        for _ in range(DRAWS):
            lam, use_cutmix = mixup._params_per_batch()
            if use_cutmix:
                box, lam = timm_mixup.cutmix_bbox_and_lam((3, *SIZE), lam)
                boxes.append(box)
            lambdas.append(lam)
        box = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        result.append(
            {
                "mixup": mixup_alpha,
                "cutmix": cutmix_alpha,
                "size": list(SIZE),
                "share": len(boxes) / DRAWS,
                "mean": fixture.significant(np.mean(lambdas)),
                "std": fixture.significant(np.std(lambdas)),
                **({"box": {"mean": fixture.floats(box.mean(0)), "std": fixture.floats(box.std(0))}} if boxes else {}),
            }
        )
    return result


def main() -> None:
    count = int(np.prod(SHAPE))
    images = torch.from_numpy((2 * formula_uniform(1_000_000, count)).astype(np.float32)).reshape(SHAPE)
    logits = torch.from_numpy((3 * formula_uniform(1_000_002, SHAPE[0] * CLASSES)).astype(np.float32)).reshape(-1, CLASSES)
    labels = torch.tensor([0, 3, 1, 4])
    content = {
        "shape": list(SHAPE),
        "images": fixture.floats(images),
        "labels": labels.tolist(),
        "logits": fixture.floats(logits),
        "cases": cases(images, labels, logits),
        "draws": draws(),
    }
    fixture.write("mixup", content, "timm")


main()
