import type { SplitSet } from "../../data/imageset.ts";
import { arrayOf, batchesOf, hitsOf, spread } from "../feed.ts";
import type { Graph } from "../graph.ts";
import type { ExportMetadata } from "../metadata.ts";
import { OnnxSession, type OrtArray } from "../session.ts";
import { bytesOf, calibrate, type Range } from "./calibrate.ts";
import { layersOf, planQuantization } from "./plan.ts";
import { quantize } from "./quantize.ts";

export interface QuantizeOptions {
  /** Images whose values fix the scales. */
  readonly calibration: SplitSet;
  /** Images whose accuracy tells whether layers have to stay in float. */
  readonly validation: SplitSet;
  readonly metadata: Pick<ExportMetadata, "input" | "classes">;
  /** Share of right answers that may be lost. */
  readonly maxDrop: number;
  readonly cache?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
}

export interface Quantized {
  readonly graph: Graph;
  /** Layers in float, the most sensitive first. */
  readonly float: readonly string[];
  /** Layers in all. */
  readonly layers: number;
}

const CALIBRATION_IMAGES = 128;
const VALIDATION_IMAGES = 512;
const SENSITIVITY_IMAGES = 8;

/**
 * Quantizes all layers, and where validation images then lose too much, leaves the most sensitive ones in float: one,
 * then twice as many, until the loss is half of what may be lost, as a test set may say more than validation does.
 */
export async function quantizeChecked(graph: Graph, options: QuantizeOptions): Promise<Quantized> {
  const { calibration, metadata, cache, signal, validation, maxDrop, onNote } = options;
  const layers = layersOf(graph);
  const judged = spread(validation, VALIDATION_IMAGES);
  const all = planQuantization(graph, new Set());
  const { input } = metadata;
  const images = CALIBRATION_IMAGES;
  const ranges = await calibrate(graph, all.values, calibration, { input, images, cache, signal });
  const without = (float: readonly string[]): Graph =>
    quantize(graph, planQuantization(graph, new Set(float)), ranges);
  const accuracy = async (of: Graph): Promise<number> => {
    await using session = await OnnxSession.open(bytesOf(of));
    const hits = await hitsOf(session, judged, metadata, { cache, signal });
    return hits.filter(Boolean).length / hits.length;
  };
  const before = await accuracy(graph);
  let float: readonly string[] = [];
  let best = without(float);
  let ranking: readonly string[] | undefined;
  while (before - (await accuracy(best)) > maxDrop / 2 && float.length < layers.length) {
    ranking ??= await bySensitivity(graph, ranges, options);
    const count = Math.min(layers.length, Math.max(1, 2 * float.length));
    float = ranking.slice(0, count);
    onNote?.(
      `int8 loses too much on validation images: ${count} of ${layers.length} layers stay in float`,
    );
    best = without(float);
  }
  return { graph: best, float, layers: layers.length };
}

/** Layers by how much the answers change where that layer alone is quantized, the largest change first. */
async function bySensitivity(
  graph: Graph,
  ranges: ReadonlyMap<string, Range>,
  { calibration, metadata: { input }, cache, signal }: QuantizeOptions,
): Promise<readonly string[]> {
  const batches: OrtArray[] = [];
  const set = spread(calibration, SENSITIVITY_IMAGES);
  for await (const { images } of batchesOf(set, input, { cache, signal }))
    batches.push(arrayOf(images));
  const answers = async (of: Graph): Promise<Float32Array[]> => {
    await using session = await OnnxSession.open(bytesOf(of));
    const said: Float32Array[] = [];
    for (const batch of batches) said.push((await session.first(batch)).data as Float32Array);
    return said;
  };
  const plain = await answers(graph);
  const names = layersOf(graph).map(({ name }) => name);
  const changes = new Map<string, number>();
  for (const name of names) {
    // Sums and pooling too: what is measured is this layer.
    const float = new Set(graph.nodes.map((node) => node.name).filter((other) => other !== name));
    const said = await answers(quantize(graph, planQuantization(graph, float), ranges));
    const change = said.reduce(
      (sum, values, b) => sum + values.reduce((part, v, i) => part + (v - plain[b]![i]!) ** 2, 0),
      0,
    );
    changes.set(name, change);
  }
  return names.sort((a, b) => changes.get(b)! - changes.get(a)!);
}
