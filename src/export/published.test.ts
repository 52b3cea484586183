import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mirrorWith } from "../../test/support/mirror.ts";
import { openDataset } from "../data/datasets/index.ts";
import { parseClassicalConfig } from "../run/classical-config.ts";
import { liveTensors } from "../tensor/index.ts";
import { trainClassical } from "../train/index.ts";
import { exportRun } from "./export-run.ts";
import { listImages } from "./predict/list-images.ts";
import { type Answer, predictFiles } from "./predict/predict.ts";
import { ofSubject, openFile, type Predictor } from "./predict/predictor.ts";
import { openSubject } from "./subject.ts";

const dogs = "stanford-dogs-5.tar.gz";
const mirror = mirrorWith(dogs) && mirrorWith("weights-deit-tiny-safetensors.tar.gz");
/** Of each of the five breeds: 40 photographs in all, of which a test set is drawn. */
const PER_CLASS = 8;
let folder: string;
let photos: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-published-"));
  photos = join(folder, "photos");
});
afterAll(() => rmSync(folder, { recursive: true }));

async function asked(predictor: Predictor): Promise<Extract<Answer, { top: unknown }>[]> {
  const answers: Extract<Answer, { top: unknown }>[] = [];
  for await (const answer of predictFiles(predictor, listImages([photos], Readable.from([])))) {
    if ("error" in answer) throw new Error(answer.error);
    answers.push(answer);
  }
  return answers;
}

test.skipIf(mirror === undefined)(
  "logistic regression on DeiT-Tiny's published weights is one file that says the same",
  async () => {
    const before = liveTensors();
    mkdirSync(photos);
    execFileSync("tar", ["-xf", join(mirror!, dogs), "-C", photos, "--strip-components=1"]);
    for (const breed of readdirSync(photos)) {
      for (const name of readdirSync(join(photos, breed)).sort().slice(PER_CLASS)) {
        rmSync(join(photos, breed, name));
      }
    }
    const [cache, out] = [join(folder, "cache"), join(folder, "runs")];
    const nowhere = { HF_HOME: join(folder, "hf"), HF_ENDPOINT: "http://127.0.0.1:9" };
    const places = { mirror, env: { ...nowhere, THAW_HOME: join(folder, "home") } };
    const data = await openDataset({ data: photos, seed: 42, cache });
    const config = parseClassicalConfig({
      ...{ data: photos, model: "logreg", features: "deit_tiny_patch16_224", out, name: "dogs" },
      ...{ precision: "fp32", threads: 1 },
    });
    const { run } = await trainClassical(config, data, { cache, places });
    const to = { places, cache };
    const { folder: exported, report } = await exportRun(run.dir, data, to);
    expect(report).toMatchObject({ model: "logreg", parity: { agreement: 1, passed: true } });
    expect(readFileSync(join(exported, "README.md"), "utf8")).toContain('license: "apache-2.0"');
    await using fromFile = await openFile(join(exported, "model.onnx"));
    const a = await asked(fromFile);
    {
      await using fromRun = ofSubject(await openSubject(run.dir, places));
      for (const [i, { file, top }] of (await asked(fromRun)).entries()) {
        expect(a[i]!.file).toBe(file);
        expect(a[i]!.top.map(({ label }) => label)).toEqual(top.map(({ label }) => label));
        expect(a[i]!.top[0]!.probability).toBeCloseTo(top[0]!.probability, 4);
      }
    }
    // What the file says of the test images is what the run's record has of them, and right.
    const tested = readFileSync(join(run.dir, "predictions.csv"), "utf8").trim().split("\n");
    let right = 0;
    for (const line of tested.slice(1)) {
      const [name, truth, predicted] = line.split(",");
      expect(a.find(({ file }) => file.endsWith(name!))!.top[0]!.label).toBe(predicted);
      if (truth === predicted) right++;
    }
    expect(right / (tested.length - 1)).toBeGreaterThan(0.6);
    expect(liveTensors()).toBe(before);
  },
);
