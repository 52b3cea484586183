import type { Graph, Node } from "../graph.ts";

/** What is computed in integers: nodes, and the values between them. */
export interface QuantizePlan {
  /** Names of the nodes. */
  readonly nodes: ReadonlySet<string>;
  /** Values that are rounded to 8 bits, in the order in which they are computed. */
  readonly values: readonly string[];
  /** Values that have another's scale: pooling computes nothing. */
  readonly sameAs: ReadonlyMap<string, string>;
}

/** A node whose second input is a constant weight, by its axis of output channels. */
export function weightAxis(graph: Graph, node: Node): number | undefined {
  const weight = graph.initializers.get(node.inputs[1] ?? "");
  if (weight === undefined || weight.type !== "float32" || weight.shape.length < 2)
    return undefined;
  if (node.op === "Conv") return 0;
  if (node.op === "Gemm") return node.attributes["transB"] === undefined ? undefined : 0;
  return node.op === "MatMul" && weight.shape.length === 2 ? 1 : undefined;
}

/** Nodes with weights, which are what can be left in float. */
export function layersOf(graph: Graph): Node[] {
  return graph.nodes.filter((node) => weightAxis(graph, node) !== undefined);
}

/**
 * Layers with weights, sums and pooling in integers; of an activation behind a layer the result is
 * rounded, not its input. What comes out of the graph stays float.
 */
export function planQuantization(graph: Graph, float: ReadonlySet<string>): QuantizePlan {
  const consumers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const input of node.inputs) consumers.set(input, [...(consumers.get(input) ?? []), node]);
  }
  const computed = (name: string): boolean => name !== "" && !graph.initializers.has(name);
  const nodes = new Set<string>();
  const values = new Set<string>();
  const sameAs = new Map<string, string>();
  for (const node of graph.nodes) {
    if (float.has(node.name)) continue;
    const isLayer = weightAxis(graph, node) !== undefined;
    const isSum = node.op === "Add" && node.inputs.every(computed);
    const isPool = node.op === "MaxPool" && values.has(node.inputs[0]!);
    if (!isLayer && !isSum && !isPool) continue;
    nodes.add(node.name);
    for (const input of node.inputs) if (computed(input)) values.add(input);
    const output = node.outputs[0]!;
    const after = consumers.get(output) ?? [];
    const [next] = after;
    const activated = after.length === 1 && next!.op === "Relu" ? next!.outputs[0]! : output;
    if (graph.outputs.has(activated)) continue;
    values.add(activated);
    if (isPool && activated === output) sameAs.set(output, node.inputs[0]!);
  }
  return { nodes, values: [...values], sameAs };
}
