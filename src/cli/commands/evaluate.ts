import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CsvOptions, csvOptionsOf } from "../../data/folders/csv-columns.ts";
import { ExitCode, UsageError } from "../../errors.ts";
import {
  evaluateClassicalWeights,
  evaluateRun,
  evaluateWeights,
  firstOf,
  folderBeside,
} from "../../evaluate/index.ts";
import { chooseCompute, parseModelName } from "../../models/index.ts";
import { pretrainedReference } from "../../models/weights/hub/index.ts";
import { drawRun } from "../../report/index.ts";
import { isClassicalModel } from "../../run/classical-config.ts";
import { trainConfigSchema } from "../../run/config.ts";
import { configFlags, flagOf } from "../../run/config-flags.ts";
import { loadConfig } from "../../run/config-load.ts";
import { findRun } from "../../run/record.ts";
import type { TestResult } from "../../run/results.ts";
import { openWeights } from "../../run/weights.ts";
import { isClassicalRun, judgeClassicalRun } from "../classical.ts";
import type { CliCommand } from "../command.ts";
import { addConfigFlags, csvFlags } from "../config-flags.ts";
import { ensureEngine } from "../engine.ts";
import { refuseUnused } from "../flag-rules.ts";
import { Interrupt } from "../interrupt.ts";
import { openForWeights } from "../labelled.ts";
import { printJson, printText, say } from "../output.ts";
import { describeResizing, note, percent } from "../progress.ts";
import { openDataOfRun, skipMissingHelp } from "../run-data.ts";
import {
  judgeTogether,
  parseCheckpoint,
  parseTta,
  parseVote,
  refuseWithoutNetwork,
  type TogetherFlags,
} from "../together.ts";
import { announce, mirrorHelp, offlineHelp, type WeightsFlags, weightsPlaces } from "../weights.ts";
import { weightsTable } from "../weights-table.ts";
import { wholeNumber } from "../whole-number.ts";

interface Options
  extends WeightsFlags,
    CsvOptions,
    Pick<TogetherFlags, "tta" | "ensemble" | "checkpoint"> {
  out: string;
  name?: string;
  overwrite?: true;
  weights?: string;
  pretrained?: true;
  model?: string;
  data?: string;
  split?: "train" | "val" | "test" | "all";
  skipMissing?: true;
  limit?: number;
  mean?: number[];
  std?: number[];
  imgSize?: number;
  cropPct?: number;
  interpolation?: "bilinear" | "bicubic";
  pixelRange?: [number, number];
  onBadImage?: "fail" | "skip";
  precision?: string;
  failUnder?: number;
  json?: true;
}

/** Only for weights: a run has them in its config. */
const weightsOnly = [
  ...["model", "split", "limit", "mean", "std"],
  ...["imgSize", "cropPct", "interpolation", "pixelRange", "onBadImage"],
  ...["pathColumn", "labelColumn", "splitColumn", "imageFolder"],
] as (keyof Options)[];

export const evaluate: CliCommand = {
  register(command) {
    const flag = (name: string) => configFlags().find(({ attribute }) => attribute === name)!;
    addConfigFlags(command, csvFlags());
    command
      .argument("[runs...]", "a run's folder, or its name; several with --ensemble")
      .option("--out <folder>", "folder of the runs", "runs")
      .option(
        "--weights <name>",
        "instead of a run: a file, a run, hf-hub:owner/name[@revision], or a model's name",
      )
      .option("--pretrained", "instead of a run: the default published weights of --model")
      .option("--model <name>", "architecture of the weights; default what their file says")
      .option(
        "--data <name>",
        "images to evaluate the weights on; with a run: the new location of its data",
      )
      .option(
        "--split <name>",
        "train, val, test or all; default all labelled images, or the test images of a built-in data set",
        split,
      )
      .option(
        "--limit <n>",
        "use only the first n of these images; default all",
        wholeNumber("--limit", 1),
      )
      .option("--skip-missing", skipMissingHelp)
      .option(
        "--mean <x,y>",
        "mean of each channel, of pixel/255; default the weights'",
        flag("mean").parse,
      )
      .option("--std <x,y>", "deviation of each channel; default as the mean's", flag("std").parse)
      .option(
        "--img-size <n>",
        "side that images are resized to; default the weights', of small images their own",
        flag("imgSize").parse,
      )
      .option("--crop-pct <share>", flag("cropPct").description, flag("cropPct").parse)
      .option(
        "--interpolation <name>",
        "bilinear or bicubic; default the weights'",
        flag("interpolation").parse,
      )
      .option(
        "--pixel-range <black,white>",
        "values of black and white in images of more than 8 bits; default those of the weights",
        flag("pixelRange").parse,
      )
      .option("--on-bad-image <what>", flag("onBadImage").description, flag("onBadImage").parse)
      .option("--precision <name>", "auto, fp32 or bf16; default the run's own")
      .option("--tta <views>", "judge several views of each image: flip or ten-crop", parseTta)
      .option("--ensemble <vote>", "judge several runs as one, by soft or hard vote", parseVote)
      .option(
        "--checkpoint <which>",
        "judge the weights of the best epoch (default) or of the last one",
        parseCheckpoint,
      )
      .option(
        "--name <name>",
        "of the result's folder in --out, with --tta, --ensemble or --checkpoint last",
      )
      .option("--overwrite", "replace a run of this name")
      .option("--fail-under <accuracy>", "exit with 3 where the accuracy is lower (0 to 1)", share)
      .option("--mirror <folder or url>", mirrorHelp)
      .option("--offline", offlineHelp)
      .option("--json", "print the result as JSON");
    refuseUnused(command, [
      {
        flags: ["skipMissing"],
        counts: (_, [runs]) => (runs as readonly string[]).length > 0,
        goes: "requires a run: only runs record their images",
      },
      {
        flags: ["data"],
        counts: (_, [runs]) => (runs as readonly string[]).length < 2,
        goes: "requires a single run or --weights: several runs each use their own data",
      },
      {
        flags: ["checkpoint"],
        counts: ({ pretrained, weights }) => pretrained === undefined || weights !== undefined,
        goes: "requires a run: published weights have no epochs",
      },
    ]);
    command.action(async (runs: readonly string[], options: Options) => {
      const [run] = runs;
      refuseMixtures(run, options);
      const isTogether = asksForTogether(runs, options);
      const result =
        run === undefined
          ? await judgeWeights(options)
          : isTogether
            ? await judgeSeveral(runs, options)
            : await judgeRun(run, options);
      if (options.failUnder !== undefined && result.accuracy < options.failUnder) {
        say(`below the required ${percent(options.failUnder)}`);
        process.exitCode = ExitCode.gate;
      }
    });
  },
};

async function judgeRun(name: string, options: Options): Promise<TestResult> {
  const dir = findRun(name, options.out);
  if (isClassicalRun(dir)) {
    const judged = await judgeClassicalRun(dir, options);
    const document = { run: dir, ...judged.told, ...judged.result };
    print(options, document, judged.report, judged.result);
    return judged.result;
  }
  refuseWithoutNetwork(dir);
  const precision = options.precision === undefined ? {} : { precision: options.precision };
  const config = loadConfig(join(dir, "config.json"), precision);
  await ensureEngine();
  const data = await openDataOfRun(dir, options, ["test"]);
  const compute = chooseCompute(config);
  using interrupt = new Interrupt("stopping; the run is unchanged");
  const result = await evaluateRun(dir, data, compute, {
    ...{ onNote: note, pictures: drawRun, signal: interrupt.signal },
  });
  const folder = folderBeside(dir, data) ?? dir;
  const report = () => readFileSync(join(folder, "classification_report.txt"), "utf8");
  const { leftOut = [] } = data;
  const told = { run: dir, ...(folder !== dir && { folder, leftOut }) };
  print(options, { ...told, ...result }, report, result);
  return result;
}

async function judgeSeveral(runs: readonly string[], options: Options): Promise<TestResult> {
  const { dir, result, report } = await judgeTogether(runs, options);
  print(options, { run: dir, ...result }, report, result);
  return result;
}

async function judgeWeights(options: Options): Promise<TestResult> {
  const { out, checkpoint, data: name = "", model, mirror } = options;
  // Before anything is compiled or fetched: a slip of the pen is told at once.
  if (model !== undefined && !isClassicalModel(model)) parseModelName(model);
  checkResizing(options);
  const reference = options.pretrained ? pretrainedReference(model!) : options.weights!;
  const weights = await openWeights(reference, { out, checkpoint, ...weightsPlaces(options) });
  announce(weights);
  await ensureEngine();
  const { device, precision } = trainConfigSchema.shape;
  const { onBadImage, pixelRange = weights.input?.pixelRange } = options;
  const data = await openForWeights({
    ...csvOptionsOf(options),
    ...{ data: name, split: options.split, mirror, out, reference: options.weights },
    ...{ onBadImage, pixelRange },
  });
  if (options.pixelRange !== undefined && data.set.pixelRange === undefined) {
    throw new UsageError(`--pixel-range: ${data.name} has 8-bit images`);
  }
  const parsed = precision.safeParse(options.precision);
  if (!parsed.success) {
    throw new UsageError(
      `--precision: "${options.precision}" given; allowed: one of auto, fp32, bf16, fp16`,
    );
  }
  const compute = chooseCompute({ device: device.parse(undefined), precision: parsed.data });
  using interrupt = new Interrupt("stopping");
  const { signal } = interrupt;
  if (isClassicalModel(weights.model)) {
    const judged = { name: data.name, set: firstOf(data.set, options.limit) };
    const answer = await evaluateClassicalWeights(judged, weights, compute, {
      ...{ places: { out, ...weightsPlaces(options) }, asked: options, onNote: note, signal },
    });
    say(`  ${weights.model} of ${answer.features} on ${data.name}, ${data.what}`);
    const told = { weights: weights.path, model: weights.model, ...dataTold(data) };
    const document = { ...told, ...answer.result };
    print(options, document, () => answer.report, answer.result);
    return answer.result;
  }
  const { split: _, ...asked } = options;
  const question = { ...asked, weights };
  const answer = await evaluateWeights(data, question, compute, { onNote: note, signal });
  const { mean, std, from } = answer.normalization;
  const resizing = describeResizing(answer.input);
  say(weightsTable(answer.load, weights.reference));
  say(`  ${answer.model} on ${data.name}, ${data.what}; ${compute.precision} on ${compute.device}`);
  if (resizing !== undefined) say(`  images ${resizing}`);
  say(`  mean ${mean.join(", ")}, deviation ${std.join(", ")} (${from})`);
  const told = { weights: weights.path, model: answer.model, ...dataTold(data) };
  print(options, { ...told, mean, std, ...answer.result }, () => answer.report, answer.result);
  return answer.result;
}

/** Which images these are, and how many of them are left out, for `--json`. */
function dataTold({ name, split, unusable }: Awaited<ReturnType<typeof openForWeights>>): object {
  return { data: name, split, ...(unusable && { unusable: unusable.length }) };
}

function print(
  { json }: Options,
  document: unknown,
  report: () => string,
  { accuracy, accuracy95, n }: TestResult,
): void {
  if (json) {
    printJson(document);
    return;
  }
  printText(report());
  const interval = accuracy95.map((bound) => (100 * bound).toFixed(2)).join(" to ");
  say(`accuracy ${percent(accuracy)} (95 % interval ${interval} %), ${n} images`);
}

function refuseMixtures(run: string | undefined, options: Options): void {
  const { weights, pretrained, model, data, mean, std } = options;
  const given = weights !== undefined ? "--weights" : pretrained ? "--pretrained" : undefined;
  if (weights !== undefined && pretrained) {
    throw new UsageError("--weights and --pretrained: one of them is judged");
  }
  if (run !== undefined && given !== undefined) {
    throw new UsageError(`a run (${run}) and ${given}: one of them is judged`);
  }
  if (run === undefined && given === undefined) {
    throw new UsageError("nothing to judge: name a run, or give --weights or --pretrained", {
      hint: "thaw evaluate --model resnet18 --weights model.pth --data cifar10",
    });
  }
  const extra = weightsOnly.find((key) => options[key] !== undefined);
  if (run !== undefined && extra !== undefined) {
    throw new UsageError(`${flagOf([extra])} goes with --weights; a run has it in its config`);
  }
  if (given !== undefined && data === undefined) {
    throw new UsageError(`${given}: --data is missing`, { hint: "as --data cifar10" });
  }
  if (pretrained && model === undefined) {
    throw new UsageError("--pretrained: --model is missing", { hint: "as --model resnet18" });
  }
  if ((mean === undefined) !== (std === undefined)) {
    throw new UsageError("--mean and --std go together");
  }
}

function checkResizing(options: Options): void {
  for (const key of ["imgSize", "cropPct", "interpolation", "pixelRange"] as const) {
    if (trainConfigSchema.shape[key].safeParse(options[key]).success) continue;
    const { flag, allowed } = configFlags().find(({ attribute }) => attribute === key)!;
    throw new UsageError(`${flag}: ${options[key]} given; allowed: ${allowed}`);
  }
}

/** Several runs, several views of the images or the last epoch: what needs a folder of its own. */
function asksForTogether(runs: readonly string[], options: Options): boolean {
  const { tta, ensemble, checkpoint, name, overwrite } = options;
  if (runs.length > 1 && ensemble === undefined) {
    throw new UsageError(`${runs.length} runs: how do they decide together?`, {
      hint: "--ensemble soft takes the mean of their probabilities, hard the majority of their votes",
    });
  }
  if (runs.length === 1 && ensemble !== undefined) {
    throw new UsageError("--ensemble: one run is none; name two or more");
  }
  const hasNoRun = runs.length === 0;
  if (hasNoRun && (tta !== undefined || ensemble !== undefined)) {
    throw new UsageError("--tta and --ensemble go with runs, not with weights");
  }
  const isTogether =
    !hasNoRun && (tta !== undefined || ensemble !== undefined || checkpoint === "last");
  if (!isTogether && (name !== undefined || overwrite)) {
    throw new UsageError("--name and --overwrite go with --tta, --ensemble or --checkpoint last");
  }
  return isTogether;
}

function split(text: string): NonNullable<Options["split"]> {
  const allowed = ["train", "val", "test", "all"] as const;
  const found = allowed.find((name) => name === text);
  if (found !== undefined) return found;
  throw new UsageError(`--split: "${text}" given; allowed: one of ${allowed.join(", ")}`);
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1)) {
    throw new UsageError(`--fail-under: "${text}" given; allowed: a number from 0 to 1`);
  }
  return value;
}
