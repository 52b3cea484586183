import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Run } from "../run/read.ts";
import { costPlots } from "./draw-comparison.ts";
import type { Analysis } from "./findings/findings.ts";
import { count, escapeHtml, percent } from "./format.ts";
import { script, style } from "./page.ts";
import { comparedCurves } from "./plots/curves.ts";
import { accuracyIntervals } from "./plots/intervals.ts";
import { type Drawing, type Plot, renderSvg } from "./plots/render.ts";
import { themed } from "./plots/theme.ts";
import { readPng } from "./png.ts";
import { profiledRuns } from "./profile-tables.ts";
import type { ProfileSection } from "./profiles.ts";
import { runPlots } from "./run-plots.ts";
import { columnsOf, type PlainTable, settings, statisticsTables } from "./table.ts";
import { isFinished } from "./test-sets.ts";

/** More lines than these cannot be told apart; the best runs are drawn. */
const MOST_CURVES = 12;
/** With more runs, the parts of all but the first are closed at first, and only so many have pictures of images. */
const MOST_OPEN = 6;
/** Of a profile's tables: models, speed and memory, the parts of a step. What follows is long. */
const MOST_OPEN_TABLES = 3;

/** Files of a run's folder, and what they show. */
const drawnOfImages = { "misclassified.png": "Mistakes of", "explain.png": "What counts for" };

/**
 * The comparison as one page that needs no network: style, script and plots stand in it. Text from records is escaped, and
 * the page's policy lets nothing be loaded and no other script or style count.
 */
export async function htmlReport(
  title: string,
  analysis: Analysis,
  profiles: readonly ProfileSection[] = [],
): Promise<string> {
  const { runs, findings, pairs, groups } = analysis;
  const sections: string[] = [];
  for (const [i, run] of runs.entries()) sections.push(await runSection(run, i, runs.length));
  const body = [
    `<h1>${escapeHtml(title)}</h1>`,
    `<p class="muted">${escapeHtml(subtitle(runs))}</p>`,
    `<ul class="findings">${findings.map((text) => `<li>${escapeHtml(text)}</li>`).join("")}</ul>`,
    "<h2>Runs</h2>",
    '<p class="muted">A press on a column’s head sorts by it.</p>',
    runTable(runs),
    ...[...statisticsTables(pairs, groups), ...profiledRuns(runs)].map((table) =>
      plainTable(table, "h2"),
    ),
    ...(await comparedPlots(runs)),
    ...(await Promise.all(profiles.map(profileSection))),
    "<h2>Settings</h2>",
    '<p class="muted">Settings that differ come first and are marked.</p>',
    settingsTable(runs),
    "<h2>Each run</h2>",
    ...sections,
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy()}">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
${body.join("\n")}
<script>${script}</script>
</body>
</html>
`;
}

/** By hash: what else gets into the page is neither run nor obeyed. */
function policy(): string {
  const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  return [
    "default-src 'none'",
    `style-src ${hash(style)}`,
    `script-src ${hash(script)}`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

function subtitle(runs: readonly Run[]): string {
  const datasets = [...new Set(runs.flatMap((run) => run.summary?.dataset ?? []))];
  const images = [...new Set(runs.flatMap((run) => run.summary?.test?.n ?? []))];
  const tested = images.length === 1 ? `, tested on ${count(images[0]!)} images` : "";
  return `${runs.length} run${runs.length === 1 ? "" : "s"} on ${datasets.join(", ") || "no data yet"}${tested}`;
}

function plainTable({ title, note, head, rows }: PlainTable, level: "h2" | "h3"): string {
  const kind = (i: number) => (i === 0 ? ' class="name"' : ' class="number"');
  const heads = head.map((text, i) => `<th scope="col"${kind(i)}>${escapeHtml(text)}</th>`);
  const body = rows.map(
    (row) => `<tr>${row.map((text, i) => `<td${kind(i)}>${escapeHtml(text)}</td>`).join("")}</tr>`,
  );
  return `<${level}>${escapeHtml(title)}</${level}>\n<p class="muted">${escapeHtml(note)}</p>\n<div class="scroll"><table><thead><tr>${heads.join("")}</tr></thead><tbody>${body.join("\n")}</tbody></table></div>`;
}

async function profileSection(section: ProfileSection): Promise<string> {
  const { title, facts, pictures, tables } = section;
  const parts = [
    `<h2>${escapeHtml(title)}</h2>`,
    `<ul>${facts.map((text) => `<li>${escapeHtml(text)}</li>`).join("")}</ul>`,
    ...(await Promise.all(pictures.map(figure))),
    ...tables.slice(0, MOST_OPEN_TABLES).map((table) => plainTable(table, "h3")),
  ];
  const more = tables.slice(MOST_OPEN_TABLES).map((table) => plainTable(table, "h3"));
  if (more.length > 0) {
    const summary = "<summary>Shares of operators, layers, stages and modules</summary>";
    parts.push(`<details>${summary}\n${more.join("\n")}</details>`);
  }
  return parts.join("\n");
}

function runTable(runs: readonly Run[]): string {
  const columns = columnsOf(runs);
  const isNumber = columns.map((column) =>
    runs.some((run) => typeof column.sortBy(run) === "number"),
  );
  // Names of runs may break, or the numbers would be pushed out of sight.
  const kind = (i: number) => (isNumber[i] ? ' class="number"' : i === 0 ? ' class="name"' : "");
  const head = columns.map(
    (column, i) => `<th scope="col"${kind(i)}><button>${escapeHtml(column.title)}</button></th>`,
  );
  const rows = runs.map((run) => {
    const cells = columns.map((column, i) => {
      const key = escapeHtml(String(column.sortBy(run) ?? ""));
      return `<td${kind(i)} data-sort="${key}">${escapeHtml(column.text(run) ?? "–")}</td>`;
    });
    return `<tr>${cells.join("")}</tr>`;
  });
  return `<div class="scroll"><table><thead><tr>${head.join("")}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>`;
}

async function comparedPlots(runs: readonly Run[]): Promise<string[]> {
  const plots: Plot[] = [];
  // A run has one colour on the page, though not every run is in every plot.
  const tested = runs.flatMap((run, look) =>
    isFinished(run) ? [{ label: run.name, look, ...run.summary.test }] : [],
  );
  if (tested.length > 1) plots.push(accuracyIntervals(tested));
  const trained = runs.flatMap(({ name, epochs }, look) =>
    epochs.length > 0 ? [{ label: name, look, epochs }] : [],
  );
  if (trained.length > 1) plots.push(comparedCurves(trained.slice(0, MOST_CURVES)));
  const figures = await Promise.all(plots.map(figure));
  if (trained.length > MOST_CURVES) {
    const note = `Curves of the ${MOST_CURVES} best runs; the others are below.`;
    figures.push(`<p class="muted">${note}</p>`);
  }
  // Of one run there is nothing to hold its accuracy against.
  const costs = tested.length > 1 ? costPlots(runs) : [];
  const drawn = costs.map(({ svg }) => zoomable(themed(svg)));
  return drawn.length === 0 ? figures : [...figures, `<div class="side">${drawn.join("\n")}</div>`];
}

function settingsTable(runs: readonly Run[]): string {
  const rows = settings(runs).map(({ key, values, differs }) => {
    const cells = values.map((value) => `<td>${escapeHtml(value ?? "–")}</td>`).join("");
    return `<tr${differs ? ' class="differs"' : ""}><td>${escapeHtml(key)}</td>${cells}</tr>`;
  });
  const heads = ["Setting", ...runs.map((run) => run.name)]
    .map((name) => `<th scope="col">${escapeHtml(name)}</th>`)
    .join("");
  return `<div class="scroll"><table><thead><tr>${heads}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>`;
}

async function runSection(run: Run, index: number, total: number): Promise<string> {
  const parts: string[] = [];
  for (const { file, draw } of runPlots) {
    const plot = draw(run);
    if (plot === undefined) continue;
    // A page has one name space for ids, and runs of different folders may share a name.
    const drawn = await figure("id" in plot ? { ...plot, id: `run${index}-${plot.id}` } : plot);
    // The matrix and the classes say the same in two ways: side by side.
    const beside = file === "confusion_matrix" ? run.perClass : undefined;
    parts.push(beside ? `<div class="side">${drawn}\n${classTable(beside)}</div>` : drawn);
  }
  if (index < MOST_OPEN) parts.push(...pictures(run));
  if (run.confusion === undefined && run.perClass !== undefined)
    parts.push(classTable(run.perClass));
  if (run.summary?.reason !== undefined) {
    parts.push(`<p>Ended early: ${escapeHtml(run.summary.reason)}</p>`);
  }
  parts.push(`<p class="muted">${escapeHtml(run.dir)}</p>`);
  const open = index === 0 || total <= MOST_OPEN ? " open" : "";
  return `<details${open}><summary>${escapeHtml(run.name)}</summary>\n${parts.join("\n")}</details>`;
}

function classTable(rows: NonNullable<Run["perClass"]>): string {
  const body = rows.map(
    ({ name, precision, recall, f1, support }) =>
      `<tr><td>${escapeHtml(name)}</td>${[
        percent(precision),
        percent(recall),
        f1.toFixed(4),
        count(support),
      ]
        .map((text) => `<td class="number">${text}</td>`)
        .join("")}</tr>`,
  );
  const heads = ["Class", "Precision", "Recall", "F1", "Images"].map(
    (head, i) => `<th scope="col"${i === 0 ? "" : ' class="number"'}>${head}</th>`,
  );
  return `<div class="scroll"><table><thead><tr>${heads.join("")}</tr></thead><tbody>${body.join("\n")}</tbody></table></div>`;
}

async function figure(plot: Drawing): Promise<string> {
  return zoomable(themed(await renderSvg(plot)));
}

function zoomable(svg: string): string {
  return `<figure>${svg}<button class="zoom">enlarge</button></figure>`;
}

/** What was drawn of images, as pixels: a file of the run's folder is no markup of this page. */
function pictures({ dir, name }: Run): string[] {
  return Object.entries(drawnOfImages).flatMap(([file, what]) => {
    const picture = readPng(join(dir, file));
    if (picture === undefined) return [];
    // Drawn at twice its size.
    const [width, height] = [picture.width / 2, picture.height / 2];
    const size = `width="${width}" height="${height}"`;
    const data = Buffer.from(picture.png).toString("base64");
    return zoomable(
      `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(`${what} ${name}`)}"><image ${size} href="data:image/png;base64,${data}"/></svg>`,
    );
  });
}
