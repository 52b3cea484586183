import { type Graph, type Initializer, int, type Node, withoutDead } from "../graph.ts";
import type { Range } from "./calibrate.ts";
import { type QuantizePlan, weightAxis } from "./plan.ts";

interface Scale {
  readonly scale: number;
  readonly zero: number;
}

/**
 * Static quantization as QuantizeLinear and DequantizeLinear around what a plan names, which runtimes turn into integer
 * kernels: activations uint8, weights int8 with a scale for each output channel, biases int32. (Jacob et al. 2018, §2)
 */
export function quantize(
  graph: Graph,
  plan: QuantizePlan,
  ranges: ReadonlyMap<string, Range>,
): Graph {
  const writer = new QdqWriter(graph, plan, ranges);
  for (const name of graph.inputs.keys()) writer.roundIfPlanned(name);
  for (const node of graph.nodes) writer.write(node);
  return withoutDead(writer.finish());
}

/** uint8 that has 0 exactly. */
export function activationScale({ min, max }: Range): Scale {
  const [low, high] = [Math.min(0, min), Math.max(0, max)];
  const scale = Math.fround(high === low ? 1 : (high - low) / 255);
  return { scale, zero: Math.max(0, Math.min(255, Math.round(-low / scale))) };
}

class QdqWriter {
  readonly #graph: Graph;
  readonly #plan: QuantizePlan;
  readonly #ranges: ReadonlyMap<string, Range>;
  readonly #planned: ReadonlySet<string>;
  readonly #nodes: Node[] = [];
  readonly #initializers: Map<string, Initializer>;
  readonly #rounded = new Map<string, string>();

  constructor(graph: Graph, plan: QuantizePlan, ranges: ReadonlyMap<string, Range>) {
    this.#graph = graph;
    this.#plan = plan;
    this.#ranges = ranges;
    this.#planned = new Set(plan.values);
    this.#initializers = new Map(graph.initializers);
  }

  write(node: Node): void {
    const inputs = node.inputs.map((name) => this.#rounded.get(name) ?? name);
    this.#nodes.push({
      ...node,
      inputs: this.#plan.nodes.has(node.name) ? this.#withWeights(node, inputs) : inputs,
    });
    for (const name of node.outputs) this.roundIfPlanned(name);
  }

  roundIfPlanned(name: string): void {
    if (!this.#planned.has(name)) return;
    const { scale, zero } = this.#scaleOf(name);
    const parameters = [
      this.#put(`${name}_scale`, "float32", Float32Array.of(scale), []),
      this.#put(`${name}_zero`, "uint8", Uint8Array.of(zero), []),
    ];
    const [quantized, rounded] = [`${name}_quantized`, `${name}_rounded`];
    this.#node("QuantizeLinear", [name, ...parameters], quantized);
    this.#node("DequantizeLinear", [quantized, ...parameters], rounded);
    this.#rounded.set(name, rounded);
  }

  finish(): Graph {
    return { ...this.#graph, nodes: this.#nodes, initializers: this.#initializers };
  }

  #scaleOf(name: string): Scale {
    const source = this.#plan.sameAs.get(name);
    return source === undefined ? activationScale(this.#ranges.get(name)!) : this.#scaleOf(source);
  }

  #withWeights(node: Node, inputs: readonly string[]): readonly string[] {
    const axis = weightAxis(this.#graph, node);
    if (axis === undefined) return inputs;
    const [x, weight, bias] = node.inputs;
    const own = this.#initializers.get(weight!)!;
    const channels = own.shape[axis]!;
    const { values, scales } = quantizeWeights(floatsOf(own), own.shape, axis);
    const scale = this.#put(`${weight}_scale`, "float32", scales, [channels]);
    const zeros = this.#put(`${weight}_zero`, "int8", new Int8Array(channels), [channels]);
    const whole = this.#put(`${weight}_int8`, "int8", values, own.shape);
    const result = [inputs[0]!, this.#dequantized([whole, scale, zeros], axis)];
    if (bias === undefined || bias === "") return result;
    // By the node: of two layers with one bias each has a scale of its own.
    const biasName = `${node.name}_bias`;
    const input = this.#scaleOf(x!).scale;
    const steps = scales.map((s) => s * input);
    const rounded = Int32Array.from(floatsOf(this.#initializers.get(bias)!), (value, c) =>
      Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.round(value / steps[c]!))),
    );
    const at = [
      this.#put(`${biasName}_int32`, "int32", rounded, [channels]),
      this.#put(`${biasName}_scale`, "float32", steps, [channels]),
      this.#put(`${biasName}_zero`, "int32", new Int32Array(channels), [channels]),
    ];
    return [...result, this.#dequantized(at, 0)];
  }

  #dequantized(inputs: readonly string[], axis: number): string {
    const output = `${inputs[0]}_rounded`;
    if (!this.#nodes.some(({ outputs }) => outputs[0] === output)) {
      this.#node("DequantizeLinear", inputs, output, { axis: int(axis) });
    }
    return output;
  }

  #node(
    op: string,
    inputs: readonly string[],
    output: string,
    attributes: Node["attributes"] = {},
  ): void {
    this.#nodes.push({ op, name: `/${output}/${op}`, inputs, outputs: [output], attributes });
  }

  #put(
    name: string,
    type: Initializer["type"],
    values: NodeJS.TypedArray,
    shape: readonly number[],
  ): string {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.#initializers.set(name, { type, shape, bytes });
    return name;
  }
}

/** Symmetric int8, with the largest of each channel at ±127. */
export function quantizeWeights(
  weights: Float32Array,
  shape: readonly number[],
  axis: number,
): { readonly values: Int8Array; readonly scales: Float32Array } {
  const channels = shape[axis]!;
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const channelOf = (i: number): number => Math.floor(i / inner) % channels;
  const largest = new Float32Array(channels);
  for (let i = 0; i < weights.length; i++) {
    const c = channelOf(i);
    largest[c] = Math.max(largest[c]!, Math.abs(weights[i]!));
  }
  const scales = largest.map((value) => (value === 0 ? 1 : value / 127));
  const values = new Int8Array(weights.length);
  for (let i = 0; i < weights.length; i++) {
    values[i] = Math.round(weights[i]! / scales[channelOf(i)]!);
  }
  return { values, scales };
}

function floatsOf({ bytes }: Initializer): Float32Array {
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}
