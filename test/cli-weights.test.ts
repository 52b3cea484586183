import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createModel } from "../src/models/index.ts";
import { encodeSafetensors } from "../src/models/weights/index.ts";
import { toTensorData } from "../src/models/weights/tensors.ts";
import { openRun } from "../src/run/read.ts";
import { Generator } from "../src/tensor/index.ts";
import { type FakeHub, fakeHub } from "./support/fake-hub.ts";
import { makeHome, type Outcome, startThaw } from "./support/thaw-process.ts";

const commit = "c".repeat(40);
const REPO = "timm/resnet18.a1_in1k";
/** Of the data set that `makeHome` makes, in another order. */
const names = ["Ankle boot", "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal"];
const classes = [...names, "Shirt", "Sneaker", "Bag"];

let folder: string;
let hub: FakeHub;
let env: Record<string, string>;
let runs = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-cli-weights-"));
  const statistics = { mean: [0.25, 0.5, 0.75], std: [0.4, 0.5, 0.6] };
  const config = { num_classes: 10, label_names: classes, pretrained_cfg: statistics };
  hub = await fakeHub({
    [REPO]: {
      commit,
      tags: ["v1"],
      files: {
        "model.safetensors": { bytes: resnet18(), large: true },
        "config.json": { bytes: Buffer.from(JSON.stringify(config)) },
      },
    },
  });
  env = {
    ...(await makeHome(join(folder, "home"), 200)),
    ...{ HF_HOME: join(folder, "hf"), HF_HUB_CACHE: "", HF_TOKEN: "", HF_HUB_OFFLINE: "" },
    HF_ENDPOINT: hub.url,
  };
});
afterAll(async () => {
  await hub.close();
  rmSync(folder, { recursive: true });
});

/** A ResNet-18 of ten classes and three colours, as a file. */
function resnet18(): Buffer {
  using random = new Generator(7);
  using model = createModel("resnet18", {
    ...{ classes: 10, inChannels: 3, imageSize: [32, 32] },
    random: { init: random, dropout: random },
  });
  const tensors = [...model.stateDict()].map(([key, t]) => [key, toTensorData(t)] as const);
  return Buffer.concat([...encodeSafetensors(new Map(tensors)).chunks]);
}

// The hub answers from this process, which must not block.
const thaw = (args: readonly string[], more: Readonly<Record<string, string>> = {}) =>
  startThaw(args, { ...env, ...more }).ended;
const train = async (...flags: string[]): Promise<Outcome & { run: string }> => {
  const run = `run${++runs}`;
  const sizes = ["--train-size", "32", "--val-size", "20", "--test-size", "20", "--epochs", "1"];
  const what = ["--data", "fashion-mnist", "--model", "resnet18", "--precision", "fp32"];
  const args = ["train", ...what, ...sizes, "--out", folder, "--name", run, ...flags];
  return { ...(await thaw(args)), run: join(folder, run) };
};
const evaluate = (flags: readonly string[], more?: Readonly<Record<string, string>>) =>
  thaw(["evaluate", "--data", "fashion-mnist", "--limit", "20", "--json", ...flags], more);

describe("weights of the hub, in order: fetched, then cached, then offline", () => {
  test("thaw train --pretrained --offline, before there are any: what to do", async () => {
    const { code, stderr, run } = await train("--pretrained", "--offline");
    expect(stderr).toContain(`${REPO} is not in`);
    expect(stderr).toContain("run it once without --offline");
    expect([code, existsSync(run), hub.hubRequests]).toEqual([1, false, []]);
  });

  test("thaw train --pretrained: adapted to grey images, rows of the head by name", async () => {
    const { code, stderr, run } = await train("--pretrained");
    expect(stderr).toContain(`weights: ${REPO} from ${REPO}@main`);
    expect(stderr).toContain("fetching model.safetensors: 100 %");
    expect(stderr).toMatch(/adapted +conv1.weight: .*3 channels summed/);
    expect(stderr).toMatch(/adapted +fc.weight: .*rows by class name/);
    expect(code).toBe(0);
    const { config, environment } = openRun(run);
    expect(config).toMatchObject({ pretrained: true, strategy: "full", mean: [0.5] });
    expect(environment["weights"]).toMatchObject({
      reference: REPO,
      source: `${REPO}@main`,
      revision: commit,
    });
  });

  test.each([
    [["--weights", `hf-hub:${REPO}`], "of hf-hub:timm/resnet18.a1_in1k"],
    [["--weights", `${REPO}@v1`], "of timm/resnet18.a1_in1k@v1"],
    [["--weights", "resnet18", "--offline"], "of resnet18"],
    [["--pretrained", "--offline"], "of timm/resnet18.a1_in1k"],
  ])("thaw evaluate --model resnet18 %j", async (flags, from) => {
    const { code, stdout, stderr } = await evaluate(["--model", "resnet18", ...flags]);
    expect(stderr).toContain(`deviation 0.5 (${from})`);
    expect(JSON.parse(stdout)).toMatchObject({ model: "resnet18", n: 20 });
    expect(code).toBe(0);
    expect(hub.cdnRanges).toEqual([""]);
  });

  test("--mirror with a copy of the cache, and no hub", async () => {
    const mirror = join(folder, "mirror");
    cpSync(join(folder, "hf", "hub"), mirror, { recursive: true, verbatimSymlinks: true });
    const elsewhere = { HF_HOME: join(folder, "none"), HF_ENDPOINT: "http://127.0.0.1:9" };
    const flags = ["--model", "resnet18", "--pretrained", "--mirror", mirror];
    const { code, stderr } = await evaluate(flags, elsewhere);
    expect(stderr).toContain(`weights: ${REPO} from ${mirror}`);
    expect(code).toBe(0);
  });
});

describe("before data are opened", () => {
  test.each([
    [["--weights", "missing.pth"], 2, "--weights missing.pth: there is no such file or folder"],
    [["--weights", "resnet18.a1_in1K"], 2, `did you mean ${REPO}?`],
    [["--weights", "timm/resnet18.b1_in1k"], 1, "timm/resnet18.b1_in1k: no such repository"],
    [["--pretrained", "--weights", "x.pth"], 2, "pretrained: --weights gives other weights"],
    [["--pretrained", "--model", "simple_cnn"], 2, "simple_cnn has no published weights"],
  ])("thaw train %j", async (flags, exit, message) => {
    const { code, stderr, run } = await train("--data", "cifar10", ...flags);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("cifar-10-binary");
    expect([code, existsSync(run)]).toEqual([exit, false]);
  });

  test("a run that has no weights yet", async () => {
    mkdirSync(join(folder, "begun"));
    writeFileSync(join(folder, "begun", "config.json"), "{}");
    const { code, stderr } = await train("--weights", "begun");
    expect(stderr).toContain(`${join(folder, "begun")}: no weights in that folder`);
    expect(code).toBe(2);
  });
});
