import type { SplitShares } from "../../../data/prepare/assign.ts";
import { DEFAULT_MIN_SIZE } from "../../../data/prepare/defaults.ts";
import type { Prepared } from "../../../data/prepare/prepare.ts";
import { UsageError } from "../../../errors.ts";
import type { CliCommand } from "../../command.ts";
import { printJson, say } from "../../output.ts";
import { counter, note } from "../../progress.ts";
import { countTable } from "../../table.ts";
import { wholeNumber } from "../../whole-number.ts";
import { locationOf, type SourceFlags, sourceFlags } from "./source-flags.ts";

interface Options extends SourceFlags {
  out: string;
  split?: SplitShares;
  seed: number;
  minSize: number;
  overwrite?: true;
}

export const prepare: CliCommand = {
  register(command) {
    sourceFlags(command)
      .requiredOption("--out <folder>", "where the prepared images go")
      .option(
        "--split <shares>",
        "training, validation, test; default the source's own, or 70/15/15",
        parseSplit,
      )
      .option("--seed <number>", "which images go where", wholeNumber("--seed", 0), 42)
      .option(
        "--min-size <pixels>",
        "width and height that an image must have",
        wholeNumber("--min-size", 1),
        DEFAULT_MIN_SIZE,
      )
      .option("--overwrite", "replace what was prepared there in another way")
      .action(async (source: string, options: Options) => {
        const { ensureEngine } = await import("../../engine.ts");
        const { locateData } = await import("../../../data/datasets/index.ts");
        const { chooseClasses } = await import("../../../data/folders/choose-classes.ts");
        const { prepareCommand } = await import("../../../data/prepare/command.ts");
        const { prepareImages } = await import("../../../data/prepare/prepare.ts");
        const found = await locateData(locationOf(source, options));
        if (found.kind === "memory") {
          throw new UsageError(`${source} is whole and split already: nothing is to prepare`, {
            hint: `train on it with --data ${source}`,
          });
        }
        const listing = chooseClasses(found.listing, options.classes);
        const isDrawn = options.split !== undefined || !listing.hasSplits;
        if (!isDrawn && command.getOptionValueSource("seed") === "cli") {
          throw new UsageError(`--seed: ${source} has its own splits, so nothing is drawn`, {
            hint: "leave it out, or use --split to draw new splits",
          });
        }
        await ensureEngine();
        const progress = counter("checked");
        const prepared = await prepareImages(listing, {
          ...options,
          overwrite: options.overwrite === true,
          command: prepareCommand({ source, csv: options, ...options }),
          onProgress: progress.draw,
        });
        progress.clear();
        for (const text of prepared.notes) note(text);
        if (options.json) printJson(summary(options.out, prepared));
        else say(describe(options.out, prepared));
      });
  },
};

function parseSplit(text: string): SplitShares {
  const parts = text.split("/").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  const total = parts.reduce((sum, part) => sum + part, 0);
  const whole = [1, 100].find((sum) => Math.abs(total - sum) < 1e-9 * sum);
  if (parts.length !== 3 || whole === undefined || !parts.every((part) => part >= 0) || !parts[0]) {
    throw new UsageError(`--split: "${text}" given; allowed: three shares that make 100 or 1`, {
      hint: "for example --split 70/15/15: training, validation, test",
    });
  }
  return [parts[0]! / whole, parts[1]! / whole, parts[2]! / whole];
}

function countsOf({ manifest, rejected }: Prepared): Record<string, Record<string, number>> {
  const counts: Record<string, Record<string, number>> = {};
  const classes = new Set([...manifest.classes, ...rejected.map(({ className }) => className)]);
  for (const name of [...classes].sort()) counts[name] = { train: 0, val: 0, test: 0, rejected: 0 };
  for (const { file, className } of manifest.files) counts[className]![file.split("/")[0]!]!++;
  for (const { className } of rejected) counts[className]!["rejected"]!++;
  return counts;
}

function summary(out: string, prepared: Prepared) {
  const { manifest, rejected, linked, copied, resumed, notes } = prepared;
  const { classes, seed, split, minSize } = manifest;
  return {
    out,
    images: manifest.files.length,
    classes,
    seed,
    split,
    minSize,
    counts: countsOf(prepared),
    rejected,
    linked,
    copied,
    resumed,
    unchanged: linked + copied === 0,
    notes,
  };
}

function describe(out: string, prepared: Prepared): string {
  const { manifest, rejected, linked, copied, resumed } = prepared;
  const lines = [countTable(["train", "val", "test", "rejected"], countsOf(prepared))];
  const shown = rejected.slice(0, 5).map(({ file, reason }) => `  ${file}: ${reason}`);
  if (rejected.length > 0) {
    const more = rejected.length > shown.length ? `  … all of them in ${out}/rejected.csv` : "";
    lines.push(`${rejected.length} files set aside`, ...shown, ...(more ? [more] : []));
  }
  if (resumed > 0) lines.push(`${resumed} files had been checked by an interrupted run`);
  lines.push(
    linked + copied === 0
      ? `nothing to do: all ${manifest.files.length} images are in ${out}`
      : `${manifest.files.length} images in ${out} (${linked} linked, ${copied} copied)`,
  );
  return lines.join("\n");
}
