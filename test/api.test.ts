import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as thaw from "../src/index.ts";
import { liveTensors, openDataset, parseConfig, readRun, train } from "../src/index.ts";

const FASHION_MNIST = "/usr/share/datasets/fashion-mnist";
const documented = readFileSync(new URL("../src/index.ts", import.meta.url), "utf8");

let out: string;
beforeAll(() => {
  out = mkdtempSync(join(tmpdir(), "thaw-api-"));
});
afterAll(() => rmSync(out, { recursive: true }));

describe("the package's API", () => {
  it("has what its example imports", () => {
    const names = /import \{ (.*) \} from "thaw"/.exec(documented)?.[1]?.split(", ") ?? [];
    expect(names).toContain("train");
    expect(names.filter((name) => !(name in thaw))).toEqual([]);
  });

  it("trains as its example does", async (context) => {
    if (!existsSync(FASHION_MNIST)) {
      context.skip(`${FASHION_MNIST} is not there (apt-get install dataset-fashion-mnist)`);
    }
    const example = /parseConfig\((\{.*\})\)/.exec(documented)?.[1];
    expect(example).toBe(
      '{ data: "fashion-mnist", model: "simple_cnn", epochs: 1, trainSize: 200 }',
    );
    const before = liveTensors();
    const config = parseConfig({
      data: "fashion-mnist",
      model: "simple_cnn",
      epochs: 1,
      trainSize: 200,
      valSize: 50,
      testSize: 100,
      precision: "fp32",
      out,
    });
    const data = await openDataset(config);
    const { run, summary } = await train(config, data);
    expect(summary.status).toBe("finished");
    expect(summary.test?.n).toBe(100);
    expect(Number.isFinite(summary.best?.valLoss)).toBe(true);
    expect(readRun(run.dir).summary).toEqual(summary);
    expect(liveTensors()).toBe(before);
  });
});
