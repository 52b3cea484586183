import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeSampleRun } from "../../test/support/run-records.ts";
import { UsageError } from "../errors.ts";
import { readRun } from "../run/read.ts";
import { compareRuns } from "./compare.ts";
import { writeCurves } from "./draw-run.ts";
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
    for (const file of ["metrics.jsonl", "confusion_matrix.csv", "calibration.csv"])
      rmSync(run.path(file));
    expect(await writeCurves(run.dir)).toEqual([]);
    expect(existsSync(run.path("curves.png"))).toBe(false);
  });

  it("take on the page's colours where they stand for a role", () => {
    expect(themed('<text fill="#1b1f24"/><path fill="#0072b2"/>')).toBe(
      '<text fill="var(--ink)"/><path fill="#0072b2"/>',
    );
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
    // Two compared plots, two costs, curves of two runs with epochs; of three runs matrix, its shares, reliability.
    expect(html.match(/<svg /g)).toHaveLength(15);
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
    await expect(compareRuns({ out, title: evil })).rejects.toThrow(/have other classes/);
    const report = await compareRuns({ out, title: evil, force: true });
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

  it("draws accuracy against latency where it was measured, and says where that was not the same", async () => {
    const timed = (latencyMs: number, latencyOn: string) => ({ summary: { latencyMs, latencyOn } });
    writeSampleRun({ out, name: "a", ...timed(2.5, "CPU, 2 threads, bf16") });
    resnet(timed(12, "CPU, 2 threads, bf16"));
    const same = await compareRuns({ out });
    const html = readFileSync(same.html, "utf8");
    expect(["Accuracy against latency", "12 ms"].filter((text) => !html.includes(text))).toEqual(
      [],
    );
    expect(existsSync(join(out, "accuracy_latency.png"))).toBe(true);
    const differing = (said: readonly string[]) =>
      said.filter((text) => text.includes("Latencies"));
    expect(differing(same.findings)).toEqual([]);
    resnet(timed(12, "CPU, 4 threads, bf16"));
    expect(differing((await compareRuns({ out })).findings)).toHaveLength(1);
  });

  it("shows mistakes and explanations as pixels, and no file that only has their name", async () => {
    const [run, other] = [cnn(), resnet()];
    const png = await renderPng(
      '<svg xmlns="http://www.w3.org/2000/svg" width="80" height="20"></svg>',
    );
    writeFileSync(run.path("misclassified.png"), png);
    writeFileSync(run.path("explain.png"), png);
    writeFileSync(other.path("misclassified.png"), "<svg onload=alert(1)>");
    writeFileSync(other.path("explain.png"), png.subarray(0, 16));
    const html = readFileSync((await compareRuns({ out })).html, "utf8");
    expect(html.match(/<image [^>]*>/g)).toEqual(
      Array.from(
        { length: 2 },
        () =>
          `<image width="80" height="20" href="data:image/png;base64,${Buffer.from(png).toString("base64")}"/>`,
      ),
    );
    expect(html.includes("onload")).toBe(false);
    expect(html).toContain("img-src data:");
  });

  it("takes runs by name or folder, into another folder", async () => {
    const run = cnn();
    resnet();
    const report = await compareRuns({ out, runs: [run.dir, "cnn"], into: join(out, "x", "y") });
    expect(report.html).toBe(join(out, "x", "y", "report.html"));
    expect(report.runs.every((r) => r.name === "cnn")).toBe(true);
  });

  it("refuses runs of different test sets or classes, and makes no paired test between them", async () => {
    cnn();
    resnet({ images: 500 });
    await expect(compareRuns({ out })).rejects.toThrow(
      /cannot be set beside each other:\nresnet and cnn were tested on other images: 500 and 2,000/,
    );
    expect(existsSync(join(out, "report.html"))).toBe(false);
    const forced = await compareRuns({ out, force: true });
    expect(forced.pairs).toEqual([]);
    expect(forced.findings[0]).toContain("Careful");
    const images = (name: string, digest: string) => {
      const { summary } = readRun(join(out, name));
      const test = { ...summary!.test!, images: digest };
      writeFileSync(join(out, name, "summary.json"), JSON.stringify({ ...summary, test }));
    };
    resnet();
    images("cnn", "sha256:1");
    images("resnet", "sha256:2");
    await expect(compareRuns({ out })).rejects.toThrow(/their digests differ/);
    images("resnet", "sha256:1");
    expect((await compareRuns({ out })).pairs).toHaveLength(1);
  });

  it("leaves out damaged runs and what is none, and says so", async () => {
    cnn();
    resnet();
    const broken = resnet({ name: "broken" });
    writeFileSync(broken.path("summary.json"), '{"model": "resnet18"');
    const headless = resnet({ name: "headless" });
    rmSync(headless.path("environment.json"));
    const nan = resnet({ name: "nan" });
    const epochs = readFileSync(nan.path("metrics.jsonl"), "utf8");
    writeFileSync(nan.path("metrics.jsonl"), epochs.replace(/"valLoss":[\d.]+/, '"valLoss":NaN'));
    const torn = resnet({ name: "torn" });
    writeFileSync(torn.path("confusion_matrix.csv"), "true,a\na,1,2\n");
    mkdirSync(join(out, "lr-find"));
    writeFileSync(join(out, "notes.txt"), "mine");
    const names = readdirSync(out).map((name) => join(out, name));
    const { runs, leftOut, findings: said } = await compareRuns({ out, runs: names });
    expect(runs.map(({ name }) => name)).toEqual(["resnet", "cnn"]);
    expect(Object.fromEntries(leftOut.map(({ name, reason }) => [name, reason]))).toEqual({
      broken: expect.stringContaining("summary.json: not JSON") as string,
      headless: "config.json or environment.json is missing",
      nan: expect.stringContaining("metrics.jsonl:1: not JSON") as string,
      torn: expect.stringContaining("confusion_matrix.csv") as string,
      "lr-find": "it is no run’s folder",
      "notes.txt": "it is no run’s folder",
    });
    expect(said.filter((text) => text.startsWith("Left out: "))).toHaveLength(4);
  });

  it("uses no predictions of another run", async () => {
    const run = cnn();
    const other = resnet();
    writeFileSync(run.path("predictions.csv"), readFileSync(other.path("predictions.csv")));
    const { pairs, findings: said } = await compareRuns({ out });
    expect(pairs).toEqual([]);
    expect(said.at(-1)).toContain("the predictions.csv of cnn does not give its test accuracy");
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
  expect([0.0004, 0.0071, 0.1, 4.21, 42.4, 59.7, 88, 7530].map(duration)).toEqual([
    "0.4 ms",
    "7.1 ms",
    "0.1 s",
    "4.2 s",
    "42 s",
    "1 min 0 s",
    "1 min 28 s",
    "2 h 5 min",
  ]);
  expect([bytes(4.12e8), bytes(1.5e9), bytes(2.34e6)]).toEqual(["412 MB", "1.50 GB", "2.3 MB"]);
  expect(escapeHtml(`<a href='x'>"&`)).toBe("&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
  expect(escapeMarkdown("a|b\n<i>_x_")).toBe("a\\|b &lt;i>\\_x\\_");
  expect(shorten("abcdefghij", 5)).toBe("ab…ij");
});
