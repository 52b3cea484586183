import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { KNeighborsClassifier } from "../classical/index.ts";
import { ThawError } from "../errors.ts";
import { type Classifier, type ComputeChoice, embedInParts, freeze } from "../models/index.ts";
import { isClassicalModel } from "../run/classical-config.ts";
import { type ClassicalModelFile, loadClassical } from "../run/classical-model.ts";
import { evaluationIn } from "../run/evaluation.ts";
import { openBackbone } from "../run/features.ts";
import type { NetworkInput } from "../run/input.ts";
import { loadBestModel } from "../run/load-model.ts";
import { type Run, readRun } from "../run/read.ts";
import { RunRecord } from "../run/record.ts";
import type { WeightsPlaces } from "../run/weights.ts";
import { inference, ops, scope, type Tensor } from "../tensor/index.ts";
import { knnTail } from "./knn.ts";
import { licenceOf } from "./licence.ts";
import type { Tail } from "./lower/lower.ts";
import type { ExportMetadata } from "./metadata.ts";
import { type Trace, traceForward } from "./trace/symbolic.ts";

/** A finished run's model, ready to be written and to be compared with what was written. */
export interface Subject extends Disposable {
  readonly run: Run;
  readonly kind: "network" | "classical";
  readonly metadata: Omit<ExportMetadata, "takes" | "precision">;
  /** Normalised images [N, C, H, W] → logits or probabilities [N, classes], in fp32. */
  answer(images: Tensor): Float32Array;
  trace(): Trace;
  readonly tail?: Tail | undefined;
}

/** Exactly what the file is to say. */
const plain: ComputeChoice = {
  device: "cpu",
  precision: "fp32",
  autocast: null,
  memoryFormat: "channels_last",
  reason: "as the file computes",
};

/**
 * Opens a run to export or to ask. The caller disposes it.
 * @throws ThawError for a run that is not finished, or whose model is missing or damaged.
 */
export async function openSubject(dir: string, places: WeightsPlaces = {}): Promise<Subject> {
  const run = readRun(dir);
  const { status } = run.summary ?? { status: "not begun" };
  if (evaluationIn(run.config) !== undefined) {
    throw new ThawError(
      `${run.name} is an evaluation of several models: there is no one to export`,
      {
        hint: "export one of its members",
      },
    );
  }
  if (status !== "finished") {
    throw new ThawError(`${run.name} is not finished: it is ${status}`, {
      hint: `go on with it first: \`thaw train --resume ${run.name}\``,
    });
  }
  const { best } = new RunRecord(dir);
  if (!existsSync(best)) {
    throw new ThawError(`${run.name} is damaged: its model is missing (${best})`, {
      hint: "train it again, or bring the file back",
    });
  }
  return isClassicalModel(run.config["model"])
    ? classical(run, loadClassical(best), places)
    : network(run);
}

function network(run: Run): Subject {
  const { model, classes, input } = loadBestModel(run.dir, plain);
  const { channels, height, width } = input;
  freeze(model, [channels, height, width], plain);
  return {
    run,
    kind: "network",
    metadata: { ...common(run), classes: [...classes], input, gives: "logits" },
    answer: answerOf(model),
    trace: () => traceForward(model, (x) => model.forward(x), [channels, height, width]),
    [Symbol.dispose]: () => model[Symbol.dispose](),
  };
}

/** A frozen network's logits. */
export function answerOf(model: Classifier): Subject["answer"] {
  const embed = embedInParts(model);
  return (images) =>
    inference(() => scope(() => model.head.forward(embed(images)).toArray("float32")));
}

async function classical(
  run: Run,
  { pipeline, classes, features, input: shape }: ClassicalModelFile,
  places: WeightsPlaces,
): Promise<Subject> {
  const backbone =
    features === "pixels"
      ? undefined
      : await openBackbone(features, shape, {
          compute: plain,
          places: { out: join(run.dir, ".."), ...places },
        });
  const each = (value: number) => Array.from({ length: shape.channels }, () => value);
  const input: NetworkInput = backbone?.input ?? { ...shape, mean: each(0), std: each(1) };
  const { channels, height, width } = input;
  const { model } = backbone ?? {};
  if (model !== undefined) freeze(model, [channels, height, width], plain);
  const featuresOf = (images: Tensor): Tensor =>
    model === undefined ? ops.flatten(images, { startDim: 1 }) : model.embed(images);
  const embed = model && embedInParts(model);
  const classifier = pipeline.steps.classifier[1];
  const isKnn = classifier instanceof KNeighborsClassifier;
  const forward = (images: Tensor): Tensor => {
    const given = featuresOf(images);
    return isKnn ? pipeline.transform(given) : pipeline.confidence(given);
  };
  return {
    run,
    kind: "classical",
    metadata: { ...common(run), classes: classes.slice(), input, gives: "probabilities" },
    answer: (images) =>
      inference(() =>
        scope(() => {
          const seen = embed === undefined ? featuresOf(images) : embed(images);
          const said = pipeline.confidence(seen);
          return ops.toDtype(said, "float32").toArray("float32");
        }),
      ),
    trace: () => traceForward(model as Classifier | undefined, forward, [channels, height, width]),
    tail: isKnn ? scope(() => knnTail(classifier)) : undefined,
    [Symbol.dispose]() {
      pipeline[Symbol.dispose]();
      model?.[Symbol.dispose]();
    },
  };
}

function common(run: Run): Pick<ExportMetadata, "model" | "run" | "data" | "licence"> {
  const { name, config, summary } = run;
  return {
    model: String(config["model"]),
    run: name,
    // What is published tells of no folder of this machine: its last part alone, should a record have one.
    data: basename(summary?.dataset ?? String(config["data"])),
    licence: licenceOf(run),
  };
}
