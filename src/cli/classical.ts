import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ExitCode, UsageError } from "../errors.ts";
import { evaluateClassicalRun, folderBeside } from "../evaluate/index.ts";
import { chooseCompute } from "../models/index.ts";
import { duration } from "../report/format.ts";
import { drawRun } from "../report/index.ts";
import {
  classicalFields,
  classicalModels,
  isClassicalModel,
  loadClassicalConfig,
  refuseUnusedClassical,
} from "../run/classical-config.ts";
import { type ConfigFlag, configFlags, overridesFromFlags } from "../run/config-flags.ts";
import { readDocument } from "../run/config-load.ts";
import { macroF1Text } from "../run/macro-f1.ts";
import { readRun } from "../run/read.ts";
import type { TestResult } from "../run/results.ts";
import type { Summary } from "../run/summary.ts";
import { checkTracking } from "../run/track/open.ts";
import { type ClassicalOptions, trainClassical } from "../train/index.ts";
import { openConfiguredData } from "./dataset.ts";
import { ensureEngine } from "./engine.ts";
import { Interrupt } from "./interrupt.ts";
import { printJson, say } from "./output.ts";
import { note, percent } from "./progress.ts";
import { openDataOfRun, type RunDataFlags } from "./run-data.ts";
import { type WeightsFlags, weightsPlaces } from "./weights.ts";

/** Flags of `thaw train` that only classical models have, or have for something else. */
export function classicalFlags(): readonly ConfigFlag[] {
  return configFlags(classicalFields());
}

/**
 * All flags of `thaw train`. `--scale` is a network's range of crops and a classical model's way of scaling features:
 * its text tells which.
 */
export function trainFlags(): readonly ConfigFlag[] {
  const classical = classicalFlags();
  const own = configFlags().map((flag) => {
    const other = classical.find(({ attribute }) => attribute === flag.attribute);
    if (other === undefined) return flag;
    return {
      ...flag,
      usage: `${flag.flag} <x,y or name>`,
      help: `${flag.help}; or ${other.help}`,
      parse: (text: string) => (/^[a-z]/i.test(text) ? other : flag).parse(text),
    };
  });
  const taken = new Set(own.map(({ attribute }) => attribute));
  return [...own, ...classical.filter(({ attribute }) => !taken.has(attribute))];
}

interface Options extends Readonly<Record<string, unknown>> {
  readonly config?: string;
  readonly resume?: string;
  readonly overwrite?: true;
  readonly mirror?: string;
  readonly offline?: true;
  readonly json?: true;
}

/**
 * Is the model that flags or config file name a classical one?
 * @throws UsageError for a classical model's flag beside a network.
 */
export function asksForClassical(options: Options): boolean {
  const model = options["model"] ?? modelOf(options.config);
  if (isClassicalModel(model)) return true;
  const network = new Set(configFlags().map(({ attribute }) => attribute));
  const extra = classicalFlags().find(({ attribute }) => {
    const value = options[attribute];
    return value !== undefined && !(network.has(attribute) && typeof value !== "string");
  });
  if (extra === undefined) return false;
  throw new UsageError(`${extra.flag} is for ${Object.keys(classicalModels).join(", ")}`, {
    hint: `and the model is ${JSON.stringify(model)}`,
  });
}

/** What a config file says of the model, if it can be read at all: `loadConfig` tells what is wrong with it. */
function modelOf(file: string | undefined): unknown {
  if (file === undefined) return undefined;
  try {
    return readDocument(file)["model"];
  } catch {
    return undefined;
  }
}

export async function trainClassically(options: Options): Promise<void> {
  const { config: file, resume, mirror, offline } = options;
  if (resume !== undefined) {
    throw new UsageError("--resume: a classical model is fitted in one go and cannot be resumed", {
      hint: "use --overwrite to fit it again",
    });
  }
  const overrides = overridesFromFlags(options, [...configFlags(), ...classicalFlags()]);
  const config = loadClassicalConfig(file, overrides);
  refuseUnusedClassical(config);
  checkTracking(config, process.env);
  await ensureEngine();
  const data = await openConfiguredData(config, mirror);
  using interrupt = new Interrupt("stopping; a classical model has no checkpoint");
  const { run, summary } = await trainClassical(config, data, {
    signal: interrupt.signal,
    overwrite: options.overwrite === true,
    places: weightsPlaces({ ...(mirror && { mirror }), ...(offline && { offline }) }),
    onNote: note,
    onFit: (fit) => say(describeFit(fit)),
    pictures: drawRun,
  });
  if (options.json) {
    printJson(summary);
  } else if (summary.status === "finished") {
    tell(summary, run.dir);
  } else {
    say(`${summary.reason}; fit it again with --overwrite`);
  }
  if (summary.status === "interrupted" || summary.status === "preempted") {
    process.exitCode = ExitCode[summary.status];
  }
}

function tell(summary: Summary, dir: string): void {
  const test = summary.test!;
  const interval = test.accuracy95.map((bound) => (100 * bound).toFixed(2)).join(" to ");
  say(`fitted in ${duration(summary.seconds.train)}`);
  say(
    `test accuracy ${percent(test.accuracy)} (95 % interval ${interval} %), macro-F1 ${macroF1Text(test)}, ${test.n} images`,
  );
  if (summary.unusable !== undefined) say(unusableLine(summary.unusable));
  say(`everything is in ${dir}`);
}

/** Said beside a result that was made without some of the images. */
export function unusableLine(count: number): string {
  const what = count === 1 ? "1 image" : `${count} images`;
  return `left out: ${what} that could not be used (environment.json lists the names)`;
}

/** A line for one fit of a grid. */
export function describeFit({
  params,
  fold,
  score,
  seconds,
}: Parameters<NonNullable<ClassicalOptions["onFit"]>>[0]): string {
  const values = Object.entries(params).map(([key, v]) => `${key.replace(/^.*__/, "")}=${v}`);
  const where = fold === null ? "best, on all images" : `fold ${fold + 1}`;
  return `${values.join(" ")}  ${where}  ${percent(score)}  ${seconds.toFixed(1)} s`;
}

export function isClassicalRun(dir: string): boolean {
  return isClassicalModel(readRun(dir).config["model"]);
}

export async function judgeClassicalRun(
  dir: string,
  {
    precision,
    mirror,
    offline,
    ...flags
  }: RunDataFlags & WeightsFlags & { readonly precision?: string },
): Promise<{ result: TestResult; report: () => string; told: object }> {
  const overrides = precision === undefined ? {} : { precision };
  const config = loadClassicalConfig(join(dir, "config.json"), overrides);
  await ensureEngine();
  const data = await openDataOfRun(dir, { ...flags, ...(mirror && { mirror }) }, ["test"]);
  const places = weightsPlaces({ ...(mirror && { mirror }), ...(offline && { offline }) });
  using interrupt = new Interrupt("stopping");
  const result = await evaluateClassicalRun(
    dir,
    data,
    chooseCompute(config),
    { out: config.out, ...places },
    { onNote: note, pictures: drawRun, signal: interrupt.signal },
  );
  const folder = folderBeside(dir, data) ?? dir;
  const report = () => readFileSync(join(folder, "classification_report.txt"), "utf8");
  const { leftOut = [] } = data;
  return { result, report, told: folder === dir ? {} : { folder, leftOut } };
}
