import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { photographRuns } from "../../../test/support/photograph-runs.ts";
import { writeTiny } from "../../../test/support/tiny-images.ts";
import { ThawError } from "../../errors.ts";
import { parseClassicalConfig } from "../../run/classical-config.ts";
import { trainClassical } from "../../train/index.ts";
import { exportRun } from "../export-run.ts";
import { readMetadata } from "../metadata.ts";
import { openSubject } from "../subject.ts";
import { listImages } from "./list-images.ts";
import { type Answer, predictFiles } from "./predict.ts";
import { ofSubject, openFile, type Predictor } from "./predictor.ts";

let made: Awaited<ReturnType<typeof photographRuns>>;
let run: string;
let file: string;

beforeAll(async () => {
  made = await photographRuns();
  run = (await made.trained()).run.dir;
  const { folder } = await exportRun(run, made.data, { cache: made.cache });
  file = join(folder, "model.onnx");
}, 60_000);
afterAll(() => rmSync(made.folder, { recursive: true }));

async function all(predictor: Predictor, names: readonly string[], stdin = ""): Promise<Answer[]> {
  const answers: Answer[] = [];
  const paths = listImages(names, Readable.from([stdin]));
  for await (const answer of predictFiles(predictor, paths, { batchSize: 4 })) answers.push(answer);
  return answers;
}

/** What is said of the test images is what the run's record has of them. */
function expectTested(dir: string, answers: readonly Answer[]): void {
  const tested = readFileSync(join(dir, "predictions.csv"), "utf8").trim().split("\n").slice(1);
  expect(tested.length).toBeGreaterThan(0);
  for (const line of tested) {
    const [name, , predicted] = line.split(",");
    const found = answers.find(({ file }) => file.endsWith(name!));
    expect((found as Extract<Answer, { top: unknown }>).top[0]!.label).toBe(predicted);
  }
}

describe("labels of photographs", () => {
  it("are the same from the run and from its file, and those of the run's own test", async () => {
    await using fromFile = await openFile(file);
    await using fromRun = ofSubject(await openSubject(run));
    const [a, b] = [await all(fromFile, [made.photos]), await all(fromRun, [made.photos])];
    expect(a).toHaveLength(24);
    expect(a.map(({ file }) => file)).toEqual(b.map(({ file }) => file));
    for (const [i, answer] of a.entries()) {
      const [own, other] = [answer, b[i]!] as Extract<Answer, { top: unknown }>[];
      expect(own!.top.map(({ label }) => label)).toEqual(other!.top.map(({ label }) => label));
      expect(own!.top[0]!.probability).toBeCloseTo(other!.top[0]!.probability, 4);
      expect(own!.top.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 5);
    }
    expectTested(run, a);
  });

  it("are a classical model's too, on pixels and on a run's embeddings", async () => {
    for (const features of ["pixels", run]) {
      const config = parseClassicalConfig({
        ...{ data: "photos", model: "logreg", features, out: made.folder, threads: 1 },
        ...{ name: features === "pixels" ? "on-pixels" : "on-features", precision: "fp32" },
      });
      const { run: classical } = await trainClassical(config, made.data, { cache: made.cache });
      await using predictor = ofSubject(await openSubject(classical.dir));
      expectTested(classical.dir, await all(predictor, [made.photos]));
    }
  });

  it("tells a damaged file, and one that is not there, and goes on", async () => {
    const folder = join(made.folder, "mixed");
    mkdirSync(folder);
    await writeTiny(join(folder, "a.png"), { seed: 1 });
    writeFileSync(join(folder, "b.png"), readFileSync(join(folder, "a.png")).subarray(0, 60));
    writeFileSync(join(folder, "c.png"), "");
    await writeTiny(join(folder, "d.jpg"), { seed: 2 });
    writeFileSync(join(folder, "notes.txt"), "no image");
    await using predictor = await openFile(file);
    const answers = await all(
      predictor,
      ["-"],
      ["a.png", "b.png", "c.png", "e.png", "d.jpg"].map((name) => join(folder, name)).join("\r\n"),
    );
    expect(answers.map((answer) => ("error" in answer ? answer.error : answer.top.length))).toEqual(
      [
        2,
        "cannot be decoded: the file is cut short",
        "cannot be decoded: the file is empty",
        "cannot be read: it is not there",
        2,
      ],
    );
    const inFolder = await all(predictor, [folder]);
    expect(inFolder.map(({ file: name }) => name.slice(folder.length + 1)).sort()).toEqual([
      "a.png",
      "b.png",
      "c.png",
      "d.jpg",
    ]);
  });

  it("refuses a name that is nothing", async () => {
    await using predictor = await openFile(file);
    await expect(all(predictor, [join(made.folder, "nothing")])).rejects.toThrow(
      "there is no such file or folder",
    );
  });
});

describe("a million images", () => {
  it("are never held: no more are listed than two batches before the answers that are taken", async () => {
    const photo = join(made.photos, "boot/0.jpg");
    let listed = 0;
    async function* million() {
      for (; listed < 1_000_000; listed++) yield photo;
    }
    await using predictor = await openFile(file);
    let told = 0;
    for await (const answer of predictFiles(predictor, million(), { batchSize: 8 })) {
      expect("top" in answer).toBe(true);
      told++;
      expect(listed - told).toBeLessThan(3 * 8);
      if (told === 100) break;
    }
    expect(listed).toBeLessThan(130);
  });

  it("in one folder are read entry by entry", async () => {
    const folder = mkdtempSync(join(tmpdir(), "thaw-many-"));
    for (let i = 0; i < 5000; i++) writeFileSync(join(folder, `${i}.jpg`), "");
    const before = process.memoryUsage().heapUsed;
    const names = listImages([folder], Readable.from([]));
    for (let i = 0; i < 10; i++) expect((await names.next()).value).toMatch(/\.jpg$/);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(1_000_000);
    await names.return(undefined);
    rmSync(folder, { recursive: true });
  });
});

describe("files that are no model of ours", () => {
  const written = (name: string, bytes: Uint8Array | string): string => {
    const path = join(made.folder, name);
    writeFileSync(path, bytes);
    return path;
  };

  it.each([
    ["text", "this is no model", "not an ONNX model file"],
    ["empty", "", "it has no version or no graph"],
  ])("%s", (name, content, message) => {
    expect(() => readMetadata(written(`${name}.onnx`, content))).toThrow(message);
  });

  it("a file that is cut short", async () => {
    const path = written("short.onnx", readFileSync(file).subarray(0, 5000));
    expect(() => readMetadata(path)).toThrow("it is cut short");
    await expect(openFile(path)).rejects.toThrow(ThawError);
  });

  it("an ONNX file of another tool", () => {
    // Field 1 (version 8), field 2 (producer), field 7 (an empty graph).
    const other = Buffer.from([0x08, 8, 0x12, 7, ...Buffer.from("pytorch"), 0x3a, 0]);
    expect(() => readMetadata(written("other.onnx", other))).toThrow(
      "this ONNX file was not written by `thaw export`: it is of pytorch",
    );
  });

  it("any bytes: an error of ours, and never another", () => {
    const whole = readFileSync(file);
    for (let seed = 0; seed < 200; seed++) {
      const bytes = Buffer.from(whole.subarray(0, 40 + seed * 13));
      bytes[(seed * 7) % 40] = (seed * 31) & 255;
      try {
        readMetadata(written("fuzzed.onnx", bytes));
      } catch (error) {
        expect(error).toBeInstanceOf(ThawError);
      }
    }
  });
});
