import { ops, scope, type Tensor } from "../tensor/index.ts";
import { checked } from "./checked.ts";

export interface GradScalerOptions {
  /** 65,536. */
  readonly scale?: number;
  /** What the scale is multiplied by after so many steps of finite gradients in a row; 2 and 2,000. */
  readonly growthFactor?: number;
  readonly growthInterval?: number;
  /** What it is multiplied by after a step whose gradients were not finite; 0.5. */
  readonly backoffFactor?: number;
}

export interface GradScalerState {
  readonly scale: number;
  /** Steps of finite gradients since the scale last changed. */
  readonly growthTracker: number;
}

/**
 * The scale of an fp16 loss, whose small gradients would else underflow: as large as they bear, which
 * shows when they overflow and a step is left out. torch's `cuda.amp.GradScaler`. (Micikevicius et al.
 * 2018, Mixed precision training, §3.2)
 */
export class GradScaler {
  readonly #growthFactor: number;
  readonly #growthInterval: number;
  readonly #backoffFactor: number;
  #scale: number;
  #growthTracker = 0;

  constructor(options: GradScalerOptions = {}) {
    this.#scale = checked("the loss scale", options.scale ?? 65536, { above: 0 });
    this.#growthFactor = checked("the growth factor", options.growthFactor ?? 2, { above: 1 });
    this.#growthInterval = checked("the growth interval", options.growthInterval ?? 2000, {
      atLeast: 1,
    });
    this.#backoffFactor = checked("the backoff factor", options.backoffFactor ?? 0.5, {
      above: 0,
      below: 1,
    });
  }

  /** What the loss is multiplied by. */
  get scale(): number {
    return this.#scale;
  }

  /** After every step: did its gradients overflow, so that it was left out? */
  update(overflowed: boolean): void {
    if (overflowed) {
      this.#scale = Math.fround(this.#scale * this.#backoffFactor);
      this.#growthTracker = 0;
      return;
    }
    this.#growthTracker++;
    if (this.#growthTracker < this.#growthInterval) return;
    const grown = Math.fround(this.#scale * this.#growthFactor);
    if (Number.isFinite(grown)) this.#scale = grown;
    this.#growthTracker = 0;
  }

  state(): GradScalerState {
    return { scale: this.#scale, growthTracker: this.#growthTracker };
  }

  load({ scale, growthTracker }: GradScalerState): void {
    this.#scale = scale;
    this.#growthTracker = growthTracker;
  }
}

/** Divides the gradients by the scale, in place. True where one of them is not finite. */
export function unscaleGradients(parameters: readonly Tensor[], scale: number): boolean {
  return scope(() => {
    const gradients = parameters.flatMap((parameter) => parameter.grad ?? []);
    if (gradients.length === 0) return false;
    ops.foreachMul_Scalar(gradients, 1 / scale);
    // Of an infinite order: a sum of squares may overflow where no gradient does.
    const largest = ops.foreachNormScalar(gradients, { ord: Number.POSITIVE_INFINITY });
    return !Number.isFinite(ops.max(ops.stack(largest)).item());
  });
}
