import { ThawError, UsageError } from "../errors.ts";
import { ops, scope, type Tensor, unscoped } from "../tensor/index.ts";

/** Labels as positions in `classes`. */
export interface EncodedLabels {
  /** The labels there are, ascending. */
  readonly classes: Int32Array;
  /** [n] */
  readonly codes: Int32Array;
}

/**
 * @throws ThawError where features are no matrix of floating-point numbers, or one of them is NaN or infinite: the first
 * place is named.
 */
export function checkFeatures(name: string, x: Tensor, features?: number): void {
  if (x.shape.length !== 2 || !(x.dtype === "float32" || x.dtype === "float64")) {
    throw new ThawError(
      `${name}: features are to be [n, d] of float32 or float64, and are ${x.dtype} [${x.shape.join(", ")}]`,
    );
  }
  if (x.size(0) === 0 || x.size(1) === 0) {
    throw new ThawError(`${name}: there are no features: [${x.shape.join(", ")}]`);
  }
  if (features !== undefined && x.size(1) !== features) {
    throw new ThawError(`${name}: ${x.size(1)} features a row, and it was fitted on ${features}`, {
      hint: "give it features that were made in the same way as those it was fitted on",
    });
  }
  const at = scope(() => {
    // One pass and no temporary: a sum that is finite has only finite terms.
    if (Number.isFinite(ops.sum(x).item())) return undefined;
    const bad = ops.logicalNot(ops.isfinite(x));
    const place = ops.argmax(ops.toDtype(ops.flatten(bad), "uint8")).item();
    return ops.any(bad).item() ? place : undefined;
  });
  if (at === undefined) return;
  const [row, column] = [Math.floor(at / x.size(1)), at % x.size(1)];
  const value = scope(() => ops.select(ops.select(x, 0, row), 0, column).item());
  throw new ThawError(`${name}: feature ${column} of row ${row} is ${value}`, {
    hint: "leave such rows out, or give them a value",
  });
}

/** @throws ThawError where there are not as many labels as rows, a label is no whole number, or all are the same. */
export function encodeLabels(name: string, x: Tensor, y: ArrayLike<number>): EncodedLabels {
  if (y.length !== x.size(0)) {
    throw new ThawError(`${name}: ${y.length} labels for ${x.size(0)} rows of features`);
  }
  const classes = distinct(name, y);
  if (classes.length < 2) {
    throw new ThawError(`${name}: every label is ${classes[0]}: there is nothing to tell apart`, {
      hint: "give it rows of at least two classes",
    });
  }
  const code = new Map([...classes].map((label, i) => [label, i]));
  return { classes, codes: Int32Array.from(y, (label) => code.get(label)!) };
}

/** The labels there are, ascending. */
export function distinct(name: string, y: ArrayLike<number>): Int32Array {
  const seen = new Set<number>();
  for (let i = 0; i < y.length; i++) {
    const label = y[i]!;
    if (!Number.isInteger(label)) {
      throw new ThawError(`${name}: label ${label} of row ${i} is no whole number`);
    }
    seen.add(label);
  }
  return Int32Array.from(seen).sort();
}

/** A parameter that is to be above 0. @throws UsageError */
export function checkPositive(name: string, params: Readonly<Record<string, number>>): void {
  for (const [key, value] of Object.entries(params)) {
    if (value > 0) continue;
    throw new UsageError(`${name}: ${key} is ${value}, and is to be above 0`);
  }
}

/** What was learnt. @throws ThawError before `fit`. */
export function fitted<T>(name: string, state: T | undefined): T {
  if (state !== undefined) return state;
  throw new ThawError(`${name} is not fitted yet`, { hint: "call fit first" });
}

/** A copy that no scope frees: it is its owner's to dispose. */
export function owned(tensor: Tensor): Tensor {
  return unscoped(() => ops.clone(tensor, { memoryFormat: "contiguous" }));
}

/** Says that a solver stopped before its minimum, as scikit-learn does. */
export function warnNotConverged(text: string): void {
  process.emitWarning(text, "ConvergenceWarning");
}
