import { existsSync } from "node:fs";
import { ThawError } from "../errors.ts";
import {
  type Classifier,
  type ComputeChoice,
  createModel,
  parseModelName,
} from "../models/index.ts";
import type { TensorData } from "../models/weights/index.ts";
import { borrowTensorData } from "../models/weights/tensors.ts";
import { withoutInit } from "../nn/index.ts";
import { parseJson } from "../platform/json.ts";
import { Generator, scope } from "../tensor/index.ts";
import { loadModel } from "./checkpoint.ts";
import type { NetworkInput } from "./input.ts";
import { lastEpoch } from "./last-epoch.ts";
import { RunRecord } from "./record.ts";

/** What a model file says of itself: enough to feed it images and to read its answers. */
export interface ModelFile {
  readonly model: Classifier;
  /** Names in the order of the outputs. */
  readonly classes: readonly string[];
  readonly input: NetworkInput;
}

/**
 * The best model of a run, in evaluation mode; the caller disposes it.
 * @throws ThawError where the run has none yet, or the file is damaged.
 */
export function loadBestModel(dir: string, compute: ComputeChoice): ModelFile {
  const { best, name } = new RunRecord(dir);
  if (!existsSync(best)) {
    throw new ThawError(`${name} has no best model yet (${best})`, {
      hint: `its first epoch is not finished: \`thaw train --resume ${name}\``,
    });
  }
  const { tensors, metadata } = loadModel(best);
  const classes = parse<string[]>(best, metadata, "classes");
  const input = parse<ModelFile["input"]>(best, metadata, "input");
  using random = new Generator(0);
  const model = withoutInit(() =>
    createModel(parseModelName(metadata["model"] ?? ""), {
      classes: classes.length,
      inChannels: input.channels,
      imageSize: [input.height, input.width],
      random: { init: random, dropout: random },
    }),
  );
  try {
    fill(model, tensors);
  } catch (error) {
    model[Symbol.dispose]();
    throw error;
  }
  return { model: model.to(compute).eval(), classes, input };
}

/**
 * The model of a run's last epoch ({@link lastEpoch}), in evaluation mode; the caller disposes it.
 * @throws ThawError where the run has no model or no checkpoint that can be read.
 */
export function loadLastModel(dir: string, compute: ComputeChoice): ModelFile {
  const file = loadBestModel(dir, compute);
  try {
    fill(file.model, lastEpoch(dir).tensors);
    return file;
  } catch (error) {
    file.model[Symbol.dispose]();
    throw error;
  }
}

function fill(model: Classifier, tensors: ReadonlyMap<string, TensorData>): void {
  scope(() =>
    model.loadStateDict(new Map([...tensors].map(([key, data]) => [key, borrowTensorData(data)]))),
  );
}

function parse<T>(path: string, metadata: Readonly<Record<string, string>>, key: string): T {
  const text = metadata[key];
  if (text === undefined) {
    throw new ThawError(`${path}: its metadata has no ${key}`, {
      hint: "the file was not written by `thaw train`",
    });
  }
  return parseJson(text) as T;
}
