import type { DuplicateGroups, ImageName, InfoReport } from "../../../data/info/report.ts";
import { UsageError } from "../../../errors.ts";
import { printableLine } from "../../../platform/printable.ts";
import type { CliCommand } from "../../command.ts";
import { printJson, printText, say } from "../../output.ts";
import { counter, note } from "../../progress.ts";
import { countTable } from "../../table.ts";
import { locationOf, type SourceFlags, sourceFlags } from "./source-flags.ts";

interface Options extends SourceFlags {
  near?: number;
  sheet?: string | false;
}

export const info: CliCommand = {
  register(command) {
    sourceFlags(command)
      .option("--near <distance>", "up to which two images are near duplicates", parseDistance)
      .option("--sheet <file>", "the contact sheet, a PNG; default <name>-sheet.png")
      .option("--no-sheet", "no contact sheet")
      .action(async (source: string, options: Options) => {
        const { ensureEngine } = await import("../../engine.ts");
        const { locateData } = await import("../../../data/datasets/index.ts");
        const { chooseSource } = await import("../../../data/info/choose.ts");
        const { surveySource } = await import("../../../data/info/survey.ts");
        const { examineSurvey } = await import("../../../data/info/report.ts");
        const found = chooseSource(await locateData(locationOf(source, options)), options.classes);
        await ensureEngine();
        const progress = counter("read");
        const survey = await surveySource(found, progress.draw);
        progress.clear();
        const examination = examineSurvey(survey, options.near);
        const { report } = examination;
        const sheet =
          options.sheet === false ? undefined : (options.sheet ?? `${report.name}-sheet.png`);
        if (sheet !== undefined) {
          const { dataSheet } = await import("../../../report/data-sheet.ts");
          const { writeDurably } = await import("../../../platform/durable.ts");
          writeDurably(sheet, [await dataSheet(survey, examination)]);
        }
        if (options.json) {
          printJson({ ...report, sheet: sheet ?? null });
          return;
        }
        for (const text of report.notes) note(text);
        printText(`${describe(report)}\n`);
        if (sheet !== undefined) say(`contact sheet: ${sheet}`);
      });
  },
};

function parseDistance(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 0.1) return value;
  throw new UsageError(`--near: "${text}" given; allowed: a distance from 0 to 0.1`);
}

const MOST_LINES = 10;

function describe(report: InfoReport): string {
  const { counts, sizes, mean, std, damaged, exact, near, imbalance } = report;
  const columns = Object.keys(Object.values(counts)[0] ?? {});
  const size = ([width, height]: readonly [number, number]) => `${width} × ${height}`;
  const frequency = (values: Readonly<Record<string, number>>) =>
    Object.entries(values)
      .map(([name, count]) => `${name} ${count.toLocaleString("en")}`)
      .join(", ");
  const figures = (values: readonly number[]) => values.map((value) => value.toFixed(4)).join(" ");
  const formats = frequency(report.formats);
  return [
    `${report.name}: ${report.images.toLocaleString("en")} images of ${report.classes.length} classes`,
    countTable(columns, counts),
    `balance          ${balance(imbalance)}`,
    sizes.distinct === 1
      ? `size             all ${size(sizes.smallest)}`
      : `size             ${size(sizes.smallest)} to ${size(sizes.largest)}, median ${size(sizes.median)}, ${sizes.distinct} different`,
    `mode             ${frequency(report.modes)}${formats === "" ? "" : `; ${formats}`}`,
    `mean             ${figures(mean)}   deviation ${figures(std)}   (of pixel/255${columns.includes("train") ? ", training images" : ""})`,
    ...damagedLines(damaged),
    ...(exact.bytes ? duplicateLines("same bytes", exact.bytes) : []),
    ...duplicateLines("same pixels", exact.pixels),
    ...nearLines(near),
  ].join("\n");
}

function balance({ ratio, largest, smallest }: InfoReport["imbalance"]): string {
  if (ratio === null) return `warning: no training image of ${smallest}`;
  if (ratio === 1) return "every class has as many images";
  const text = `${largest} has ${ratio.toFixed(1)} times as many images as ${smallest}`;
  return ratio > 3 ? `warning: ${text}` : text;
}

function damagedLines(damaged: InfoReport["damaged"]): string[] {
  const lines = damaged
    .slice(0, MOST_LINES)
    .map(({ name, reason }) => printableLine(`  ${name}: ${reason}`));
  return damaged.length === 0
    ? []
    : [
        `damaged          ${damaged.length} files cannot be decoded`,
        ...lines,
        ...rest(damaged, lines),
      ];
}

function duplicateLines(title: string, found: DuplicateGroups): string[] {
  const head = title.padEnd(17);
  if (found.groups === 0) return [`${head}none`];
  const lines = found.shown
    .slice(0, MOST_LINES)
    .map((group) => `  ${group.slice(0, 4).map(spoken).join("  =  ")}`);
  return [
    `${head}${found.groups} images are there more than once (${found.extra} copies), ${found.acrossSplits} in two splits, ${found.acrossClasses} in two classes`,
    ...lines,
    ...(found.groups > lines.length ? [`  … ${found.groups - lines.length} more`] : []),
  ];
}

function nearLines(near: InfoReport["near"]): string[] {
  const title = "near duplicates  ";
  const how = `${near.measure}, up to ${near.threshold}`;
  const flat = near.flat > 0 ? [`  ${near.flat} images without a pattern are not compared`] : [];
  if (near.pairs === 0) return [`${title}none (${how})`, ...flat];
  const lines = near.shown
    .slice(0, MOST_LINES)
    .map(({ a, b, distance }) => `  ${distance.toFixed(5)}  ${spoken(a)}  ~  ${spoken(b)}`);
  const pairs = `${near.truncated ? "more than " : ""}${near.pairs.toLocaleString("en")} pairs`;
  return [
    `${title}${pairs}, ${near.acrossSplits} across splits, ${near.acrossClasses} in two classes (${how})`,
    ...lines,
    ...(near.pairs > lines.length ? [`  … ${near.pairs - lines.length} more`] : []),
    ...flat,
  ];
}

function rest(all: readonly unknown[], shown: readonly unknown[]): string[] {
  return all.length > shown.length ? [`  … ${all.length - shown.length} more`] : [];
}

function spoken({ name, className }: ImageName): string {
  return printableLine(name.includes(className) ? name : `${name} (${className})`);
}
