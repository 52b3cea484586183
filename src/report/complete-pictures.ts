import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import type { DatasetSplits } from "../data/imageset.ts";
import { ThawError } from "../errors.ts";
import { readSafetensorsHeader } from "../models/weights/safetensors.ts";
import {
  type ClassicalConfig,
  isClassicalModel,
  loadClassicalConfig,
} from "../run/classical-config.ts";
import type { TrainConfig } from "../run/config.ts";
import { loadConfig } from "../run/config-load.ts";
import { evaluationIn } from "../run/evaluation.ts";
import type { ImageShape } from "../run/input.ts";
import { readJudgements } from "../run/judgements.ts";
import { type Run, readRun } from "../run/read.ts";
import { RunRecord } from "../run/record.ts";
import { readSplit } from "../run/split-file.ts";
import { writeMisclassified } from "./draw-images.ts";
import { writePlot } from "./plots/render.ts";
import { runPlots } from "./run-plots.ts";

export interface CompleteOptions {
  /** Opens a run's data; only asked where a picture shows images. */
  readonly openData: (config: TrainConfig | ClassicalConfig, dir: string) => Promise<DatasetSplits>;
  readonly onNote?: ((text: string) => void) | undefined;
}

/**
 * Draws those pictures that a finished run should have and has not, because its process was killed after the last result was
 * written. Pictures that are there stay as they are. Returns the files.
 */
export async function completePictures(
  dir: string,
  { openData, onNote }: CompleteOptions,
): Promise<string[]> {
  const run = readRun(dir);
  if (run.summary?.status !== "finished") return [];
  const files: string[] = [];
  for (const { file, draw } of runPlots) {
    if (isDrawn(dir, file)) continue;
    const plot = draw(run);
    if (plot !== undefined) files.push(...(await writePlot(plot, join(dir, file))));
  }
  if (!isDrawn(dir, "misclassified") && isMistaken(run)) {
    try {
      files.push(...(await drawMistakes(run, openData)));
    } catch (error) {
      if (!(error instanceof ThawError)) throw error;
      onNote?.(`${run.name}: misclassified.png is missing and cannot be drawn: ${error.message}`);
    }
  }
  const drawn = files.filter((path) => path.endsWith(".png")).map((path) => basename(path));
  if (drawn.length > 0) {
    onNote?.(`${run.name}: pictures missing since an interruption were drawn: ${drawn.join(", ")}`);
  }
  return files;
}

function isDrawn(dir: string, file: string): boolean {
  return [".svg", ".png"].every((extension) => existsSync(join(dir, `${file}${extension}`)));
}

function isMistaken({ dir, summary }: Run): boolean {
  const said = readJudgements(dir, summary?.classes ?? []);
  return said?.labels.some((label, i) => label !== said.predicted[i]) ?? false;
}

async function drawMistakes(run: Run, openData: CompleteOptions["openData"]): Promise<string[]> {
  // What judges other runs has neither a model nor data of its own.
  const source = evaluationIn(run.config)?.members[0] ?? run.dir;
  const { config } = readRun(source);
  const file = join(source, "config.json");
  const data = await openData(
    isClassicalModel(config["model"]) ? loadClassicalConfig(file) : loadConfig(file),
    source,
  );
  const { fingerprint } =
    readSplit(source) ?? ((run.environment["dataset"] ?? {}) as { fingerprint?: string });
  if (fingerprint !== data.fingerprint) {
    throw new ThawError("the data is not what the run was trained on: its fingerprint differs");
  }
  const { best } = new RunRecord(source);
  const input = JSON.parse(readSafetensorsHeader(best).metadata["input"] ?? "null") as ImageShape;
  const names = await writeMisclassified(run.dir, run.name, data.test, input);
  return names.map((name) => join(run.dir, name));
}
