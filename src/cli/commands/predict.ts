import { once } from "node:events";
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { formatCsv } from "../../data/formats/csv.ts";
import { toCell } from "../../data/formats/spreadsheet.ts";
import { ExitCode, UsageError } from "../../errors.ts";
import {
  type Answer,
  listImages,
  ofSubject,
  openFile,
  openSubject,
  type Predictor,
  predictFiles,
  restoreExport,
} from "../../export/index.ts";
import { printable, printableJson, printableLine } from "../../platform/printable.ts";
import { findRun } from "../../run/record.ts";
import type { CliCommand } from "../command.ts";
import { ensureEngine } from "../engine.ts";
import { refuseUnused } from "../flag-rules.ts";
import { say } from "../output.ts";
import { note, percent } from "../progress.ts";
import { mirrorHelp, offlineHelp, type WeightsFlags, weightsPlaces } from "../weights.ts";
import { wholeNumber } from "../whole-number.ts";

interface Options extends WeightsFlags {
  out: string;
  top: number;
  batchSize: number;
  json?: true;
  csv?: true;
}

export const predict: CliCommand = {
  register(command) {
    refuseUnused(command, [
      {
        flags: ["out"],
        counts: (_, [model]) => exportedFile(String(model)) === undefined,
        goes: "requires a run's name: this is an exported file",
      },
    ]);
    command
      .argument("<model>", "an exported file (model.onnx) or its folder, or a run's folder or name")
      .argument(
        "<images...>",
        "files, folders, or - for standard input: one image, or one path per line",
      )
      .option("--top <n>", "classes named for each image", wholeNumber("--top", 1), 5)
      .option("--batch-size <n>", "images at a time", wholeNumber("--batch-size", 1), 32)
      .option("--out <folder>", "folder of the runs", "runs")
      .option("--mirror <folder or url>", mirrorHelp)
      .option("--offline", offlineHelp)
      .option("--json", "print a JSON array, an image after the other")
      .option("--csv", "print CSV: file, then label and probability of each rank")
      .action(async (model: string, images: readonly string[], options: Options) => {
        if (options.json && options.csv) throw new UsageError("--json and --csv: one of them");
        await using predictor = await openModel(model, options);
        const top = Math.min(options.top, predictor.metadata.classes.length);
        const paths = listImages(images, process.stdin, note);
        const answers = predictFiles(predictor, paths, { ...options, top, onNote: note });
        const { told, failed } = await print(answers, top, options);
        if (failed > 0) say(`${failed} of ${told} images could not be read`);
        if (told === 0) say("there is no image to look at");
        if (failed > 0 || told === 0) process.exitCode = ExitCode.failed;
      });
  },
};

async function openModel(name: string, options: Options): Promise<Predictor> {
  for (const folder of [name, dirname(name)]) restoreExport(folder, note);
  const file = exportedFile(name);
  const dir = file === undefined ? findRun(name, options.out) : "";
  // Pixels are normalised by the engine in both cases.
  await ensureEngine();
  if (file !== undefined) return openFile(file);
  return ofSubject(await openSubject(dir, { out: options.out, ...weightsPlaces(options) }));
}

function exportedFile(name: string): string | undefined {
  const files = [name, join(name, "model.onnx")];
  return files.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
}

async function print(
  answers: AsyncIterable<Answer>,
  top: number,
  { json, csv }: Options,
): Promise<{ told: number; failed: number }> {
  let [told, failed] = [0, 0];
  const write = async (text: string) => {
    const shown = json ? printableJson(text) : process.stdout.isTTY ? printable(text) : text;
    if (!process.stdout.write(shown)) await once(process.stdout, "drain");
  };
  if (json) await write("[");
  if (csv) await write(`${header(top)}\n`);
  try {
    for await (const answer of answers) {
      if ("error" in answer) {
        failed++;
        if (!json) say(printableLine(`${answer.file}: ${answer.error}`));
      }
      if (json) await write(`${told === 0 ? "\n" : ",\n"}${JSON.stringify(answer)}`);
      else if (csv) await write(row(answer, top));
      else if ("top" in answer) await write(`${line(answer.file, answer.top)}\n`);
      told++;
    }
  } finally {
    // Where the model fails too: what was said until then is a whole document.
    if (json) process.stdout.write("\n]\n");
  }
  return { told, failed };
}

type Top = Extract<Answer, { top: unknown }>["top"];

function line(file: string, top: Top): string {
  const said = top.map(({ label, probability }) => `${label} ${percent(probability)}`);
  return printableLine([file, ...said].join("  "));
}

function header(top: number): string {
  const ranks = Array.from({ length: top }, (_, i) => `label${i + 1},probability${i + 1}`);
  return ["file", ...ranks, "error"].join(",");
}

function row(answer: Answer, top: number): string {
  const said = "top" in answer ? answer.top : [];
  const cells = Array.from({ length: top }, (_, i) => said[i]).flatMap((guess) =>
    guess === undefined ? ["", ""] : [toCell(guess.label), guess.probability],
  );
  const failure = "error" in answer ? toCell(answer.error) : "";
  return formatCsv([[toCell(answer.file), ...cells, failure]]);
}
