import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { DatasetSplits, SplitSet } from "../data/imageset.ts";
import { ExitCode, ThawError, UsageError } from "../errors.ts";
import { thawVersion } from "../libtorch/index.ts";
import { wilson95 } from "../metrics/index.ts";
import { makeFolder, writeDurably } from "../platform/durable.ts";
import { removeAbandoned, removeQuietly, temporaryPath } from "../platform/temporary.ts";
import type { WeightsPlaces } from "../run/weights.ts";
import { hitsOf, spread } from "./feed.ts";
import { fileDigest } from "./file-digest.ts";
import type { Graph } from "./graph.ts";
import { halved } from "./half.ts";
import { checkOpset, lower } from "./lower/lower.ts";
import { type ExportMetadata, encodeMetadata } from "./metadata.ts";
import { modelCard } from "./model-card.ts";
import { encodeModel } from "./onnx/encode.ts";
import { checkParity, type Parity, refuseDifference } from "./parity.ts";
import { pictureFront, pixelFront, RESIZE_OPSET, withBatch, withFront } from "./preprocessing.ts";
import { bytesOf } from "./quantize/calibrate.ts";
import { quantizeChecked } from "./quantize/choose.ts";
import { OnnxSession } from "./session.ts";
import { openSubject, type Subject } from "./subject.ts";
import { exportPlace, putInPlace, refuseTarget, restoreExport } from "./target.ts";

export interface ExportOptions {
  /** Folder that is made; default `export` in the run's. */
  readonly to?: string | undefined;
  readonly opset?: number | undefined;
  readonly precision?: ExportMetadata["precision"] | undefined;
  /** Batches of any size; default true, else of one image. */
  readonly dynamicBatch?: boolean | undefined;
  /** The graph takes uint8 pictures of any size, and resizes, crops and normalises them itself; needs opset 18. */
  readonly withPreprocessing?: boolean | undefined;
  /** Points of test accuracy that int8 may lose; default 1. */
  readonly maxDrop?: number | undefined;
  /** What an output may differ by; default a share of the largest one, by precision. */
  readonly maxDifference?: number | undefined;
  /** Images that parity is checked on, at most; default 512. */
  readonly images?: number | undefined;
  readonly overwrite?: boolean | undefined;
  /** Kept in `export.json`: by it a caller knows what it has exported. */
  readonly madeOf?: string | undefined;
  /** Bytes of weights above which they go into a file of their own. */
  readonly largestInside?: number | undefined;
  readonly places?: WeightsPlaces | undefined;
  /** Folder of what is kept between runs; default Thaw's cache. */
  readonly cache?: string | undefined;
  /** Aborted: ends with a StoppedError before the next batch of images, and nothing is left. */
  readonly signal?: AbortSignal | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
}

/** Test accuracy of the fp32 and the int8 file. */
export interface Int8Report {
  readonly before: { readonly accuracy: number; readonly accuracy95: readonly [number, number] };
  readonly after: { readonly accuracy: number; readonly accuracy95: readonly [number, number] };
  readonly images: number;
  /** Points lost. */
  readonly drop: number;
  readonly maxDrop: number;
  readonly float: readonly string[];
  readonly layers: number;
}

/** `export.json`. */
export interface ExportReport {
  readonly run: string;
  readonly model: string;
  readonly opset: number;
  readonly precision: ExportMetadata["precision"];
  readonly takes: ExportMetadata["takes"];
  readonly files: readonly {
    readonly name: string;
    readonly bytes: number;
    readonly sha256: string;
  }[];
  readonly nodes: number;
  /** `leftOut`: images of that split that are missing or have changed. */
  readonly parity: Parity & { readonly split: string; readonly leftOut?: number };
  readonly int8?: Int8Report;
  readonly madeOf?: string;
}

/**
 * Writes a finished run's model as an ONNX file with its card, having asked ONNX Runtime whether it says the same on
 * real images. A file that does not is removed again.
 * @throws ThawError for a run that cannot be exported; with exit code 3 for a file that differs from its model.
 */
export async function exportRun(
  dir: string,
  data: DatasetSplits,
  options: ExportOptions = {},
): Promise<{ readonly folder: string; readonly report: ExportReport }> {
  const { precision = "fp32", opset, overwrite = false, onNote } = options;
  if (opset !== undefined) checkOpset(opset);
  const folder = resolve(options.to ?? join(dir, "export"));
  restoreExport(folder, onNote);
  refuseTarget(folder, overwrite);
  using subject = await openSubject(dir, options.places);
  if (precision !== "fp32" && subject.kind === "classical") {
    throw new UsageError(
      `--${precision === "fp16" ? "half" : precision}: ${subject.metadata.model} is no network`,
      {
        hint: "classical models are exported in fp32",
      },
    );
  }
  const metadata: ExportMetadata = {
    ...subject.metadata,
    takes: takenBy(subject, options),
    precision,
  };
  removeAbandoned(dirname(folder), { of: folder });
  const part = temporaryPath(folder);
  makeFolder(part, exportPlace);
  try {
    const full = graphOf(subject, metadata, opset);
    const { graph: core, int8 } = await inPrecision(full, metadata, data, options);
    const graph = takesImages(core, metadata);
    const batched = options.dynamicBatch === false ? withBatch(graph, 1) : graph;
    const path = writeModel({ part, folder }, batched, metadata, options.largestInside);
    const judged = splitFor(data);
    const parity = await parityOf(path, subject, judged.set, metadata, options);
    const report: ExportReport = {
      run: subject.run.name,
      model: metadata.model,
      opset: graph.opset,
      precision,
      takes: metadata.takes,
      files: [...(await fileOf(part, "model.onnx")), ...(await fileOf(part, "model.onnx.data"))],
      nodes: graph.nodes.length,
      parity: { ...parity, split: judged.name, ...leftOutOf(data, judged.set) },
      ...(int8 && { int8 }),
      ...(options.madeOf !== undefined && { madeOf: options.madeOf }),
    };
    refuseDifference(parity, precision, options.maxDrop);
    if (int8 !== undefined && int8.drop > int8.maxDrop) refuseDrop(int8);
    const card = modelCard(subject.run, metadata, report);
    write({ part, folder }, "README.md", card);
    write({ part, folder }, "export.json", `${JSON.stringify(report, null, 2)}\n`);
    putInPlace(part, folder, { overwrite });
    return { folder, report };
  } catch (error) {
    onNote?.("nothing was written");
    throw error;
  } finally {
    removeQuietly(part);
  }
}

/** What the file is to take. @throws UsageError for resizing in operators that cannot say it. */
function takenBy(
  { metadata: { input } }: Subject,
  { withPreprocessing = false, opset = RESIZE_OPSET, onNote }: ExportOptions,
): ExportMetadata["takes"] {
  if (!withPreprocessing) return "normalised";
  if (opset >= RESIZE_OPSET) return "pictures";
  const { height, width, interpolation } = input;
  if (interpolation !== undefined) {
    throw new UsageError(`--with-preprocessing resizes, which opset ${opset} cannot say`, {
      hint: `ONNX's Resize averages from opset ${RESIZE_OPSET} on: leave --opset out, or --with-preprocessing`,
    });
  }
  onNote?.(`opset ${opset} cannot resize: the file takes images of ${height}×${width} alone`);
  return "pixels";
}

function graphOf(
  subject: Subject,
  { takes, gives }: ExportMetadata,
  opset = takes === "pictures" ? RESIZE_OPSET : undefined,
): Graph {
  return lower(subject.trace(), { opset, output: gives, tail: subject.tail });
}

/** With the preprocessing before it that the file is to have inside. */
function takesImages(graph: Graph, { takes, input }: ExportMetadata): Graph {
  if (takes === "normalised") return graph;
  const front = takes === "pixels" ? pixelFront(input) : pictureFront(input);
  return withFront(graph, front, takes);
}

/** Closes the file again: what is open cannot be renamed everywhere. */
async function parityOf(
  path: string,
  subject: Subject,
  set: SplitSet,
  { precision, takes }: ExportMetadata,
  { images = 512, dynamicBatch, cache, signal, maxDifference, maxDrop }: ExportOptions,
): Promise<Parity> {
  await using session = await OnnxSession.open(path);
  const batchSize = dynamicBatch === false ? 1 : undefined;
  const options = { precision, takes, batchSize, cache, signal, maxDifference, maxDrop };
  return await checkParity(session, subject, spread(set, images), options);
}

async function inPrecision(
  graph: Graph,
  metadata: ExportMetadata,
  data: DatasetSplits,
  { maxDrop = 1, cache, onNote, signal }: ExportOptions,
): Promise<{ graph: Graph; int8?: Int8Report }> {
  if (metadata.precision === "fp32") return { graph };
  if (metadata.precision === "fp16") return { graph: halved(graph) };
  const quantized = await quantizeChecked(graph, {
    calibration: data.train,
    validation: splitFor(data).set,
    metadata,
    maxDrop: maxDrop / 100,
    cache,
    signal,
    onNote,
  });
  const judge = async (of: Graph) => {
    await using session = await OnnxSession.open(bytesOf(of));
    const hits = await hitsOf(session, data.test, metadata, { cache, signal });
    const right = hits.filter(Boolean).length;
    return { accuracy: right / hits.length, accuracy95: wilson95(right, hits.length) };
  };
  const [before, after] = [await judge(graph), await judge(quantized.graph)];
  const drop = 100 * (before.accuracy - after.accuracy);
  const { float, layers } = quantized;
  return {
    graph: quantized.graph,
    int8: { before, after, images: data.test.count, drop, maxDrop, float, layers },
  };
}

/** Validation images where there are some. */
function splitFor({ val, test }: DatasetSplits): { readonly name: string; readonly set: SplitSet } {
  return val.count > 0 ? { name: "validation", set: val } : { name: "test", set: test };
}

/** Where an export is made, and where it goes once it is whole. */
interface Place {
  readonly part: string;
  readonly folder: string;
}

function write({ part, folder }: Place, name: string, content: string | Iterable<Uint8Array>) {
  writeDurably(join(part, name), content, { ...exportPlace, shownAs: join(folder, name) });
}

function leftOutOf({ leftOut = [], val }: DatasetSplits, set: SplitSet): { leftOut?: number } {
  const split = set === val ? "val" : "test";
  const count = leftOut.filter((one) => one.split === split).length;
  return count === 0 ? {} : { leftOut: count };
}

function writeModel(
  place: Place,
  graph: Graph,
  metadata: ExportMetadata,
  largest: number | undefined,
): string {
  const { model, external } = encodeModel(graph, {
    producerVersion: thawVersion(),
    metadata: encodeMetadata(metadata),
    externalName: "model.onnx.data",
    ...(largest !== undefined && { largest }),
  });
  if (external.length > 0) write(place, "model.onnx.data", external);
  write(place, "model.onnx", model);
  return join(place.part, "model.onnx");
}

async function fileOf(folder: string, name: string): Promise<ExportReport["files"][number][]> {
  const path = join(folder, name);
  if (!existsSync(path)) return [];
  return [{ name, bytes: statSync(path).size, sha256: await fileDigest(path) }];
}

function refuseDrop({ drop, maxDrop, before, after }: Int8Report): never {
  const percent = (share: number) => (100 * share).toFixed(2);
  throw new ThawError(
    `int8 loses ${drop.toFixed(2)} points of test accuracy: ${percent(before.accuracy)} to ${percent(after.accuracy)} %`,
    {
      exitCode: ExitCode.gate,
      hint: `--max-drop ${maxDrop} is what may be lost; --half loses next to nothing`,
    },
  );
}
