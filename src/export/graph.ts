import { ThawError } from "../errors.ts";

/** Element types of graphs, and their numbers in TensorProto.DataType. */
export const elementTypes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
} as const;
export type ElementType = keyof typeof elementTypes;

/** Of a size that grows with the batch: so many rows for each image. */
export interface BatchDim {
  readonly perImage: number;
}
export type Dim = number | BatchDim;
export type Shape = readonly Dim[];

export type Attribute =
  | { readonly kind: "int" | "float"; readonly value: number }
  | { readonly kind: "ints" | "floats"; readonly value: readonly number[] }
  | { readonly kind: "string"; readonly value: string };

export const int = (value: number): Attribute => ({ kind: "int", value });
export const float = (value: number): Attribute => ({ kind: "float", value });
export const ints = (value: readonly number[]): Attribute => ({ kind: "ints", value });
export const string = (value: string): Attribute => ({ kind: "string", value });

export interface Node {
  readonly op: string;
  readonly name: string;
  /** Names of values; "" for an optional one that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface Initializer {
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** Row-major, little-endian. */
  readonly bytes: Uint8Array;
}

/** Of any size, whatever the batch: an end of the graph alone has such. */
export interface FreeDim {
  readonly name: string;
}

export interface ValueInfo {
  readonly type: ElementType;
  readonly shape: readonly (Dim | FreeDim)[];
}

/** An ONNX graph in the order in which it is computed. */
export interface Graph {
  readonly opset: number;
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<string, Initializer>;
  readonly inputs: ReadonlyMap<string, ValueInfo>;
  readonly outputs: ReadonlyMap<string, ValueInfo>;
}

export const OPSETS = { oldest: 14, usual: 17, newest: 21 } as const;

/** Makes a graph node by node. Names are unique, and begin with the module that a node is computed in. */
export class GraphBuilder {
  readonly opset: number;
  /** Path of the module that is being written, as `layer1.0.conv1`. */
  module = "";
  readonly #nodes: Node[] = [];
  readonly #initializers = new Map<string, Initializer>();
  readonly #small = new Map<string, string>();
  readonly #names = new Set<string>();

  constructor(opset: number) {
    this.opset = opset;
  }

  /** For nodes that another graph is to have as well: none of its names is given again. */
  static beside({ opset, nodes, initializers, inputs, outputs }: Graph): GraphBuilder {
    const graph = new GraphBuilder(opset);
    const taken = nodes.flatMap((node) => [node.name, ...node.outputs]);
    for (const name of [...taken, ...initializers.keys(), ...inputs.keys(), ...outputs.keys()]) {
      graph.#names.add(name);
    }
    return graph;
  }

  /** A name that nothing has yet: `wanted`, or with a number behind it. */
  unique(wanted: string): string {
    let name = wanted;
    for (let i = 1; this.#names.has(name); i++) name = `${wanted}_${i}`;
    this.#names.add(name);
    return name;
  }

  /** One node of one output, whose name is given back. */
  add(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    return this.#add(op, inputs, attributes, 1)[0]!;
  }

  /** One node of two outputs. */
  addPair(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
  ): readonly [string, string] {
    return this.#add(op, inputs, attributes, 2) as [string, string];
  }

  #add(op: string, inputs: readonly string[], attributes: Node["attributes"], count: number) {
    const path = this.module.replaceAll(".", "/");
    const name = this.unique(`/${path === "" ? "" : `${path}/`}${op}`);
    const outputs = Array.from({ length: count }, () => this.unique(`${name}_output`));
    this.#nodes.push({ op, name, inputs, outputs, attributes });
    return outputs;
  }

  /** A constant under a name of its own. */
  initializer(wanted: string, value: Initializer): string {
    const name = this.unique(wanted);
    this.#initializers.set(name, value);
    return name;
  }

  floats(values: ArrayLike<number>, shape: readonly number[] = [values.length]): string {
    return this.#constant("float32", Float32Array.from(values), shape);
  }

  /** A float of no dimensions. */
  scalar(value: number): string {
    return this.floats([value], []);
  }

  int64s(values: readonly number[], shape: readonly number[] = [values.length]): string {
    return this.#constant("int64", BigInt64Array.from(values, BigInt), shape);
  }

  /** Small constants are one where they are equal. */
  #constant(type: ElementType, values: NodeJS.TypedArray, shape: readonly number[]): string {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const key =
      bytes.length > 1024 ? undefined : `${type}[${shape}]${Buffer.from(bytes).toString("hex")}`;
    const known = key === undefined ? undefined : this.#small.get(key);
    if (known !== undefined) return known;
    const name = this.initializer("constant", { type, shape, bytes });
    if (key !== undefined) this.#small.set(key, name);
    return name;
  }

  /** Calls a node's output otherwise; a name that was taken for it is given. */
  rename(from: string, to: string): void {
    const other = (name: string): string => (name === from ? to : name);
    for (const [i, node] of this.#nodes.entries()) {
      const [inputs, outputs] = [node.inputs.map(other), node.outputs.map(other)];
      this.#nodes[i] = { ...node, inputs, outputs };
    }
  }

  finish(inputs: ReadonlyMap<string, ValueInfo>, outputs: ReadonlyMap<string, ValueInfo>): Graph {
    return withoutDead({
      opset: this.opset,
      nodes: this.#nodes,
      initializers: this.#initializers,
      inputs,
      outputs,
    });
  }
}

/** The same graph without nodes and constants that no output needs. */
export function withoutDead(graph: Graph): Graph {
  const needed = new Set(graph.outputs.keys());
  const nodes: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    nodes.unshift(node);
    for (const name of node.inputs) needed.add(name);
  }
  const initializers = new Map([...graph.initializers].filter(([name]) => needed.has(name)));
  const missing = [...graph.outputs.keys()].find(
    (name) => !nodes.some(({ outputs }) => outputs.includes(name)),
  );
  if (missing !== undefined) throw new ThawError(`the graph computes no ${missing}`);
  return { ...graph, nodes, initializers };
}
