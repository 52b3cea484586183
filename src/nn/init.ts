import { type Generator, noGrad, ops, type Tensor } from "../tensor/index.ts";

let skipping = false;

/**
 * Modules built by `body` keep their weights unset: for a model that is about to be filled from a file, or whose shapes
 * alone are asked for. Drawing the numbers of a large network takes longer than reading them.
 */
export function withoutInit<T>(body: () => T): T {
  const outer = skipping;
  skipping = true;
  try {
    return body();
  } finally {
    skipping = outer;
  }
}

/** Changes a tensor outside autograd, unless initialisation is left out. */
function initialise(change: () => void): void {
  if (!skipping) noGrad(change);
}

/** Inputs and outputs that one weight element touches: [out, in, ...kernel] (torch.nn.init). */
function fans(shape: readonly number[]): { fanIn: number; fanOut: number } {
  const [out = 1, input = 1, ...kernel] = shape;
  const field = kernel.reduce((product, size) => product * size, 1);
  return { fanIn: input * field, fanOut: out * field };
}

/** U(-√(6/((1+a²)·fanIn)), +…), the default of Linear and Conv2d with a = √5. (He et al. 2015, eq. 10) */
export function kaimingUniform_(weight: Tensor, random: Generator, options = { a: 0 }): void {
  const gain = Math.sqrt(2 / (1 + options.a ** 2));
  const bound = Math.sqrt(3) * (gain / Math.sqrt(fans(weight.shape).fanIn));
  initialise(() => void ops.uniform_(weight, { from: -bound, to: bound, generator: random }));
}

/** N(0, 2/fan) for layers followed by ReLU. (He et al. 2015, eq. 10) */
export function kaimingNormal_(
  weight: Tensor,
  random: Generator,
  options: { mode: "fanIn" | "fanOut" },
): void {
  const std = Math.sqrt(2) / Math.sqrt(fans(weight.shape)[options.mode]);
  initialise(() => void ops.normal_(weight, { mean: 0, std, generator: random }));
}

/** U(-1/√fanIn, +1/√fanIn): PyTorch's default for the bias of Linear and Conv2d. */
export function biasUniform_(bias: Tensor, weight: Tensor, random: Generator): void {
  const bound = 1 / Math.sqrt(fans(weight.shape).fanIn);
  initialise(() => void ops.uniform_(bias, { from: -bound, to: bound, generator: random }));
}

/**
 * N(0, std²) clamped to ±2, for `std` up to 0.2: there no normal number reaches ±2, and nothing needs to be cut off. The
 * distribution of timm's `trunc_normal_`, which inverts the error function, a tenth as fast; so its values are others,
 * but they take as many of the generator's numbers where the elements are a multiple of 16.
 */
export function truncatedNormal_(
  weight: Tensor,
  random: Generator,
  options: { std: number },
): void {
  initialise(() => {
    ops.normal_(weight, { mean: 0, std: options.std, generator: random });
    ops.clamp_(weight, { min: -2, max: 2 });
  });
}

export function normal_(weight: Tensor, random: Generator, options: { std: number }): void {
  initialise(() => void ops.normal_(weight, { mean: 0, std: options.std, generator: random }));
}

export function uniform_(
  weight: Tensor,
  random: Generator,
  { from, to }: { readonly from: number; readonly to: number },
): void {
  initialise(() => void ops.uniform_(weight, { from, to, generator: random }));
}

export function constant_(tensor: Tensor, value: number): void {
  initialise(() => void ops.fill_Scalar(tensor, value));
}
