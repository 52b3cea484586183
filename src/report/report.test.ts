import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeSampleRun } from "../../test/support/run-records.ts";
import { UsageError } from "../errors.ts";
import { readRun } from "../run/read.ts";
import { compareRuns } from "./compare.ts";
import { writeCurves } from "./draw-run.ts";
import { findings } from "./findings.ts";
import { bytes, count, duration, escapeHtml, escapeMarkdown, percent, times } from "./format.ts";
import { trainingCurves } from "./plots/curves.ts";
import { renderPng, renderSvg } from "./plots/render.ts";
import { shorten, themed } from "./plots/theme.ts";
import { settings } from "./table.ts";

let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "thaw-report-"));
});
afterEach(() => rmSync(out, { recursive: true }));

const cnn = () => writeSampleRun({ out, name: "cnn", skill: 0.9 });
const resnet = (more: Partial<Parameters<typeof writeSampleRun>[0]> = {}) =>
  writeSampleRun({
    out,
    name: "resnet",
    model: "resnet18",
    skill: 0.95,
    trainSeconds: 88,
    parameters: 11_000_000,
    ...more,
  });
const all = (...runs: { dir: string }[]) => runs.map((run) => readRun(run.dir));

/** Width and height from a PNG's header. */
function pngSize(png: Uint8Array): [number, number] {
  const view = new DataView(png.buffer, png.byteOffset);
  return [view.getUint32(16), view.getUint32(20)];
}

describe("plots", () => {
  it("are drawn into the run's folder, as SVG and as PNG of twice its size", async () => {
    const run = cnn();
    expect(await writeCurves(run.dir)).toEqual([
      "curves.svg",
      "curves.png",
      "confusion_matrix.svg",
      "confusion_matrix.png",
      "confusion_matrix_normalised.svg",
      "confusion_matrix_normalised.png",
      "reliability.svg",
      "reliability.png",
    ]);
    const svg = readFileSync(run.path("curves.svg"), "utf8");
    const png = new Uint8Array(readFileSync(run.path("curves.png")));
    expect(Buffer.from(png.subarray(0, 4)).toString("latin1")).toBe("\x89PNG");
    const [width, height] = ["width", "height"].map((side) =>
      Number(/<svg width="(\d+)" height="(\d+)"/.exec(svg)?.[side === "width" ? 1 : 2]),
    );
    expect(pngSize(png)).toEqual([2 * width!, 2 * height!]);
    for (const text of [
      "Loss",
      "accuracy (%)",
      "learning rate",
      "training",
      "validation",
      "epoch",
    ]) {
      expect(svg).toContain(`>${text}</text>`);
    }
    const matrix = readFileSync(run.path("confusion_matrix.svg"), "utf8");
    const labels = ["T-shirt/top", "Ankle boot", "true class", "predicted class"];
    expect(labels.filter((text) => !matrix.includes(`>${text}</text>`))).toEqual([]);
  });

  it("have text in the PNG: without the bundled font there would be none", async () => {
    const svg = (text: string) =>
      `<svg xmlns="http://www.w3.org/2000/svg" width="80" height="20"><text x="4" y="15" font-size="12" fill="#000" font-family="DejaVu Sans">${text}</text></svg>`;
    const [blank, written] = await Promise.all([renderPng(svg("")), renderPng(svg("loss"))]);
    expect(Buffer.from(written).equals(Buffer.from(blank))).toBe(false);
  });

  it("are the same bytes every time", async () => {
    const { epochs } = readRun(cnn().dir);
    const draw = () => renderSvg(trainingCurves("cnn", epochs, { epoch: 3 }));
    expect(await draw()).toBe(await draw());
  });

  it("draw nothing for a run without epochs and without results", async () => {
    const run = cnn();
    for (const file of ["metrics.jsonl", "confusion_matrix.csv"]) rmSync(run.path(file));
    expect(await writeCurves(run.dir)).toEqual([]);
    expect(existsSync(run.path("curves.png"))).toBe(false);
  });

  it("take on the page's colours where they stand for a role", () => {
    expect(themed('<text fill="#1b1f24"/><path fill="#0072b2"/>')).toBe(
      '<text fill="var(--ink)"/><path fill="#0072b2"/>',
    );
  });
});

describe("findings", () => {
  it("name the best, its interval, what it costs and where it errs", () => {
    const said = findings(all(cnn(), resnet()));
    expect(said[0]).toBe(
      "resnet has the highest test accuracy: 95.05 % (95 % interval 94.01 to 95.92 %, 2,000 images).",
    );
    expect(said[1]).toContain("lies above all others: the 4.95 points before cnn");
    expect(said).toContain(
      "cnn trained fastest, in 33 s; resnet took 1 min 28 s (2.7 times as long) for 4.95 points of accuracy.",
    );
    expect(said).toContain(
      "cnn is the smallest with 2,474,506 parameters; resnet has 11,000,000 (4.4 times as many) for 4.95 points of accuracy.",
    );
    expect(said.at(-1)).toMatch(/most frequent mistake of resnet: “.+” taken for “.+”, \d of 200/);
  });

  it("do not call a winner where intervals overlap", () => {
    const said = findings(all(cnn(), resnet({ skill: 0.91 })));
    expect(said[1]).toContain("overlaps with that of cnn: with 2,000 test images this is no clear");
    const same = findings(all(cnn(), resnet({ skill: 0.9 })));
    expect(same.some((text) => text.includes("have the same test accuracy"))).toBe(true);
  });

  it("warn where runs were not tested on the same images", () => {
    expect(findings(all(cnn(), resnet({ images: 500 })))[0]).toContain("not tested on the same");
    const dataset = { name: "fashion-mnist", fingerprint: "other" };
    expect(findings(all(cnn(), resnet({ name: "b", environment: { dataset } })))[0]).toContain(
      "its fingerprint is not the same",
    );
    expect(
      findings(all(cnn(), resnet({ name: "c", environment: { threads: 8 } }))).join(),
    ).toContain("different machines or thread counts");
  });

  it("see a run that was still getting better, and one that overfits", () => {
    const better = resnet({ summary: { best: { epoch: 8, valAccuracy: 0.9, valLoss: 0.3 } } });
    expect(findings(all(better)).join()).toContain("resnet had its best epoch last");
    const run = cnn();
    const last = {
      ...readRun(run.dir).epochs.at(-1)!,
      epoch: 9,
      trainAccuracy: 1,
      valAccuracy: 0.8,
    };
    run.appendEpoch(last);
    expect(findings(all(run)).join()).toContain("cnn ends 20.0 points better on its training");
  });

  it("list what has no results yet instead of failing on it", () => {
    const running = cnn();
    for (const file of ["summary.json", "confusion_matrix.csv", "per_class.csv"]) {
      rmSync(running.path(file));
    }
    expect(findings(all(running, resnet())).at(-1)).toBe(
      "Not ranked, without test results yet: cnn.",
    );
    expect(findings([])).toEqual([]);
    expect(findings(all(resnet()))[0]).toMatch(/^resnet reached a test accuracy of 95\.05 %/);
  });
});

describe("the report", () => {
  it("ranks all runs of a folder and holds their tables, plots and settings", async () => {
    cnn();
    resnet({ config: { lr: 0.01 } });
    writeSampleRun({ out, name: "logistic", skill: 0.84, epochs: 0, parameters: 7850 });
    const report = await compareRuns({ out });
    expect(report.runs.map((run) => run.name)).toEqual(["resnet", "cnn", "logistic"]);
    const html = readFileSync(report.html, "utf8");
    // Two compared plots, curves of two runs with epochs, three matrices.
    expect(html.match(/<svg /g)).toHaveLength(7);
    // Not toContain: a failure would print the page.
    const shown = ["95.05 %", "94.01 to 95.92 %", "11,000,000", "1 min 28 s", "412 MB"];
    expect(shown.filter((text) => !html.includes(text))).toEqual([]);
    const markdown = readFileSync(report.markdown, "utf8");
    expect(markdown).toContain("| resnet | resnet18 | scratch | 11,000,000 | 8 | 95.05 % |");
    expect(markdown).toMatch(/\| lr \| 0\.01 \| 0\.001 \| 0\.001 \|/);
    expect(markdown).toContain("## Classes of logistic");
  });

  it("needs no network and has no id twice", async () => {
    cnn();
    resnet();
    const html = readFileSync((await compareRuns({ out })).html, "utf8");
    const addresses = html.match(/(?:https?:)?\/\/[a-z][^\s"'<)]*/g) ?? [];
    expect(addresses.filter((url) => !url.startsWith("http://www.w3.org/"))).toEqual([]);
    expect(html.match(/<(link|img|iframe)|src=|@import|url\((?!#)/g)).toBeNull();
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(ids.length);
    expect(html.includes("prefers-color-scheme: dark")).toBe(true);
    expect(html.includes('"var(--ink)"')).toBe(true);
  });

  it("escapes whatever stands in a record", async () => {
    const evil = '<script>alert(1)</script>"&|`';
    writeSampleRun({
      out,
      name: "a",
      classes: [evil, "b", "</svg><img src=x>"],
      config: { note: evil },
      summary: { model: evil, dataset: evil, reason: evil },
    });
    writeSampleRun({ out, name: "b" });
    const report = await compareRuns({ out, title: evil });
    const html = readFileSync(report.html, "utf8");
    expect(html.match(/<script>/g)).toHaveLength(1);
    expect(html.includes("<img")).toBe(false);
    expect(html.match(/<svg /g)!.length).toBe(html.match(/<\/svg>/g)!.length);
    const markdown = readFileSync(report.markdown, "utf8");
    expect(markdown).not.toContain("<script>");
    expect(markdown.split("\n").filter((line) => line.startsWith("| note"))).toEqual([
      expect.stringMatching(/^\| note \| [^|]*\\\|\\` \| – \|$/) as string,
    ]);
  });

  it("takes runs by name or folder, into another folder", async () => {
    const run = cnn();
    resnet();
    const report = await compareRuns({ out, runs: [run.dir, "cnn"], into: join(out, "x", "y") });
    expect(report.html).toBe(join(out, "x", "y", "report.html"));
    expect(report.runs.every((r) => r.name === "cnn")).toBe(true);
  });

  it("refuses an empty folder, an unknown run and a damaged record", async () => {
    await expect(compareRuns({ out })).rejects.toThrow(UsageError);
    const run = cnn();
    await expect(compareRuns({ out, runs: ["cnm"] })).rejects.toThrow(/cnm: no run of this name/);
    writeFileSync(run.path("summary.json"), "{");
    await expect(compareRuns({ out })).rejects.toThrow(/summary\.json: not JSON/);
  });
});

it("puts settings that differ first and opens groups", () => {
  const a = cnn();
  const b = resnet({ config: { augment: { crop: 4, flip: true }, betas: [0.9, 0.99] } });
  const rows = settings(all(a, b));
  const different = rows.filter((row) => row.differs).map((row) => row.key);
  expect(different).toEqual(["model", "augment.crop", "augment.flip", "betas"]);
  expect(rows.slice(0, 4).map((row) => row.key)).toEqual(different);
  expect(rows.find((row) => row.key === "betas")?.values).toEqual([undefined, "0.9, 0.99"]);
});

it("writes numbers as people read them", () => {
  expect([count(1234567), count(12), percent(0.91234), times(2.71), times(27.1)]).toEqual([
    "1,234,567",
    "12",
    "91.23 %",
    "2.7",
    "27",
  ]);
  expect([duration(4.21), duration(42.4), duration(88), duration(7530)]).toEqual([
    "4.2 s",
    "42 s",
    "1 min 28 s",
    "2 h 5 min",
  ]);
  expect([bytes(4.12e8), bytes(1.5e9), bytes(2.34e6)]).toEqual(["412 MB", "1.50 GB", "2.3 MB"]);
  expect(escapeHtml(`<a href='x'>"&`)).toBe("&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
  expect(escapeMarkdown("a|b\n<i>_x_")).toBe("a\\|b &lt;i>\\_x\\_");
  expect(shorten("abcdefghij", 5)).toBe("ab…ij");
});
