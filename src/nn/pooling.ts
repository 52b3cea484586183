import { ops, type Tensor } from "../tensor/index.ts";
import { Module } from "./module.ts";

interface WindowOptions {
  /** Defaults to the kernel's size. */
  readonly stride?: number;
  readonly padding?: number;
}

export class MaxPool2d extends Module {
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;

  constructor(kernelSize: number, options: WindowOptions = {}) {
    super();
    this.kernelSize = kernelSize;
    this.stride = options.stride ?? kernelSize;
    this.padding = options.padding ?? 0;
  }

  forward(x: Tensor): Tensor {
    return ops.maxPool2d(x, this.kernelSize, { stride: this.stride, padding: this.padding });
  }
}

export class AvgPool2d extends Module {
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;

  constructor(kernelSize: number, options: WindowOptions = {}) {
    super();
    this.kernelSize = kernelSize;
    this.stride = options.stride ?? kernelSize;
    this.padding = options.padding ?? 0;
  }

  forward(x: Tensor): Tensor {
    return ops.avgPool2d(x, this.kernelSize, { stride: this.stride, padding: this.padding });
  }
}

/** [N, C, H, W] → [N, C]: the mean over all positions. */
export class GlobalAvgPool extends Module {
  forward(x: Tensor): Tensor {
    return ops.meanDim(x, { dim: [2, 3] });
  }
}

/** [N, ...] → [N, product of the rest]. */
export class Flatten extends Module {
  forward(x: Tensor): Tensor {
    return ops.flatten(x, { startDim: 1 });
  }
}
