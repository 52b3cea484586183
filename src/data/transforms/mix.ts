import { ops, scope, type Tensor } from "../../tensor/index.ts";
import { beta, seedStream } from "../random.ts";
import type { Crop } from "./crops.ts";

/** timm's `Mixup` in its mode `batch`; an alpha of 0 is off. Plain data, so that it can be sent to a worker. */
export interface Mix {
  /** λ of MixUp is Beta(alpha, alpha). (Zhang et al. 2018) */
  readonly mixup: number;
  /** λ of CutMix before its box is cut at the image's border. (Yun et al. 2019) */
  readonly cutmix: number;
}

/** How a batch is mixed with itself in reverse order. */
export interface DrawnMix {
  /** Share of an image's own label; its partner has the rest. */
  readonly lambda: number;
  /** CutMix: what is taken from the partner. MixUp: absent. */
  readonly box?: Crop;
}

/** Which batch: the draws depend on nothing else. */
export interface BatchPlace {
  readonly seed: number;
  readonly epoch: number;
  readonly index: number;
}

/** MixUp or CutMix of one batch; where both are on, either with probability 0.5. */
export function drawMix(
  { mixup, cutmix }: Mix,
  { seed, epoch, index }: BatchPlace,
  [height, width]: readonly [height: number, width: number],
): DrawnMix {
  const random = seedStream(seed, `mix/${epoch}/${index}`);
  const cuts = mixup > 0 && cutmix > 0 ? random.uniform() < 0.5 : cutmix > 0;
  const lambda = beta(cuts ? cutmix : mixup, random);
  if (!cuts) return { lambda };
  const cut = Math.sqrt(1 - lambda);
  const half = [Math.trunc(height * cut) >> 1, Math.trunc(width * cut) >> 1] as const;
  const [y, x] = [random.int(0, height), random.int(0, width)];
  const [top, bottom] = [Math.max(0, y - half[0]), Math.min(height, y + half[0])];
  const [left, right] = [Math.max(0, x - half[1]), Math.min(width, x + half[1])];
  const box = { top, left, height: bottom - top, width: right - left };
  return { lambda: 1 - (box.height * box.width) / (height * width), box };
}

/** Mixes a batch [N, C, H, W] with itself in reverse order, in place. */
export function mixImages(images: Tensor, { lambda, box }: DrawnMix): void {
  scope(() => {
    if (box === undefined) {
      const partners = ops.mul_Scalar(ops.flip(images, [0]), 1 - lambda);
      ops.add_(ops.mul_Scalar(images, lambda), partners);
      return;
    }
    if (box.height === 0 || box.width === 0) return;
    const rows = ops.narrow(images, 2, box.top, box.height);
    const part = ops.narrow(rows, 3, box.left, box.width);
    ops.copy_(part, ops.flip(part, [0]));
  });
}
