import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeSampleRun } from "../../../test/support/run-records.ts";
import type { LrFind } from "../../run/lr-find.ts";
import { readRun } from "../../run/read.ts";
import { analyse, findings } from "./findings.ts";

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

describe("findings", () => {
  it("name the best, its interval, what it costs and where it errs", () => {
    const said = findings(all(cnn(), resnet()));
    expect(said[0]).toBe(
      "resnet has the highest test accuracy: 95.05 % (95 % interval 94.01 to 95.92 %, 2,000 images).",
    );
    expect(said[1]).toMatch(
      /^The lead is \+4\.95 points over cnn \(95 % interval \+4\.\d+ to \+5\.\d+\), McNemar p < 0\.0001: 99 images only resnet gets right, 0 only cnn: more than chance explains/,
    );
    expect(said).toContain(
      "cnn trained fastest, in 33 s; resnet took 1 min 28 s (2.7 times as long) for 4.95 points of accuracy.",
    );
    expect(said).toContain(
      "cnn is the smallest with 2,474,506 parameters; resnet has 11,000,000 (4.4 times as many) for 4.95 points of accuracy.",
    );
    expect(said.at(-1)).toMatch(/most frequent mistake of resnet: “.+” taken for “.+”, \d of 200/);
  });

  it("do not call a winner where chance explains it", () => {
    const said = findings(all(cnn(), resnet({ skill: 0.91, salt: 3 })));
    expect(said[1]).toMatch(
      /^resnet is not significantly better than cnn: \+1\.00 points over cnn \(95 % interval -0\.\d+ to \+\d\.\d+\), McNemar p = 0\.33/,
    );
    expect(said[1]).toContain("With 2,000 test images this is no clear win");
    const same = findings(all(cnn(), resnet({ skill: 0.9 })));
    expect(same.some((text) => text.includes("have the same test accuracy"))).toBe(true);
  });

  it("go by the intervals where the predictions are gone, and say so", () => {
    const runs = [cnn(), resnet({ skill: 0.91 })];
    rmSync(runs[0]!.path("predictions.csv"));
    const said = findings(all(...runs));
    expect(said[1]).toContain("overlaps with that of cnn: with 2,000 test images this is no clear");
    expect(said.at(-1)).toBe("Without paired tests: cnn has no predictions.csv.");
    const far = findings(all(runs[0]!, resnet()));
    expect(far[1]).toContain("lies above all others: the 4.95 points before cnn");
  });

  it("warn where runs were not tested on the same images, or elsewhere", () => {
    const other = findings(all(cnn(), resnet({ images: 500 })));
    expect(other[0]).toMatch(/not tested on the same images.*other images: 500 and 2,000\.$/);
    expect(
      findings(all(cnn(), resnet({ name: "c", environment: { threads: 8 } }))).join(),
    ).toContain("different machines or thread counts");
  });

  it("say which images a run did without", () => {
    const less = resnet({ summary: { leftOut: { train: 5, val: 0, test: 1 }, unusable: 1 } });
    const said = findings(all(less));
    expect(said).toContain(
      "resnet continued without 5 training, 0 validation and 1 test images that were missing or had changed: its split.json lists them.",
    );
    expect(said).toContain(
      "resnet left out 1 image that could not be decoded; see its environment.json.",
    );
    expect(findings(all(cnn())).join()).not.toContain("without");
  });

  it("say who had a teacher", () => {
    const taught = resnet({ config: { teacher: "runs/vit-s42" } });
    expect(findings(all(cnn(), taught))[0]).toBe(
      "Not from the labels alone learned resnet from the answers of vit-s42: what a teacher knew is part of that accuracy.",
    );
    expect(findings(all(taught)).join()).not.toContain("teacher");
  });

  it("hold what judges runs for no training of its own", () => {
    const taught = resnet({ config: { teacher: "runs/vit-s42", trainSize: 500 } });
    const views = writeSampleRun({
      ...{ out, name: "views", skill: 0.96, salt: 1 },
      config: { evaluation: { members: [taught.dir], tta: "flip" } },
      environment: { threads: 8 },
      summary: { peakMemoryBytes: 1e3 },
    });
    const said = findings(all(taught, views));
    expect(said[0]).toMatch(/learned views and resnet from the answers of vit-s42: /);
    expect(said.join()).not.toMatch(/as many images|thread counts|least memory/);
  });

  it("speak of seeds where there are several, and test no run against its own configuration", () => {
    const seed = (model: string, seed: number, skill: number) =>
      writeSampleRun({
        ...{ out, name: `${model}-s${seed}`, model, skill, salt: seed },
        config: { seed },
        summary: { seed },
      });
    const runs = [1, 2, 3].flatMap((n) => [
      seed("cnn", n, 0.9 + n / 500),
      seed("resnet", n, 0.95 + n / 500),
    ]);
    const { findings: said, pairs, groups } = analyse(all(...runs));
    expect(groups.map(({ name, accuracy }) => [name, accuracy.n])).toEqual([
      ["resnet", 3],
      ["cnn", 3],
    ]);
    expect(said[0]).toMatch(/^Over 3 seeds resnet reaches 95\.\d+ % on average \(95 % t interval/);
    expect(said[1]).toMatch(
      /points over cnn, seed by seed .* 3 seeds\): more than the seeds explain/,
    );
    expect(pairs.every(({ other }) => other.name.startsWith("cnn"))).toBe(true);
    expect(pairs).toHaveLength(3);
  });

  it("name unfair learning rates: fewer tried, one for scratch and full, far from what was found", () => {
    const run = (name: string, model: string, strategy: string, lr: number) =>
      writeSampleRun({
        out,
        name,
        model,
        config: { lr, strategy, opt: "adam" },
        summary: { strategy },
      });
    const runs = [
      ...[0.1, 0.01, 0.001].map((lr) => run(`cnn-${lr}`, "cnn", "scratch", lr)),
      run("vit", "vit", "freeze", 0.01),
    ];
    expect(findings(all(...runs)).join("\n")).toMatch(
      /Unfair: cnn \(scratch\) was tried with 3 learning rates, vit \(freeze\) with one;/,
    );
    const pair = [run("a", "vit", "scratch", 0.0005), run("b", "vit", "full", 0.0005)];
    expect(findings(all(...pair)).join("\n")).toMatch(
      /Unfair: training from scratch \(a\) and fine-tuning all \(b\) had the same learning rate 0\.0005/,
    );
    const folder = join(out, "lr-find", "vit");
    mkdirSync(folder, { recursive: true });
    const found: LrFind = {
      ...{ subject: { model: "vit", strategy: "full" }, seed: 1, points: [] },
      ...{ range: { from: 1e-7, to: 10, steps: 100 }, valley: 0.00001, steepest: 0.0001 },
      suggestion: { lr: 0.00001, by: "valley" },
    };
    writeFileSync(join(folder, "lr-find.json"), JSON.stringify(found));
    expect(findings(all(...pair)).join("\n")).toContain(
      "Unfair to b: its learning rate 0.0005 is 50 times what thaw lr-find suggested (0.00001).",
    );
    writeFileSync(join(folder, "lr-find.json"), "{");
    expect(findings(all(...pair)).join("\n")).not.toContain("lr-find");
  });

  it("see a model that has not learned, a class never said, and a test set of one class", () => {
    expect(findings(all(resnet({ skill: 0.05 }))).join()).toContain(
      "resnet is no better than always answering the most frequent class (10.00 %)",
    );
    const one = writeSampleRun({ out, name: "one", classes: ["cat"], images: 20, epochs: 3 });
    expect(findings(all(one)).join()).toContain("All test images of one are of one class");
    expect(readRun(one.dir).summary?.test?.rocAuc).toBeNull();
    const never = writeSampleRun({
      out,
      name: "never",
      classes: ["cat", "dog", "elk"],
      images: 3,
      skill: 0.5,
    });
    expect(findings(all(never)).join()).toMatch(/never never answers “\w+”/);
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
