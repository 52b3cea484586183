import type { Analysis } from "./findings/findings.ts";
import { count, escapeMarkdown, percent } from "./format.ts";
import { profiledRuns } from "./profile-tables.ts";
import type { ProfileSection } from "./profiles.ts";
import { columnsOf, settings, statisticsTables } from "./table.ts";

/** The comparison as Markdown. */
export function markdownReport(
  title: string,
  analysis: Analysis,
  profiles: readonly ProfileSection[] = [],
): string {
  const { runs, findings, pairs, groups } = analysis;
  const columns = columnsOf(runs);
  const parts = [`# ${escapeMarkdown(title)}`, ""];
  for (const finding of findings) parts.push(`- ${escapeMarkdown(finding)}`);
  parts.push("", "## Runs", "");
  parts.push(
    markdownTable(
      columns.map((column) => column.title),
      runs.map((run) => columns.map((column) => column.text(run) ?? "–")),
    ),
  );
  for (const { title, note, head, rows } of [
    ...statisticsTables(pairs, groups),
    ...profiledRuns(runs),
  ]) {
    parts.push(`## ${escapeMarkdown(title)}`, "", note, "", markdownTable(head, rows));
  }
  for (const { title, facts, tables } of profiles) {
    parts.push(`## ${escapeMarkdown(title)}`, "");
    parts.push(...facts.map((text) => `- ${escapeMarkdown(text)}`), "");
    for (const { title, note, head, rows } of tables) {
      parts.push(`### ${escapeMarkdown(title)}`, "", escapeMarkdown(note), "");
      parts.push(markdownTable(head, rows));
    }
  }
  parts.push("## Settings", "");
  parts.push(
    markdownTable(
      ["Setting", ...runs.map((run) => run.name)],
      settings(runs).map((row) => [row.key, ...row.values.map((value) => value ?? "–")]),
    ),
  );
  for (const run of runs) {
    if (run.perClass === undefined) continue;
    parts.push(`## Classes of ${escapeMarkdown(run.name)}`, "");
    const rows = run.perClass.map((row) => [
      row.name,
      percent(row.precision),
      percent(row.recall),
      row.f1.toFixed(4),
      count(row.support),
    ]);
    parts.push(markdownTable(["Class", "Precision", "Recall", "F1", "Images"], rows));
  }
  return parts.join("\n");
}

/** Cells are escaped. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escapeMarkdown).join(" | ")} |\n`;
  return `${line(head)}|${" --- |".repeat(head.length)}\n${rows.map(line).join("")}`;
}
