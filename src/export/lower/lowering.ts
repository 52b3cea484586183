import { ThawError } from "../../errors.ts";
import {
  type Dim,
  type ElementType,
  elementTypes,
  type GraphBuilder,
  int,
  ints,
  type Shape,
} from "../graph.ts";
import type { Fixed, Operand, TracedCall, Value } from "../trace/symbolic.ts";

/** One operator's ONNX form: adds nodes, and gives the names of the results. */
export type Lowering = (call: CallArguments, graph: GraphBuilder) => string | readonly string[];
/** By the operator's name, as `add.Tensor`. */
export type Lowerings = Readonly<Record<string, Lowering>>;

/** Where the values of a trace are in the graph. */
export interface Values {
  readonly names: Map<number, string>;
  readonly constants: Map<Fixed["tensor"], string>;
  /** int64 [1], the size of the batch; made when it is first needed. */
  batch?: string;
  readonly input: string;
}

/** A call's arguments as a lowering reads them, by position in the operator's schema. */
export class CallArguments {
  readonly call: TracedCall;
  readonly #graph: GraphBuilder;
  readonly #values: Values;

  constructor(call: TracedCall, graph: GraphBuilder, values: Values) {
    this.call = call;
    this.#graph = graph;
    this.#values = values;
  }

  given(i: number): boolean {
    return this.call.args[i] !== undefined && this.call.args[i] !== null;
  }

  operand(i: number): Operand {
    const arg = this.call.args[i];
    if (!isOperand(arg)) throw this.refuse(`argument ${i} is no tensor`);
    return arg;
  }

  /** The value's name in the graph. */
  tensor(i: number): string {
    return nameOf(this.operand(i), this.#graph, this.#values);
  }

  tensors(i: number): readonly string[] {
    const list = this.call.args[i] as readonly Operand[];
    return list.map((operand) => nameOf(operand, this.#graph, this.#values));
  }

  shape(i: number): Shape {
    return this.operand(i).shape;
  }

  /** A constant that does not grow with the batch. */
  constant(i: number): Fixed["tensor"] | undefined {
    const arg = this.call.args[i];
    if (!isOperand(arg) || arg.kind !== "fixed") return undefined;
    return arg.shape.every((dim) => typeof dim === "number") ? arg.tensor : undefined;
  }

  get result(): Value {
    return this.call.results[0]!;
  }

  number(i: number, otherwise: number): number {
    const value = this.call.args[i];
    return value === undefined || value === null ? otherwise : Number(value);
  }

  flag(i: number, otherwise: boolean): boolean {
    const value = this.call.args[i];
    return value === undefined || value === null ? otherwise : Boolean(value);
  }

  numbers(i: number): readonly number[] | undefined {
    const value = this.call.args[i];
    if (value === undefined || value === null) return undefined;
    return (Array.isArray(value) ? value : [value]).map(Number);
  }

  /** Two numbers, of one or of two. */
  pair(i: number, otherwise: number): readonly [number, number] {
    const [first = otherwise, second = first] = this.numbers(i) ?? [];
    return [first, second];
  }

  /** A dimension of argument `of`, counted from the front. */
  axis(i: number, of: number, otherwise = 0): number {
    const axis = this.number(i, otherwise);
    return axis < 0 ? axis + this.shape(of).length : axis;
  }

  /** Dimensions of the first argument, counted from the front. */
  axes(i: number): readonly number[] {
    const rank = this.shape(0).length;
    return (this.numbers(i) ?? []).map((axis) => (axis < 0 ? axis + rank : axis));
  }

  refuse(why: string): ThawError {
    return refusal(this.call, why);
  }
}

/** An operator of one tensor. */
export const unary =
  (op: string): Lowering =>
  (call, graph) =>
    graph.add(op, [call.tensor(0)]);

export function refusal({ op, module }: TracedCall, why: string): ThawError {
  return new ThawError(
    `${module || "the model"}: the operator ${op} has no ONNX form here: ${why}`,
    {
      hint: "src/export/lower/ has one file for each family of operators",
    },
  );
}

export function isOperand(value: unknown): value is Operand {
  return typeof value === "object" && value !== null && "kind" in value && "shape" in value;
}

function nameOf(operand: Operand, graph: GraphBuilder, values: Values): string {
  if (operand.kind === "value") {
    const name = values.names.get(operand.id);
    if (name === undefined)
      throw new ThawError(`value ${operand.id} of the trace was not computed`);
    return name;
  }
  const { tensor, shape } = operand;
  let name = values.constants.get(tensor);
  if (name === undefined) {
    const { key, bytes, dtype } = tensor;
    name = graph.initializer(key ?? "constant", {
      type: elementTypeOf(dtype),
      shape: tensor.shape,
      bytes,
    });
    values.constants.set(tensor, name);
  }
  return shape.every((dim) => typeof dim === "number")
    ? name
    : repeated(name, tensor.shape, graph, values);
}

/** A constant [rows, …] repeated for each image: [N · rows, …]. */
function repeated(
  name: string,
  shape: readonly number[],
  graph: GraphBuilder,
  values: Values,
): string {
  values.batch ??= graph.add("Gather", [graph.add("Shape", [values.input]), graph.int64s([0])], {
    axis: int(0),
  });
  const stacked = graph.add("Unsqueeze", [name, graph.int64s([0])]);
  const whole = graph.add("Concat", [values.batch, graph.int64s(shape)], { axis: int(0) });
  return graph.add("Reshape", [
    graph.add("Expand", [stacked, whole]),
    graph.int64s([-1, ...shape.slice(1)]),
  ]);
}

export function elementTypeOf(dtype: string): ElementType {
  if (Object.hasOwn(elementTypes, dtype)) return dtype as ElementType;
  throw new ThawError(`tensors of ${dtype} have no place in an ONNX file`);
}

/** Brings a value to a shape of which one dimension at most grows with the batch. */
export function reshapeTo(graph: GraphBuilder, name: string, shape: Shape): string | undefined {
  if (shape.filter((dim) => typeof dim !== "number").length > 1) return undefined;
  const target = shape.map((dim) => (typeof dim === "number" ? dim : -1));
  return graph.add("Reshape", [name, graph.int64s(target)]);
}

export function permuted(graph: GraphBuilder, name: string, order: readonly number[]): string {
  return order.every((axis, i) => axis === i)
    ? name
    : graph.add("Transpose", [name], { perm: ints(order) });
}

/** ReduceMean, whose axes are an input from opset 18 on. */
export function mean(
  graph: GraphBuilder,
  name: string,
  axes: readonly number[],
  keep: boolean,
): string {
  const keepdims = int(keep ? 1 : 0);
  return graph.opset >= 18
    ? graph.add("ReduceMean", [name, graph.int64s(axes)], { keepdims })
    : graph.add("ReduceMean", [name], { axes: ints(axes), keepdims });
}

export function sameShape(a: Shape, b: Shape): boolean {
  const key = (dim: Dim) => (typeof dim === "number" ? String(dim) : `n${dim.perImage}`);
  return a.length === b.length && a.every((dim, i) => key(dim) === key(b[i]!));
}
