import { basename, dirname, join } from "node:path";
import { UsageError } from "../errors.ts";
import { isClassicalModel } from "./classical-config.ts";
import { canonicalJson, type TrainConfig } from "./config.ts";
import { configFlags } from "./config-flags.ts";
import { type Document, loadConfig } from "./config-load.ts";
import { readRun } from "./read.ts";

/** Keys that change no number of a run: they may be given anew while there is something left to train. */
const free = ["exact", "track", "logHistograms"];

/**
 * The config of a run that is resumed, with what was given for it on the command line: more epochs, and what changes no
 * number. All else belongs to the run.
 * @throws UsageError that names every flag which cannot be changed.
 */
export function resumedConfig(dir: string, overrides: Document = {}): TrainConfig {
  const { config, name, summary } = readRun(dir);
  const resume = "--resume";
  if (isClassicalModel(config["model"])) {
    throw new UsageError(`${resume}: ${name} is a classical model, which cannot be resumed`, {
      hint: "use --overwrite to fit it again",
    });
  }
  const place = { out: dirname(dir), name: basename(dir) };
  const own = loadConfig(join(dir, "config.json"), place);
  const isFinished = summary?.status === "finished";
  const goesOn = !isFinished || Number(overrides["epochs"] ?? 0) > own.epochs;
  const problems: string[] = [];
  for (const { flag, path } of configFlags()) {
    const given = valueAt(overrides, path);
    if (given === undefined || path[0] === "out") continue;
    const before = valueAt(own, path);
    if (canonicalJson(given) === canonicalJson(before)) continue;
    if (goesOn && free.includes(path[0]!)) continue;
    if (path[0] === "epochs" && Number(given) > own.epochs) continue;
    const was = before === undefined ? "not set" : canonicalJson(before);
    problems.push(
      path[0] === "epochs"
        ? `${flag} ${canonicalJson(given)}: ${name} has ${was} epochs, and the number can only be increased`
        : `${flag}: ${canonicalJson(given)} was given, but ${name} has ${was}`,
    );
  }
  if (problems.length > 0) {
    throw new UsageError(problems.join("\n"), {
      hint: isFinished
        ? `${name} is finished; ${resume} can only add --epochs: for other settings, train a new run`
        : `${resume} keeps the run's settings and can only add --epochs: leave the flag out, or train a new run`,
    });
  }
  const changed = ["epochs", ...free].flatMap((key) =>
    overrides[key] === undefined ? [] : [[key, overrides[key]]],
  );
  return loadConfig(join(dir, "config.json"), { ...Object.fromEntries(changed), ...place });
}

function valueAt(document: Document, [key, inner]: readonly string[]): unknown {
  const value = document[key!];
  return inner === undefined ? value : (value as Document | undefined)?.[inner];
}
