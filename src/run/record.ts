import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { RecordedSplit } from "../data/recorded.ts";
import { ThawError, UsageError } from "../errors.ts";
import { appendLine, makeFolder, writeDurably } from "../platform/durable.ts";
import { writeError } from "../platform/system-error.ts";
import { isTemporary, removeAbandoned, temporaryPath } from "../platform/temporary.ts";
import { truncateLines } from "./lines.ts";
import {
  removePictures,
  resultFiles,
  type TestPredictions,
  type TestResult,
  writeResults,
} from "./results.ts";
import { runPlace } from "./run-place.ts";
import { writeSplit } from "./split-file.ts";
import {
  type EpochLine,
  epochLineSchema,
  type StepLine,
  type Summary,
  summarySchema,
  type TimingLine,
} from "./summary.ts";

/** The folder `runs/<name>/` as its writer sees it. `read.ts` is for readers. */
export class RunRecord {
  readonly dir: string;
  readonly name: string;
  /** Folder of the checkpoints. */
  readonly checkpoints: string;
  /** The best model, a plain model file. */
  readonly best: string;

  /** @internal Use createRun or resumeRun. */
  constructor(dir: string) {
    this.dir = resolve(dir);
    this.name = basename(this.dir);
    this.checkpoints = join(this.dir, "checkpoints");
    this.best = join(this.checkpoints, "best.safetensors");
  }

  path(file: string): string {
    return join(this.dir, file);
  }

  /**
   * Appends an epoch's line; it is on the disk when this returns. Call it before the epoch's checkpoint is written: then
   * a kill between the two leaves a line too many, which `rewind` removes, and never one too few.
   */
  appendEpoch(line: EpochLine): void {
    const checked = epochLineSchema.safeParse(line);
    if (!checked.success) {
      const { path, message } = checked.error.issues[0]!;
      throw new ThawError(`epoch ${line.epoch}: ${path.join(".")} cannot be recorded: ${message}`);
    }
    appendLine(this.path("metrics.jsonl"), JSON.stringify(line), { sync: true, ...runPlace });
  }

  /** Appends a step's line, not yet durably: a kill of the machine may lose the last ones. */
  appendStep(line: StepLine): void {
    appendLine(this.path("steps.jsonl"), JSON.stringify(line), { sync: false, ...runPlace });
  }

  appendTiming(line: TimingLine): void {
    appendLine(this.path("timings.jsonl"), JSON.stringify(line), { sync: true, ...runPlace });
  }

  /**
   * Cuts metrics, steps and timings back to a checkpoint (`epoch` finished epochs, `step` optimizer steps): what came
   * after it is trained again, and no line stands twice. Returns the epochs that stay.
   * @throws ThawError where the metrics of an epoch before the checkpoint are missing.
   */
  rewind(to: { readonly epoch: number; readonly step: number }): EpochLine[] {
    const path = this.path("metrics.jsonl");
    let next = 1;
    const epochs = truncateLines(path, (value) => {
      const line = epochLineSchema.safeParse(value);
      return line.success && line.data.epoch === next++ && line.data.epoch <= to.epoch;
    }) as EpochLine[];
    if (epochs.length !== to.epoch) {
      throw new ThawError(`${path}: ${epochs.length} good epochs, the checkpoint has ${to.epoch}`, {
        hint: "Lines were changed or lost; train the run again with --overwrite.",
      });
    }
    truncateLines(this.path("steps.jsonl"), (line) => (line as StepLine).step <= to.step);
    truncateLines(this.path("timings.jsonl"), (line) => (line as TimingLine).epoch <= to.epoch);
    return epochs;
  }

  writeSummary(summary: Summary): void {
    this.writeJson("summary.json", summarySchema.parse(summary));
  }

  /** Writes predictions, report and matrix of the test set; returns the numbers for the summary. */
  writeResults(test: TestPredictions): TestResult {
    return writeResults(this.dir, test);
  }

  /** Removes what `writeResults` wrote, and the pictures of it: a run that trains on has no results yet. */
  removeResults(): void {
    removePictures(this.dir);
    for (const file of [...resultFiles, "explain.svg", "explain.png"]) {
      rmSync(this.path(file), { force: true });
    }
  }

  writeJson(file: string, value: unknown): void {
    writeDurably(this.path(file), `${JSON.stringify(value, null, 2)}\n`, runPlace);
  }
}

export interface RunOptions {
  /** Folder of all runs. */
  readonly out: string;
  readonly name: string;
  readonly config: { readonly [key: string]: unknown };
  readonly environment: { readonly [key: string]: unknown };
  /** Which image is for training, validation and test. */
  readonly split?: RecordedSplit;
  /** Replace a run of this name, finished or not. */
  readonly overwrite?: boolean;
}

/**
 * Starts a run record: makes its folder and writes `config.json` and `environment.json`. Inside `withRunLock`, where
 * another process may write the run.
 * @throws UsageError where a run of this name is finished or could be resumed and `overwrite` is not given, or where the
 * folder holds something that is no run.
 */
export function createRun(options: RunOptions): RunRecord {
  const { out, name, config, environment, split, overwrite } = options;
  checkRunName(name);
  const run = new RunRecord(join(out, name));
  // What a process that was killed in the middle of replacing the run has left beside it.
  removeAbandoned(dirname(run.dir), { of: run.dir, isLocked: true });
  if (existsSync(run.dir)) clearFor(run, overwrite ?? false);
  makeFolder(run.checkpoints, runPlace);
  if (split !== undefined) writeSplit(run.dir, split);
  run.writeJson("environment.json", environment);
  // Last: a folder with config.json is a run, one without is nothing yet.
  run.writeJson("config.json", config);
  return run;
}

/** Opens a run for going on with it; `at` is its folder, or its name under `out`. @throws UsageError where there is none. */
export function resumeRun(at: string, out = "runs"): RunRecord {
  return new RunRecord(findRun(at, out));
}

/** The folder of a run given by folder or by name under `out`. @throws UsageError that names the runs there are. */
export function findRun(at: string, out = "runs"): string {
  for (const dir of [at, join(out, at)]) if (isRun(dir)) return resolve(dir);
  const runs = listRuns(out);
  const hint =
    runs.length === 0
      ? `There are no runs in ${resolve(out)}; train one, or name its folder.`
      : `Runs in ${resolve(out)}: ${runs.slice(0, 20).join(", ")}${runs.length > 20 ? ", …" : ""}`;
  throw new UsageError(
    `${at}: no run of this name (a run's folder has config.json and environment.json)`,
    { hint },
  );
}

/** Names of the runs in a folder, by code point. */
export function listRuns(out: string): string[] {
  if (!existsSync(out)) return [];
  return readdirSync(out)
    .filter((name) => !isTemporary(name) && isRun(join(out, name)))
    .sort();
}

/** `<dataset>-<model>-<strategy>-s<seed>`; a dataset given by path counts by its last part. */
export function defaultRunName(config: {
  readonly data: string;
  readonly model: string;
  readonly strategy: string;
  readonly seed: number;
}): string {
  const dataset = basename(resolve(config.data)).replace(
    /\.(zip|csv|tgz|txz|tar(\.(gz|xz))?)$/i,
    "",
  );
  const name = `${dataset}-${config.model}-${config.strategy}-s${config.seed}`;
  return name.replaceAll(/[^\w.-]+/g, "_").replace(/^[.-]+/, "");
}

/** A run's name without its seed and the piece of a digest that may stand behind it: `a-s1-1b2c3d` → `a`. */
export function nameWithoutSeed(name: string): string {
  return name.replace(/-s\d+(-[0-9a-f]{6})?$/, "");
}

/** @throws UsageError for a name that is no plain folder name on every system. */
export function checkRunName(name: string): void {
  if (!/^\w[\w.-]{0,199}$/.test(name)) {
    throw new UsageError(`${JSON.stringify(name)} cannot be the name of a run`, {
      hint: "Use letters, digits, dots, dashes and underscores; the folder goes into --out.",
    });
  }
}

/** A Hugging Face model's folder has a config.json too, but no environment.json. */
export function isRun(dir: string): boolean {
  return ["config.json", "environment.json"].every((file) => existsSync(join(dir, file)));
}

/** Is it a run, or what is left of one? */
export function isPartOfRun(dir: string): boolean {
  return ["config.json", "environment.json", "summary.json"].some((file) =>
    existsSync(join(dir, file)),
  );
}

function clearFor(run: RunRecord, overwrite: boolean): void {
  const files = readdirSync(run.dir);
  if (!isRun(run.dir)) {
    const known = new Set(["checkpoints", "environment.json", "split.json"]);
    if (files.every((file) => known.has(file) || file.startsWith("."))) return;
    throw new UsageError(`${run.dir} exists and is not a run; nothing in it was touched`, {
      hint: "Choose another --name or --out.",
    });
  }
  if (!overwrite) {
    const finished = statusOf(run) === "finished";
    const started = finished || files.includes("metrics.jsonl") || hasCheckpoint(run);
    if (started) {
      const what = finished ? "is finished" : "was begun and is not finished";
      const resume = finished ? "" : `--resume ${run.name} to go on with it, `;
      throw new UsageError(`the run ${run.name} ${what} (${run.dir})`, {
        hint: `Use ${resume}--overwrite to replace it, or another --name.`,
      });
    }
  }
  // Out of the way in one step: a kill while files are removed must not leave half a run.
  const replaced = temporaryPath(run.dir);
  try {
    renameSync(run.dir, replaced);
    rmSync(replaced, { recursive: true });
  } catch (cause) {
    throw writeError(run.dir, cause, runPlace);
  }
}

function statusOf(run: RunRecord): unknown {
  try {
    return (JSON.parse(readFileSync(run.path("summary.json"), "utf8")) as { status?: unknown })
      .status;
  } catch {
    // No summary, or one that a person damaged: what else is there decides.
    return undefined;
  }
}

function hasCheckpoint(run: RunRecord): boolean {
  return existsSync(run.checkpoints) && readdirSync(run.checkpoints).length > 0;
}
