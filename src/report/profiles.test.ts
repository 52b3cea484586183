import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeSampleRun } from "../../test/support/run-records.ts";
import { UsageError } from "../errors.ts";
import type { MeasuredBatch, Profile, ProfiledModel } from "../run/profile.ts";
import { compareRuns } from "./compare.ts";

let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "thaw-report-profiles-"));
  writeSampleRun({ out, name: "cnn", skill: 0.9 });
  writeSampleRun({ out, name: "resnet", model: "resnet18", skill: 0.95 });
});
afterEach(() => rmSync(out, { recursive: true }));

const batch = (batchSize: number): MeasuredBatch => ({
  ...{ kind: "measured", batchSize, steps: 30, warmup: 3 },
  latency: { p50: batchSize + 0.25, p95: batchSize + 1, p99: batchSize + 2 },
  ...{ spread: 0.02, noisy: false, imagesPerSecond: 876 },
  phases: { data: 0, forward: 1, backward: 2, optimizer: 0.5, other: 0.1 },
  ...{ peakTensorBytes: 5e6, peakProcessBytes: 2e8, gflops: 100, ofGemm: 0.25 },
});

const row = { forwardMs: 1, backwardMs: 2, share: 0.9 };
const profiled = (model: string): ProfiledModel => ({
  ...{ model, input: [3, 32, 32], classes: 10, parameters: 1000, multiplyAdds: 1e6 },
  batches: [batch(8), batch(32)],
  shares: {
    ...{ batchSize: 32, steps: 3, stepMs: 32.25, inOperators: 0.93, inCalls: 0.04, dropped: 0 },
    kinds: [{ kind: "convolution", ms: 20, share: 0.62 }],
    operators: [{ name: "aten::conv2d", kind: "convolution", calls: 3, ms: 20, share: 0.62 }],
    layers: [{ type: "Conv2d", ...row }],
    stages: [{ stage: "stem", ...row }],
    modules: [{ name: "conv1", type: "Conv2d", ...row }],
  },
});

function writeSampleProfile(name: string, models: string[], more: Partial<Profile> = {}): string {
  const profile: Profile = {
    ...{ version: 1, status: "finished", mode: "train", data: "drawn", precision: "fp32" },
    ...{ device: "cpu", threads: 2, cpu: "a CPU", libtorch: "1.13.0" },
    gemm: { fp32: 400, used: 400 },
    models: models.map(profiled),
    notes: [],
    ...more,
  };
  mkdirSync(join(out, name));
  writeFileSync(join(out, name, "profile.json"), JSON.stringify(profile));
  return join(out, name);
}

const pages = async (options: Partial<Parameters<typeof compareRuns>[0]> = {}) => {
  const report = await compareRuns({ out, ...options });
  const [html, markdown] = [report.html, report.markdown].map((path) => readFileSync(path, "utf8"));
  return { ...report, html: html!, markdown: markdown! };
};

describe("a profile beside the runs", () => {
  it("is shown with its tables and pictures, of the models that the runs have", async () => {
    const dir = writeSampleProfile("profile", ["resnet18", "vgg11"]);
    const { profiles, html, markdown } = await pages();
    expect(profiles).toEqual([dir]);
    expect(markdown).toMatch(
      /## Profile\n\n- Training steps in fp32 on cpu, drawn images\n- a CPU, 2 threads, libtorch 1\.13\.0\n/,
    );
    expect(markdown).toMatch(
      /### Speed and memory\n[^#]*\| resnet18 \| 8 \| 876 \| 8\.25 \| 9\.00 \| 10\.0 \| 2\.0 % \| 30 \|/,
    );
    expect(markdown).toMatch(
      /### A step\n[^#]*\| resnet18 \| 32 \| 0\.00 \| 1\.00 \| 2\.00 \| 0\.500 \|/,
    );
    expect(markdown).toMatch(
      /### resnet18: by operator\n[^#]*\| aten::conv2d \| convolution \| 3 \|/,
    );
    expect(markdown).toContain("operators are 93.0 % of it, calls of them from JavaScript 4.0 %.");
    expect(markdown).not.toContain("vgg11");
    const shown = ["<h2>Profile</h2>", "<h3>Speed and memory</h3>", "<h3>resnet18: by layer</h3>"];
    expect(shown.filter((text) => !html.includes(text))).toEqual([]);
    expect(html).toContain("Share of a step by kind of operator");
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("of other models is not", async () => {
    writeSampleProfile("profile", ["vgg11"]);
    const { profiles, html } = await pages();
    expect([profiles, html.includes("<h2>Profile")]).toEqual([[], false]);
  });

  it("says that it was interrupted and what was noted, escaped", async () => {
    const notes = ["resnet18, batch 8: <b>noisy</b>", "vgg11: no memory for a batch of 8 images"];
    const models = ["resnet18", "vgg11"];
    writeSampleProfile("profile", models, { status: "interrupted", notes });
    const { html } = await pages();
    expect(html).toContain("<li>Interrupted: this is what was measured until then.</li>");
    expect(html).toContain("<li>resnet18, batch 8: &lt;b&gt;noisy&lt;/b&gt;</li>");
    expect(html).not.toContain("no memory");
  });
});

describe("profiles that are named", () => {
  it("are shown as a whole and by name, by folder or by file", async () => {
    const [train, infer] = [
      writeSampleProfile("train", ["vgg11"]),
      writeSampleProfile("infer", ["resnet18"], { mode: "infer" }),
    ];
    const { profiles, markdown } = await pages({
      profiles: [train, join(infer, "profile.json"), infer],
    });
    expect(profiles).toEqual([train, infer]);
    expect(markdown).toMatch(
      /## Profile of training\n[^#]*Training steps[\s\S]*## Profile of inference\n[^#]*Forward passes/,
    );
    expect(markdown).toContain("| vgg11 | 3x32x32 | 1,000 |");
  });

  it("among the runs, as runs/* does, are no runs", async () => {
    const dir = writeSampleProfile("profile", ["resnet18"]);
    const names = readdirSync(out).map((name) => join(out, name));
    const { runs, profiles, leftOut } = await pages({ runs: names });
    expect(runs.map(({ name }) => name)).toEqual(["resnet", "cnn"]);
    expect([profiles, leftOut]).toEqual([[dir], []]);
    writeFileSync(join(dir, "profile.json"), "{");
    const damaged = await pages({ runs: names });
    expect(damaged.profiles).toEqual([]);
    expect(damaged.leftOut).toEqual([{ name: "profile", reason: "profile.json cannot be read" }]);
  });

  it("are refused where they are none", async () => {
    await expect(compareRuns({ out, profiles: [join(out, "cnn")] })).rejects.toThrow(
      /cnn: there is no profile\.json$/,
    );
    const dir = writeSampleProfile("profile", ["resnet18"]);
    writeFileSync(join(dir, "profile.json"), "{");
    await expect(compareRuns({ out, profiles: [dir] })).rejects.toThrow(UsageError);
  });
});
