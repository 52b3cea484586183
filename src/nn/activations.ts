import { ops, type Tensor } from "../tensor/index.ts";
import { isBFloat16OnCpu } from "./bfloat16.ts";
import { Module } from "./module.ts";

export class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return ops.relu(x);
  }
}

/** x·Φ(x), by the error function unless `tanh` asks for the approximation. (Hendrycks & Gimpel 2016) */
export class GELU extends Module {
  readonly approximate: "none" | "tanh";

  constructor(options: { approximate?: "none" | "tanh" } = {}) {
    super();
    this.approximate = options.approximate ?? "none";
  }

  forward(x: Tensor): Tensor {
    // One pass over memory forward and one backward; of other inputs libtorch's kernels are as fast.
    if (this.approximate === "none" && isBFloat16OnCpu(x)) return ops.fusedGelu(x);
    return ops.gelu(x, { approximate: this.approximate });
  }
}

/** x·σ(x). (Elfwing et al. 2018) */
export class SiLU extends Module {
  forward(x: Tensor): Tensor {
    return ops.silu(x);
  }
}

export class Sigmoid extends Module {
  forward(x: Tensor): Tensor {
    return ops.sigmoid(x);
  }
}

/** x·ReLU6(x+3)/6. (Howard et al. 2019, §5.2) */
export class Hardswish extends Module {
  forward(x: Tensor): Tensor {
    return ops.hardswish(x);
  }
}
