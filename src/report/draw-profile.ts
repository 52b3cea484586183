import { basename, join } from "node:path";
import { writeDurably } from "../platform/durable.ts";
import { largestMeasured, type Profile, readProfile } from "../run/profile.ts";
import { count, escapeMarkdown } from "./format.ts";
import { markdownTable } from "./markdown.ts";
import { stackedBars } from "./plots/profile-bars.ts";
import { throughputPlot } from "./plots/profile-speed.ts";
import { type Drawing, writePlot } from "./plots/render.ts";
import type { Svg } from "./plots/svg.ts";
import { profileTables } from "./profile-tables.ts";

/**
 * Writes `profile.md` and the pictures of a profile into its folder: `profile-step`, the parts of a step;
 * `profile-operators`, shares of the kinds of operators; `profile-throughput`, where there are several batch sizes. Each
 * as SVG and PNG. Returns the files' names.
 */
export async function writeProfileReport(dir: string, profile?: Profile): Promise<string[]> {
  const known = profile ?? readProfile(dir);
  if (known === undefined) return [];
  const files = [join(dir, "profile.md")];
  writeDurably(files[0]!, markdownProfile(known));
  for (const { name, drawing } of profilePictures(known)) {
    files.push(...(await writePlot(drawing, join(dir, name))));
  }
  return files.map((path) => basename(path));
}

/** The pictures of a profile before they are drawn, by their files' names. */
export function profilePictures(
  profile: Profile,
): { readonly name: string; readonly drawing: Drawing }[] {
  const [step, operators] = [stepBars(profile), operatorBars(profile)];
  const isSeveral = profile.models.some(({ batches }) => batches.filter(isMeasured).length > 1);
  return [
    ...(step ? [{ name: "profile-step", drawing: step }] : []),
    ...(operators ? [{ name: "profile-operators", drawing: operators }] : []),
    ...(isSeveral ? [{ name: "profile-throughput", drawing: throughputPlot(profile) }] : []),
  ];
}

/** What a person reads of a profile in a terminal. */
export function describeProfile(profile: Profile): string {
  const tables = profileTables(profile).map(({ title, head, rows }) => {
    const all = [head, ...rows];
    const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
    const line = (row: readonly string[]) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join("  ")
        .trimEnd();
    return [title, ...all.map((row) => `  ${line(row)}`), ""].join("\n");
  });
  return [...headLines(profile), "", ...tables, ...profile.notes.map((text) => `note: ${text}`)]
    .join("\n")
    .concat("\n");
}

/** The profile as Markdown. */
export function markdownProfile(profile: Profile): string {
  const parts = ["# Profile", "", ...headLines(profile).map((text) => `- ${escapeMarkdown(text)}`)];
  parts.push(...profile.notes.map((text) => `- ${escapeMarkdown(text)}`), "");
  for (const { title, note, head, rows } of profileTables(profile)) {
    parts.push(
      `## ${escapeMarkdown(title)}`,
      "",
      escapeMarkdown(note),
      "",
      markdownTable(head, rows),
    );
  }
  return parts.join("\n");
}

/** Of what, on what, and how fast that is. */
export function headLines({ status, mode, data, models, ...profile }: Profile): string[] {
  const { gemm, cpu, threads, libtorch, precision, device } = profile;
  const warmup = models
    .flatMap(({ batches }) => batches)
    .find((batch) => batch.kind === "measured")?.warmup;
  const images = data === "drawn" ? "drawn images" : `images of ${data}`;
  return [
    ...(status === "finished" ? [] : ["Interrupted: this is what was measured until then."]),
    `${mode === "train" ? "Training steps" : "Forward passes"} in ${precision} on ${device}, ${images}`,
    `${cpu}, ${threads} thread${threads === 1 ? "" : "s"}, libtorch ${libtorch}`,
    ...(gemm === null
      ? []
      : [
          `a matrix product reaches ${count(gemm.fp32)} GFLOP/s in fp32, ${count(gemm.used)} in ${precision}`,
        ]),
    ...(warmup === undefined
      ? []
      : [
          `medians of the timed steps, after ${warmup} step${warmup === 1 ? "" : "s"} of warm-up; spread: their middle half over the median`,
        ]),
  ];
}

function isMeasured({ kind }: Profile["models"][number]["batches"][number]): boolean {
  return kind === "measured";
}

/** Milliseconds an image, so that batches can be compared. */
function stepBars({ models }: Profile): Svg | undefined {
  const bars = models.flatMap((model) =>
    model.batches.flatMap((batch) => {
      if (batch.kind !== "measured") return [];
      const { data, forward, backward, optimizer, other } = batch.phases;
      const values = [data, forward, backward, optimizer, other].map((ms) => ms / batch.batchSize);
      const sum = values.reduce((total, value) => total + value, 0);
      const total = `${Number(sum.toPrecision(3))} ms`;
      return [{ label: `${model.model}, ${batch.batchSize}`, total, values }];
    }),
  );
  if (bars.length === 0) return undefined;
  const parts = ["data", "forward", "backward", "optimizer", "other"];
  return stackedBars("Time of an image by what a step does (model, batch size)", parts, bars);
}

/** Kinds that are drawn apart. */
const MOST_KINDS = 7;

function operatorBars({ models }: Profile): Svg | undefined {
  const profiled = models.flatMap((model) =>
    model.shares ? [{ model, shares: model.shares }] : [],
  );
  if (profiled.length === 0) return undefined;
  const sums = new Map<string, number>();
  for (const { kind, share } of profiled.flatMap(({ shares }) => shares.kinds)) {
    sums.set(kind, (sums.get(kind) ?? 0) + share);
  }
  const kinds = [...sums]
    .sort(([, a], [, b]) => b - a)
    .map(([kind]) => kind)
    .slice(0, MOST_KINDS);
  const bars = profiled.map(({ model, shares }) => {
    const own = kinds.map((kind) => shares.kinds.find((row) => row.kind === kind)?.share ?? 0);
    const known = shares.inOperators + shares.inCalls;
    const rest = Math.max(0, known - own.reduce((sum, value) => sum + value, 0));
    const values = [...own, rest, Math.max(0, 1 - known)];
    const total = `${Number(shares.stepMs.toPrecision(3))} ms`;
    return {
      label: `${model.model}, ${largestMeasured(model)?.batchSize ?? shares.batchSize}`,
      total,
      values,
    };
  });
  const parts = [...kinds, "other operators", "in JavaScript"];
  return stackedBars("Share of a step by kind of operator (model, batch size)", parts, bars);
}
