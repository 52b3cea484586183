import { ops, scope, Tensor } from "../tensor/index.ts";
import { elementTypes, type Graph, type Initializer, int, type Node } from "./graph.ts";

/** The same graph in float16: half the file. Images and answers stay float32. */
export function halved(graph: Graph): Graph {
  const initializers = new Map(
    [...graph.initializers].map(([name, value]) => [
      name,
      value.type === "float32" ? toHalf(value) : value,
    ]),
  );
  const renamed = new Map<string, string>();
  const casts = (ends: Graph["inputs"], form: (name: string, inside: string) => Node): Node[] =>
    [...ends].flatMap(([name, { type }]) => {
      if (type !== "float32") return [];
      renamed.set(name, `${name}_half`);
      return [form(name, `${name}_half`)];
    });
  const first = casts(graph.inputs, (name, inside) => cast(name, inside, "float16"));
  const last = casts(graph.outputs, (name, inside) => cast(inside, name, "float32"));
  const other = (name: string): string => renamed.get(name) ?? name;
  const nodes = graph.nodes.map((node) => ({
    ...node,
    attributes: node.op === "Cast" ? inHalf(node.attributes) : node.attributes,
    inputs: node.inputs.map(other),
    outputs: node.outputs.map(other),
  }));
  return { ...graph, initializers, nodes: [...first, ...nodes, ...last] };
}

function cast(from: string, to: string, type: "float16" | "float32"): Node {
  const attributes = { to: int(elementTypes[type]) };
  return { op: "Cast", name: `/${to}/Cast`, inputs: [from], outputs: [to], attributes };
}

/** A cast to float32 inside the graph is one to float16. */
function inHalf(attributes: Node["attributes"]): Node["attributes"] {
  const { to } = attributes;
  const isFull = to?.kind === "int" && to.value === elementTypes.float32;
  return isFull ? { ...attributes, to: int(elementTypes.float16) } : attributes;
}

function toHalf({ shape, bytes }: Initializer): Initializer {
  return scope(() => {
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    const half = ops.toDtype(Tensor.borrow(values, [values.length]), "float16");
    return { type: "float16", shape, bytes: half.toBytes() };
  });
}
