import { ThawError } from "../../errors.ts";
import type { Module } from "../../nn/index.ts";
import { ops, scope, type Tensor } from "../../tensor/index.ts";
import type { Dim, Shape } from "../graph.ts";
import { type Constant, type RecordedCall, recordForward, type Traced } from "./record.ts";

/** Two sizes of batch: what differs between them grows with the batch. Not 1, which broadcasts. */
const BATCHES = [2, 3] as const;

/** A value that depends on the input. */
export interface Value {
  readonly kind: "value";
  readonly id: number;
  readonly shape: Shape;
  readonly dtype: string;
}

/** A constant; one whose shape grows with the batch is `tensor`, [1, …], repeated for each image. */
export interface Fixed {
  readonly kind: "fixed";
  readonly tensor: Constant;
  readonly shape: Shape;
}

export type Operand = Value | Fixed;

export interface TracedCall {
  readonly op: string;
  readonly module: string;
  readonly args: readonly unknown[];
  readonly results: readonly Value[];
}

/** A forward pass as operators, for a batch of any size. */
export interface Trace {
  readonly calls: readonly TracedCall[];
  readonly input: Value;
  readonly output: Value;
}

/**
 * Records `forward` for images [N, ...input] of every N.
 * @throws ThawError where it is computed otherwise for another batch, naming the module.
 */
export function traceForward(
  model: Module | undefined,
  forward: (x: Tensor) => Tensor,
  input: readonly number[],
): Trace {
  const [two, three] = BATCHES.map((batch) =>
    scope(() => recordForward(model, forward, ops.zeros([batch, ...input]))),
  ) as [ReturnType<typeof recordForward>, ReturnType<typeof recordForward>];
  const calls = two.calls.map((call, i) => {
    const other = three.calls[i];
    if (other === undefined || other.op !== call.op) throw varies(call);
    return mergeCall(call, other);
  });
  if (three.calls.length !== calls.length) throw varies(three.calls[calls.length]!);
  return {
    calls,
    input: mergeOperand(two.input, three.input, two.calls[0]!) as Value,
    output: mergeOperand(two.output, three.output, two.calls.at(-1)!) as Value,
  };
}

function mergeCall(a: RecordedCall, b: RecordedCall): TracedCall {
  const args = a.args.map((arg, i) => {
    const other = b.args[i];
    if (isTraced(arg)) return mergeOperand(arg, other as Traced, a);
    if (Array.isArray(arg) && arg.some(isTraced)) {
      return arg.map((item, j) => mergeOperand(item, (other as Traced[])[j]!, a));
    }
    return arg;
  });
  const results = a.results.map((result, i) => mergeOperand(result, b.results[i]!, a) as Value);
  return { op: a.op, module: a.module, args, results };
}

function isTraced(value: unknown): value is Traced {
  return typeof value === "object" && value !== null && "kind" in value && "dtype" in value;
}

function mergeOperand(a: Traced, b: Traced, call: RecordedCall): Operand {
  const shape = mergeShapes(a.shape, b.shape, call);
  if (a.kind === "computed") return { kind: "value", id: a.id, shape, dtype: a.dtype };
  if (b.kind === "computed") throw varies(call);
  return { kind: "fixed", tensor: forOneImage(a, shape, call), shape };
}

function mergeShapes(a: readonly number[], b: readonly number[], call: RecordedCall): Shape {
  if (a.length !== b.length) throw varies(call);
  const [two, three] = BATCHES;
  return a.map((size, i): Dim => {
    if (size === b[i]) return size;
    const perImage = size / two;
    if (perImage * three !== b[i] || !Number.isInteger(perImage)) throw varies(call);
    return { perImage };
  });
}

/** What of a constant is one image's share, where every image has the same. */
function forOneImage(constant: Constant, shape: Shape, call: RecordedCall): Constant {
  const growing = shape.findIndex((dim) => typeof dim !== "number");
  if (growing < 0) return constant;
  const half = constant.bytes.length / BATCHES[0];
  const [first, second] = [constant.bytes.subarray(0, half), constant.bytes.subarray(half)];
  if (
    shape.findLastIndex((dim) => typeof dim !== "number") !== 0 ||
    Buffer.compare(first, second) !== 0
  ) {
    throw varies(call);
  }
  const [rows, ...rest] = shape as [{ perImage: number }, ...number[]];
  return { ...constant, key: undefined, shape: [rows.perImage, ...rest], bytes: first };
}

function varies({ op, module }: RecordedCall): ThawError {
  return new ThawError(
    `${module || "the model"}: ${op} is computed otherwise for batches of another size`,
    { hint: "such a forward pass has no ONNX form for batches of any size" },
  );
}
