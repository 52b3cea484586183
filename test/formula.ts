/**
 * Weights, inputs and labels that TypeScript and Python both compute, so that no weights are committed.
 * The twin of test/oracle/formula.py, whose docstring writes the formula down. Equal to it to the last bit.
 */

const INPUT_STREAM = 1_000_000;
const LABEL_STREAM = 1_000_001;

function formulaHash(stream: number, i: number): number {
  let x = Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca77);
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** [count] in [-1, 1): stream `stream` of the formula. */
export function formulaUniform(stream: number, count: number): Float32Array {
  return fill(stream, count, { offset: 0, scale: 1 });
}

interface Range {
  readonly offset: number;
  readonly scale: number;
}

/**
 * A plain loop: networks have tens of millions of weights. The arithmetic is float64 and typed arrays round once on
 * store, as numpy's astype does.
 */
function fill(stream: number, count: number, { offset, scale }: Range): Float32Array {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    values[i] = offset + scale * ((formulaHash(stream, i) >>> 8) / 2 ** 23 - 1);
  }
  return values;
}

function offsetAndScale(name: string, shape: readonly number[]): Range {
  if (name.endsWith("running_mean")) return { offset: 0, scale: 0.1 };
  if (name.endsWith("running_var")) return { offset: 1, scale: 0.2 };
  if (shape.length >= 2) return { offset: 0, scale: Math.sqrt(3 / numel(shape.slice(1))) };
  return { offset: name.endsWith("weight") ? 1 : 0, scale: 0.1 };
}

/**
 * A state dict's tensor in row-major order.
 * `index` counts the floating tensors of the state dict in its order (num_batches_tracked is not counted).
 */
export function formulaTensor(name: string, index: number, shape: readonly number[]): Float32Array {
  return fill(index, numel(shape), offsetAndScale(name, shape));
}

/** In [-2, 2), about what normalized images look like; row-major. */
export function formulaInput(shape: readonly number[]): Float32Array {
  return fill(INPUT_STREAM, numel(shape), { offset: 0, scale: 2 });
}

/** [count] in [0, classes). */
export function formulaLabels(count: number, classes: number): Int32Array {
  return Int32Array.from(
    { length: count },
    (_, i) => (formulaHash(LABEL_STREAM, i) >>> 8) % classes,
  );
}

/** Which 8 elements of a flattened tensor a fixture lists (all of them where there are no more than 8). */
export function sampleIndices(count: number): readonly number[] {
  const length = Math.min(count, 8);
  return Array.from({ length }, (_, k) => (count <= 8 ? k : Math.floor((k * count) / 8)));
}

function numel(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
