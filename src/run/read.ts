import { existsSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { z } from "zod";
import { ThawError } from "../errors.ts";
import type { CalibrationBin, ClassRow } from "../metrics/index.ts";
import { parseJson } from "../platform/json.ts";
import { readLines } from "./lines.ts";
import { withBothMacroF1s } from "./macro-f1.ts";
import { findRun } from "./record.ts";
import {
  type NamedConfusionMatrix,
  parseCalibration,
  parseConfusionMatrix,
  parsePerClass,
} from "./results.ts";
import {
  type EpochLine,
  epochLineSchema,
  type StepLine,
  type Summary,
  summarySchema,
  type TimingLine,
  timingLineSchema,
} from "./summary.ts";

/** A run as its files say. What a run has not come to yet is undefined or empty. */
export interface Run {
  readonly name: string;
  readonly dir: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, unknown>>;
  readonly epochs: readonly EpochLine[];
  readonly timings: readonly TimingLine[];
  readonly summary: Summary | undefined;
  readonly confusion: NamedConfusionMatrix | undefined;
  readonly perClass: readonly ClassRow[] | undefined;
  /** Of a model whose confidences are probabilities. */
  readonly calibration: readonly CalibrationBin[] | undefined;
}

/** Opens a run by its folder, or by its name under `out`. @throws UsageError where there is none; else as `readRun`. */
export function openRun(at: string, out = "runs"): Run {
  return readRun(findRun(at, out));
}

/** The timings of a run's finished epochs. */
export function readTimings(dir: string): TimingLine[] {
  return lines(join(dir, "timings.jsonl"), timingLineSchema);
}

/** The optimizer steps of a run, none where they were not recorded. A last one that was cut off is left out. */
export function readSteps(dir: string): StepLine[] {
  const path = join(dir, "steps.jsonl");
  return existsSync(path) ? (readLines(path) as StepLine[]) : [];
}

/** Reads a run's folder. @throws ThawError that names the file that is missing or not valid, and what is wrong in it. */
export function readRun(dir: string): Run {
  const text = (file: string): string | undefined => {
    const path = join(dir, file);
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  };
  const optional = <T>(file: string, parse: (text: string, path: string) => T): T | undefined => {
    const content = text(file);
    return content === undefined ? undefined : parse(content, join(dir, file));
  };
  const required = (file: string): Record<string, unknown> => {
    const value = optional(file, parseObject);
    if (value === undefined) {
      throw new ThawError(`${join(dir, file)} is missing`, {
        hint: `${dir} is not a run's folder, or not a whole one.`,
      });
    }
    return value;
  };
  const confusion = optional("confusion_matrix.csv", parseConfusionMatrix);
  const summary = optional("summary.json", (content, path) =>
    check(parseObject(content, path), summarySchema, path),
  );
  const test = confusion && summary?.test && withBothMacroF1s(summary.test, confusion);
  return {
    name: basename(resolve(dir)),
    dir: resolve(dir),
    config: required("config.json"),
    environment: required("environment.json"),
    epochs: lines(join(dir, "metrics.jsonl"), epochLineSchema),
    timings: readTimings(dir),
    summary: summary && (test ? { ...summary, test } : summary),
    confusion,
    perClass: optional("per_class.csv", parsePerClass),
    calibration: optional("calibration.csv", parseCalibration),
  };
}

function lines<T>(path: string, schema: z.ZodType<T>): T[] {
  if (!existsSync(path)) return [];
  return readLines(path).map((value, i) => check(value, schema, `${path}:${i + 1}`));
}

function parseObject(text: string, path: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw new ThawError(`${path}: not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ThawError(`${path}: not a JSON object`);
  }
  return value as Record<string, unknown>;
}

function check<T>(value: unknown, schema: z.ZodType<T>, where: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new ThawError(`${where}: ${issues.slice(0, 5).join("; ")}`, {
    hint: "The file was not written by this version of Thaw, or was changed.",
  });
}
