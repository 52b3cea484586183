import { UsageError } from "../../errors.ts";
import { type ExportReport, exportRun } from "../../export/index.ts";
import { findRun } from "../../run/record.ts";
import { readSplit } from "../../run/split-file.ts";
import type { CliCommand } from "../command.ts";
import { ensureEngine } from "../engine.ts";
import { refuseUnused } from "../flag-rules.ts";
import { Interrupt } from "../interrupt.ts";
import { printJson, say } from "../output.ts";
import { note, percent } from "../progress.ts";
import { addRunDataFlags, openDataOfRun, type RunDataFlags } from "../run-data.ts";
import { mirrorHelp, offlineHelp, type WeightsFlags, weightsPlaces } from "../weights.ts";
import { wholeNumber } from "../whole-number.ts";

interface Options extends WeightsFlags, RunDataFlags {
  out: string;
  to?: string;
  opset?: number;
  half?: true;
  int8?: true;
  maxDrop?: number;
  maxDifference?: number;
  dynamicBatch: boolean;
  withPreprocessing?: true;
  images?: number;
  overwrite?: true;
  json?: true;
}

export const exportCommand: CliCommand = {
  register(command) {
    refuseUnused(command, [
      { flags: ["maxDrop"], counts: ({ int8 }) => int8 === true, goes: "requires --int8" },
    ]);
    addRunDataFlags(command)
      .argument("<run>", "a run's folder, or its name")
      .option("--to <folder>", "folder that is made; default export in the run's")
      .option(
        "--opset <n>",
        "version of ONNX's operators, 14 to 21; default 17, with preprocessing 18",
        wholeNumber("--opset", 1),
      )
      .option("--half", "float16: half the size")
      .option("--int8", "8 bits, calibrated on training images: a quarter of the size")
      .option(
        "--max-drop <points>",
        "exit with 3 where int8 loses more test accuracy; default 1",
        points,
      )
      .option(
        "--max-difference <d>",
        "exit with 3 if an output differs by more from the model's; default 0.0001 of the largest output, with --half 0.01, with --int8 0.5",
        difference,
      )
      .option("--dynamic-batch", "batches of any size", true)
      .option("--no-dynamic-batch", "batches of one image, for runtimes that need fixed sizes")
      .option(
        "--with-preprocessing",
        "the file takes uint8 pictures [N, H, W, C] of any size, and resizes, crops and normalises them itself",
      )
      .option(
        "--images <n>",
        "images that the file is compared with its model on; default 512",
        wholeNumber("--images", 1),
      )
      .option("--overwrite", "replace an earlier export")
      .option("--out <folder>", "folder of the runs", "runs")
      .option("--mirror <folder or url>", mirrorHelp)
      .option("--offline", offlineHelp)
      .option("--json", "print the report as JSON")
      .action(async (name: string, options: Options) => {
        if (options.half && options.int8) {
          throw new UsageError("--half and --int8: a file is in one of them");
        }
        const dir = findRun(name, options.out);
        const {
          half,
          int8,
          json,
          out,
          mirror,
          offline,
          data: _,
          skipMissing: __,
          ...rest
        } = options;
        await ensureEngine();
        const needs = int8 ? undefined : ([comparedSplit(dir)] as const);
        const data = await openDataOfRun(dir, options, needs);
        using interrupt = new Interrupt("stopping; nothing is exported");
        const { folder, report } = await exportRun(dir, data, {
          signal: interrupt.signal,
          ...rest,
          precision: half ? "fp16" : int8 ? "int8" : "fp32",
          places: {
            out,
            ...weightsPlaces({ ...(mirror && { mirror }), ...(offline && { offline }) }),
          },
          onNote: note,
        });
        if (json) printJson({ folder, ...report });
        else tell(folder, report);
      });
  },
};

function tell(
  folder: string,
  { files, parity, int8, opset, precision, nodes }: ExportReport,
): void {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  say(`${folder}: ${(bytes / 1e6).toFixed(1)} MB in ${precision}, opset ${opset}, ${nodes} nodes`);
  say(
    `ONNX Runtime on ${parity.images} ${parity.split} images: outputs differ by up to ` +
      `${parity.maxDifference.toExponential(2)} (the largest output is ${Number(parity.largestOutput.toPrecision(3))}), ${percent(parity.agreement)} get the same class`,
  );
  if (parity.resizing) {
    const { largest, mean } = parity.resizing;
    say(
      `its own resizing differs from ours by up to ${largest} of 255 grey levels, ${mean.toPrecision(2)} on average`,
    );
  }
  if (int8 === undefined) return;
  const of = ({ accuracy, accuracy95: [low, high] }: typeof int8.before) =>
    `${percent(accuracy)} (95 % interval ${(100 * low).toFixed(2)} to ${(100 * high).toFixed(2)} %)`;
  say(`test accuracy ${of(int8.before)} before, ${of(int8.after)} in int8, ${int8.images} images`);
  say(`${int8.float.length} of ${int8.layers} layers stay in float`);
}

function difference(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && Number.isFinite(value)) return value;
  throw new UsageError(`--max-difference: "${text}" given; allowed: a number of at least 0`);
}

/** The images that a file is compared with its model on: validation images where the run has any. */
function comparedSplit(dir: string): "val" | "test" {
  const recorded = readSplit(dir);
  if (recorded?.kind === "files") return recorded.splits.val.length > 0 ? "val" : "test";
  return recorded?.kind === "rows" && recorded.splits.val.rows.length > 0 ? "val" : "test";
}

function points(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 100) return value;
  throw new UsageError(`--max-drop: "${text}" given; allowed: points from 0 to 100`);
}
