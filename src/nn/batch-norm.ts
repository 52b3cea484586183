import { ThawError } from "../errors.ts";
import { noGrad, ops, scope, type Tensor, unscoped } from "../tensor/index.ts";
import type { Conv2d } from "./conv2d.ts";
import { Buffer, lasting, Module, Parameter } from "./module.ts";

/** A batch norm in training was given one value per channel, of which there is no variance. */
export class OneValueError extends ThawError {}

/**
 * Normalises each channel of [N, C, H, W]: by the batch's statistics in training, which also move
 * the running ones, and by the running ones in evaluation. (Ioffe & Szegedy 2015, alg. 1) In training every forward
 * pass throws a OneValueError, as PyTorch a ValueError, where a channel has one value: N, H and W are 1.
 */
export class BatchNorm2d extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly running_mean: Buffer;
  readonly running_var: Buffer;
  readonly num_batches_tracked: Buffer;
  readonly eps: number;
  readonly momentum: number;
  #folded = false;

  constructor(channels: number, options: { eps?: number; momentum?: number } = {}) {
    super();
    this.eps = options.eps ?? 1e-5;
    this.momentum = options.momentum ?? 0.1;
    this.weight = lasting(() => new Parameter(ops.ones([channels])));
    this.bias = lasting(() => new Parameter(ops.zeros([channels])));
    this.running_mean = lasting(() => new Buffer(ops.zeros([channels])));
    this.running_var = lasting(() => new Buffer(ops.ones([channels])));
    this.num_batches_tracked = lasting(() => new Buffer(ops.zeros([], { dtype: "int64" })));
  }

  /**
   * The same, plus `residual` of the input's shape, then ReLU: on the CPU one operator with fewer passes over memory in
   * training. Where it is folded, its input is written to.
   */
  forwardRelu(x: Tensor, residual?: Tensor): Tensor {
    if (this.#isIdentity()) {
      return ops.relu_(residual === undefined ? x : ops.add_(x, residual));
    }
    if (this.training) this.#count(x);
    const { weight, bias, running_mean, running_var, training, momentum, eps } = this;
    const statistics = [running_mean, running_var] as const;
    return ops.batchNormRelu(x, weight, bias, ...statistics, training, momentum, eps, { residual });
  }

  /**
   * The same, then ReLU, then 2×2 max pooling with stride 2: on the CPU one operator with a fraction of
   * the passes over memory in training.
   */
  forwardReluMaxPool(x: Tensor): Tensor {
    if (this.#isIdentity()) return ops.relu(ops.maxPool2d(x, 2));
    if (this.training) this.#count(x);
    const { weight, bias, running_mean, running_var, training, momentum, eps } = this;
    return ops.batchNormReluMaxPool(
      x,
      weight,
      bias,
      running_mean,
      running_var,
      training,
      momentum,
      eps,
    );
  }

  forward(x: Tensor): Tensor {
    if (this.#isIdentity()) return x;
    if (this.training) this.#count(x);
    return ops.batchNorm(x, this.training, this.momentum, this.eps, true, {
      weight: this.weight,
      bias: this.bias,
      runningMean: this.running_mean,
      runningVar: this.running_var,
    });
  }

  /** Puts the running statistics into the convolution before it; from then on its input is its output. */
  foldInto(conv: Conv2d): void {
    noGrad(() =>
      scope(() => {
        const deviation = ops.sqrt(ops.add_Scalar(ops.clone(this.running_var), this.eps));
        const scale = ops.div(this.weight, deviation);
        const before = conv.bias === null ? ops.zerosLike(scale) : conv.bias;
        const shift = ops.mul(ops.sub(before, this.running_mean), scale);
        const perFilter = ops.view(scale, [-1, 1, 1, 1]);
        conv.weight.replace(unscoped(() => ops.mul(conv.weight, perFilter)));
        const bias = unscoped(() => ops.add(this.bias, shift));
        if (conv.bias === null) conv.bias = lasting(() => new Parameter(bias));
        else conv.bias.replace(bias);
      }),
    );
    this.#folded = true;
  }

  /** Does the convolution before it do its work? */
  get isFolded(): boolean {
    return this.#folded;
  }

  /** A batch of training. The running variance is of n − 1 values: one would make it infinite. */
  #count(x: Tensor): void {
    if (x.size(0) === 1 && x.elements === x.size(1)) {
      throw new OneValueError(
        `a batch norm needs more than one value per channel in training, and its input is [${x.shape.join(", ")}]`,
        { hint: "use larger batches or larger images, or put it into evaluation mode" },
      );
    }
    ops.add_Scalar(this.num_batches_tracked, 1);
  }

  #isIdentity(): boolean {
    if (this.#folded && this.training) {
      throw new Error("a BatchNorm2d that was folded into its convolution cannot be trained");
    }
    return this.#folded;
  }
}
