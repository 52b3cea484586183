import { describe, expect, it } from "vitest";
import { GraphBuilder, int, ints, type ValueInfo } from "../graph.ts";
import { OnnxSession } from "../session.ts";
import { bytesOf } from "./calibrate.ts";
import { layersOf, planQuantization } from "./plan.ts";
import { activationScale, quantize, quantizeWeights } from "./quantize.ts";

describe("scales", () => {
  it("of activations have 0 exactly, and the whole range in 8 bits", () => {
    expect(activationScale({ min: 0, max: 2.55 })).toEqual({ scale: Math.fround(0.01), zero: 0 });
    expect(activationScale({ min: -1, max: 1.55 })).toEqual({
      scale: Math.fround(0.01),
      zero: 100,
    });
    // What is above 0 everywhere still has 0.
    expect(activationScale({ min: 1, max: 2.55 }).zero).toBe(0);
    expect(activationScale({ min: -2.55, max: -1 }).zero).toBe(255);
    expect(activationScale({ min: 0, max: 0 })).toEqual({ scale: 1, zero: 0 });
  });

  it("of weights have the largest of each channel at 127", () => {
    const weights = Float32Array.of(1, -2, 0.5, 100, 50, -25);
    const byRow = quantizeWeights(weights, [2, 3], 0);
    expect([...byRow.values]).toEqual([64, -127, 32, 127, 64, -32]);
    expect([...byRow.scales]).toEqual([2 / 127, 100 / 127].map(Math.fround));
    const byColumn = quantizeWeights(weights, [2, 3], 1);
    expect([...byColumn.values]).toEqual([1, -5, 3, 127, 127, -127]);
    // A channel of zeros divides by nothing.
    expect([...quantizeWeights(new Float32Array(2), [2, 1], 0).values]).toEqual([0, 0]);
  });
});

/** conv → relu → conv, a sum with the first, a head. */
function small() {
  const graph = new GraphBuilder(17);
  const weights = (n: number, shape: number[]) =>
    graph.floats(
      Float32Array.from({ length: n }, (_, i) => Math.sin(7 * i + n)),
      shape,
    );
  const conv = (x: string) =>
    graph.add("Conv", [x, weights(144, [4, 4, 3, 3]), weights(4, [4])], {
      kernel_shape: ints([3, 3]),
      pads: ints([1, 1, 1, 1]),
    });
  const first = graph.add("Relu", [conv("images")]);
  const sum = graph.add("Add", [conv(first), first]);
  const flat = graph.add("Flatten", [sum]);
  const head = graph.add("Gemm", [flat, weights(192, [3, 64]), weights(3, [3])], {
    transB: int(1),
  });
  const end = (shape: ValueInfo["shape"]) => ({ type: "float32", shape }) as const;
  const inputs = new Map([["images", end([{ perImage: 1 }, 4, 4, 4])]]);
  return graph.finish(inputs, new Map([[head, end([{ perImage: 1 }, 3])]]));
}

describe("a quantized graph", () => {
  const graph = small();
  const images = Float32Array.from({ length: 2 * 64 }, (_, i) => Math.cos(i));
  const run = async (of: typeof graph): Promise<number[]> => {
    await using session = await OnnxSession.open(bytesOf(of));
    return Array.from((await session.first({ data: images, shape: [2, 4, 4, 4] })).data);
  };
  const planned = (float: readonly string[]) => planQuantization(graph, new Set(float));
  const inRanges = (float: readonly string[] = []) => {
    const plan = planned(float);
    const range = (name: string) =>
      name === "images" ? { min: -1, max: 1 } : { min: -16, max: 16 };
    return quantize(graph, plan, new Map(plan.values.map((name) => [name, range(name)])));
  };

  it("rounds layers and sums, the result of an activation, and not what comes out", () => {
    const { values } = planned([]);
    expect(values[0]).toBe("images");
    expect(values).toContain("/Relu_output");
    expect(values).not.toContain("/Conv_output");
    expect(values).not.toContain([...graph.outputs.keys()][0]);
    const counts = (op: string) => inRanges().nodes.filter((node) => node.op === op).length;
    expect([counts("QuantizeLinear"), values.length]).toEqual([5, 5]);
    // Each of them, two weights, of which the convolutions share one, and a bias for each of three scales.
    expect(counts("DequantizeLinear")).toBe(10);
  });

  it("says nearly the same", async () => {
    const [plain, rounded] = [await run(graph), await run(inRanges())];
    const scale = Math.max(...plain.map(Math.abs));
    for (const [i, value] of plain.entries())
      expect(Math.abs(value - rounded[i]!) / scale).toBeLessThan(0.05);
    expect(rounded).not.toEqual(plain);
  });

  it("has the very layers in float that are named", async () => {
    const layers = layersOf(graph).map(({ name }) => name);
    expect(layers).toHaveLength(3);
    const part = inRanges(layers.slice(0, 2));
    const weights = part.nodes.filter(({ op }) => op === "Conv").map(({ inputs }) => inputs[1]);
    expect(weights.every((name) => !name!.includes("int8"))).toBe(true);
    const all = inRanges(graph.nodes.map(({ name }) => name));
    expect(all.nodes).toEqual(graph.nodes);
    expect(await run(all)).toEqual(await run(graph));
  });
});
