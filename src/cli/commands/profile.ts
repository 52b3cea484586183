import { join } from "node:path";
import { ExitCode, UsageError } from "../../errors.ts";
import { type ModelName, parseModelName } from "../../models/index.ts";
import { type InputSize, profileModels } from "../../profile/index.ts";
import { describeProfile, writeProfileReport } from "../../report/index.ts";
import { trainConfigSchema } from "../../run/config.ts";
import { modelOfWeights } from "../../run/model-of-weights.ts";
import { setThreads } from "../../tensor/index.ts";
import { trainStep } from "../../train/index.ts";
import type { CliCommand } from "../command.ts";
import { openConfiguredData } from "../dataset.ts";
import { ensureEngine } from "../engine.ts";
import { refuseUnused } from "../flag-rules.ts";
import { Interrupt } from "../interrupt.ts";
import { printJson, printText, say } from "../output.ts";
import { counter, note } from "../progress.ts";
import { mirrorHelp } from "../weights.ts";
import { wholeNumber } from "../whole-number.ts";

interface Options {
  model?: string[];
  weights?: string;
  data?: string;
  input?: InputSize;
  classes: number;
  mode: "train" | "infer";
  batchSize: number[];
  steps: number;
  warmup: number;
  seconds: number;
  trace: number;
  precision: string;
  device: string;
  threads?: number;
  out: string;
  into?: string;
  mirror?: string;
  json?: true;
}

export const profile: CliCommand = {
  register(command) {
    command
      .option("--model <name>", "architecture; may be given several times", several)
      .option("--weights <name>", "instead of --model: profile the model of a run")
      .option("--data <name>", "data set whose images are read, and its loader with them")
      .option(
        "--input <CxHxW>",
        "instead of data: drawn images, as 3x224x224; default the model's size",
        size,
      )
      .option(
        "--classes <n>",
        "outputs of the head, with drawn images",
        wholeNumber("--classes", 1, 1_000_000),
        1000,
      )
      .option("--mode <name>", "train, or infer (default train)", mode, "train")
      .option(
        "--batch-size <n,…>",
        "images of a step; of several, each is measured",
        sizes,
        [1, 8, 32],
      )
      .option("--steps <n>", "steps that are timed, at most", wholeNumber("--steps", 3), 30)
      .option("--seconds <s>", "time for them, for each batch size", positive, 10)
      .option("--warmup <n>", "steps before them", wholeNumber("--warmup", 0), 3)
      .option(
        "--trace <n>",
        "steps after them that are recorded by operator and module",
        wholeNumber("--trace", 0),
        3,
      )
      .option("--precision <name>", "auto, fp32, bf16 or fp16", "auto")
      .option("--device <name>", "auto, cpu, cuda or mps", "auto")
      .option(
        "--threads <n>",
        "threads that compute; default all cores",
        wholeNumber("--threads", 1, 1024),
      )
      .option("--out <folder>", "folder of the runs", "runs")
      .option("--into <folder>", "folder of the results; default profile in --out")
      .option("--mirror <folder or url>", mirrorHelp)
      .option("--json", "print the profile as JSON")
      .action(run);
    refuseUnused(command, [
      {
        flags: ["classes"],
        counts: ({ data }) => data === undefined,
        goes: "cannot be combined with --data, which has its own classes",
      },
      {
        flags: ["mirror"],
        counts: ({ data }) => data !== undefined,
        goes: "requires --data: random images are not downloaded",
      },
      {
        flags: ["out"],
        counts: ({ into, weights }) => into === undefined || weights !== undefined,
        goes: "cannot be combined with --into, which names the output folder",
      },
    ]);
  },
};

async function run(options: Options): Promise<void> {
  const { data: name, input, classes, batchSize, trace, warmup, seconds } = options;
  const models = modelsOf(options);
  if (name !== undefined && input !== undefined) {
    throw new UsageError("--data and --input: images are read or drawn, not both");
  }
  const { precision, device } = compute(options);
  await ensureEngine();
  if (options.threads !== undefined) setThreads(options.threads);
  const images =
    name === undefined
      ? ({ kind: "drawn", size: input, classes } as const)
      : ({
          kind: "data",
          data: await openConfiguredData({ data: name, seed: 0 }, options.mirror),
        } as const);
  const into = options.into ?? join(options.out, "profile");
  using interrupt = new Interrupt("stopping after this step; what was measured is kept");
  const steps = counter("step");
  const profile = await profileModels({
    ...{ models, images, precision, device, into, batchSizes: batchSize },
    window: { warmup, seconds, timed: options.steps, traced: trace },
    trainStep: options.mode === "train" ? trainStep : undefined,
    signal: interrupt.signal,
    onNote: note,
    onStep: ({ done, total }) => steps.draw(done, total),
  });
  steps.clear();
  const files = await writeProfileReport(into, profile);
  if (options.json) printJson(profile);
  else {
    printText(describeProfile(profile));
    say(
      `written to ${into}: profile.json, trace.json (ui.perfetto.dev opens it), ${files.join(", ")}`,
    );
  }
  if (profile.status === "interrupted") {
    process.exitCode =
      interrupt.requested === "preempted" ? ExitCode.preempted : ExitCode.interrupted;
    return;
  }
  const isMeasured = profile.models.every(({ batches }) =>
    batches.some(({ kind }) => kind === "measured"),
  );
  if (!isMeasured) process.exitCode = ExitCode.failed;
}

function modelsOf({ model, weights, out }: Options): ModelName[] {
  if (model !== undefined && weights !== undefined) {
    throw new UsageError("--model and --weights cannot be combined");
  }
  const named = model ?? [weights && modelOfWeights(weights, out)].filter((name) => !!name);
  if (named.length > 0) return [...new Set(named.map((name) => parseModelName(name!)))];
  if (weights !== undefined) {
    throw new UsageError(`--weights ${weights}: it does not say which model it belongs to`, {
      hint: "name the model with --model",
    });
  }
  throw new UsageError("--model is missing", {
    hint: "use --model resnet50, or --weights with a run; `thaw models` lists the models",
  });
}

function compute({ precision, device }: Options) {
  const choices = trainConfigSchema.pick({ precision: true, device: true });
  const parsed = choices.safeParse({ precision, device });
  if (parsed.success) return parsed.data;
  const [flag] = parsed.error.issues[0]!.path as ["precision" | "device"];
  const allowed = flag === "precision" ? "auto, fp32, bf16, fp16" : "auto, cpu, cuda, mps";
  const given = flag === "precision" ? precision : device;
  throw new UsageError(`--${flag}: "${given}" given; allowed: one of ${allowed}`);
}

function several(text: string, before: string[] = []): string[] {
  return [...before, ...text.split(",")];
}

function size(text: string): InputSize {
  const found = /^(\d+)x(\d+)x(\d+)$/.exec(text);
  const numbers = found?.slice(1).map(Number) ?? [];
  if (numbers.length === 3 && numbers.every((n) => n >= 1 && n <= 1 << 16)) {
    return numbers as unknown as InputSize;
  }
  throw new UsageError(
    `--input: "${text}" given; allowed: channels, height and width, as 3x224x224`,
  );
}

function mode(text: string): Options["mode"] {
  if (text === "train" || text === "infer") return text;
  throw new UsageError(`--mode: "${text}" given; allowed: one of train, infer`);
}

function sizes(text: string): number[] {
  return [...new Set(text.split(",").map(wholeNumber("--batch-size", 1)))];
}

function positive(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value > 0) return value;
  throw new UsageError(`--seconds: "${text}" given; allowed: a number above 0`);
}
