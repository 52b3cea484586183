import { ThawError } from "../../errors.ts";
import { type Graph, GraphBuilder, OPSETS, type ValueInfo } from "../graph.ts";
import type { Trace, TracedCall } from "../trace/symbolic.ts";
import { activation } from "./activation.ts";
import { arithmetic } from "./arithmetic.ts";
import { convolution } from "./convolution.ts";
import { linear } from "./linear.ts";
import {
  CallArguments,
  elementTypeOf,
  isOperand,
  type Lowerings,
  refusal,
  type Values,
} from "./lowering.ts";
import { normalisation } from "./normalisation.ts";
import { shape } from "./shape.ts";

/** Every operator that has an ONNX form; a new one is a line in its family's file. */
const lowerings: Lowerings = {
  ...activation,
  ...arithmetic,
  ...convolution,
  ...linear,
  ...normalisation,
  ...shape,
};

export interface LowerOptions {
  readonly opset?: number | undefined;
  /** Names of the graph's ends. */
  readonly input?: string;
  readonly output?: string;
  /** What comes behind the trace's output: gives its name, and its last dimension. */
  readonly tail?: Tail | undefined;
}

export interface Tail {
  readonly size: number;
  build(graph: GraphBuilder, name: string): string;
}

/** Operators → ONNX nodes. @throws ThawError that names an operator without ONNX form, and its module. */
export function lower(trace: Trace, options: LowerOptions = {}): Graph {
  const { opset = OPSETS.usual, input = "images", output = "logits" } = options;
  checkOpset(opset);
  const graph = new GraphBuilder(opset);
  graph.unique(input);
  graph.unique(output);
  const values: Values = { names: new Map([[trace.input.id, input]]), constants: new Map(), input };
  for (const call of neededCalls(trace)) {
    graph.module = call.module;
    const lowering = Object.hasOwn(lowerings, call.op) ? lowerings[call.op] : undefined;
    if (lowering === undefined) throw refusal(call, "nobody has written it");
    const made = lowering(new CallArguments(call, graph, values), graph);
    for (const [i, name] of [made].flat().entries()) {
      const result = call.results[i];
      if (result !== undefined) values.names.set(result.id, name);
    }
  }
  graph.module = "";
  const traced = values.names.get(trace.output.id);
  if (traced === undefined) throw new ThawError("the graph computes no output");
  const { tail } = options;
  const last = tail === undefined ? traced : tail.build(graph, traced);
  const shapeOut =
    tail === undefined ? trace.output.shape : [...trace.output.shape.slice(0, -1), tail.size];
  const ends = (name: string, { dtype, shape }: Trace["input"]): Map<string, ValueInfo> =>
    new Map([[name, { type: elementTypeOf(dtype), shape }]]);
  graph.rename(last, output);
  return graph.finish(ends(input, trace.input), ends(output, { ...trace.output, shape: shapeOut }));
}

/** Without those whose results nothing becomes of, as a check that features are finite. */
function neededCalls({ calls, output }: Trace): TracedCall[] {
  const needed = new Set([output.id]);
  const kept: TracedCall[] = [];
  for (const call of [...calls].reverse()) {
    if (!call.results.some(({ id }) => needed.has(id))) continue;
    kept.unshift(call);
    for (const operand of call.args.flat().filter(isOperand)) {
      if (operand.kind === "value") needed.add(operand.id);
    }
  }
  return kept;
}

export function checkOpset(opset: number): void {
  if (Number.isInteger(opset) && opset >= OPSETS.oldest && opset <= OPSETS.newest) return;
  throw new ThawError(`opset ${opset}: ${OPSETS.oldest} to ${OPSETS.newest} are written`);
}
