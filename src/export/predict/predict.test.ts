import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { photographRuns } from "../../../test/support/photograph-runs.ts";
import { sampleSplits } from "../../../test/support/sample-splits.ts";
import { writeTiny } from "../../../test/support/tiny-images.ts";
import { ThawError } from "../../errors.ts";
import { parseClassicalConfig } from "../../run/classical-config.ts";
import { parseConfig } from "../../run/config-load.ts";
import { train, trainClassical } from "../../train/index.ts";
import { exportRun } from "../export-run.ts";
import { readMetadata } from "../metadata.ts";
import { openSubject } from "../subject.ts";
import { listImages } from "./list-images.ts";
import { type Answer, type Guess, predictFiles } from "./predict.ts";
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
      ["a.png", "b.png", "c.png", "e.png", "d.jpg", "x".repeat(5000)]
        .map((name) => join(folder, name))
        .join("\r\n"),
    );
    expect(answers.map((answer) => ("error" in answer ? answer.error : answer.top.length))).toEqual(
      [
        2,
        "cannot be decoded: the file is cut short",
        "cannot be decoded: the file is empty",
        "cannot be read: it is not there",
        2,
        expect.stringContaining("ENAMETOOLONG"),
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

/** The likeliest class of each, and its probability. */
const firsts = (answers: readonly Answer[]) =>
  answers.map((answer) => {
    if ("error" in answer) throw new Error(answer.error);
    return answer.top[0]!;
  });

describe("a file with its preprocessing inside", () => {
  it("says of photographs of any size what the run says, and differs by a grey level", async () => {
    const to = join(made.folder, "inside");
    const options = { withPreprocessing: true, to, cache: made.cache } as const;
    const { folder, report } = await exportRun(run, made.data, options);
    expect(report).toMatchObject({ takes: "pictures", opset: 18, parity: { agreement: 1 } });
    expect(report.parity.resizing!.largest).toBeLessThanOrEqual(1);
    const others = join(made.folder, "others");
    mkdirSync(others);
    for (const [i, [width, height]] of [
      [40, 40],
      [33, 90],
      [210, 75],
      [20, 31],
    ].entries()) {
      await writeTiny(join(others, `${i}.png`), { seed: i, width: width!, height: height! });
    }
    await using fromFile = await openFile(join(folder, "model.onnx"));
    await using fromRun = ofSubject(await openSubject(run));
    const names = [made.photos, others];
    const [a, b] = [firsts(await all(fromFile, names)), firsts(await all(fromRun, names))];
    expect(a).toHaveLength(28);
    for (const [i, { label, probability }] of a.entries()) {
      expect(label).toBe(b[i]!.label);
      expect(Math.abs(probability - b[i]!.probability)).toBeLessThan(0.01);
    }
  });

  it("refuses a strip that it would enlarge to gigabytes, and the others go on", async () => {
    const strips = join(made.folder, "strips");
    mkdirSync(strips);
    await writeTiny(join(strips, "a.png"), { seed: 1, width: 60_000, height: 1 });
    await writeTiny(join(strips, "b.png"), { seed: 2, width: 600, height: 20 });
    await using predictor = await openFile(join(made.folder, "inside/model.onnx"));
    const answers = await all(
      predictor,
      ["a.png", "b.png"].map((name) => join(strips, name)),
    );
    expect(answers[0]).toMatchObject({
      error: expect.stringMatching(/^1×60000 pixels, which .* enlarges to 40×2400000 before/),
    });
    expect(answers[1]).toMatchObject({ top: [{}, {}] });
  });

  it("tells where ONNX Runtime fails on one picture, and the others go on", async () => {
    await using predictor = await openFile(join(made.folder, "inside/model.onnx"));
    let asked = 0;
    // A picture of four channels, which the graph cannot take.
    const ask: Predictor["ask"] = (pixels, [n, h, w]) =>
      asked++ === 0
        ? predictor.ask(new Uint8Array(4), [1, 1, 1, 4])
        : predictor.ask(pixels, [n!, h!, w!, 3]);
    const answers: Answer[] = [];
    const paths = listImages([join(made.photos, "boot")], Readable.from([]));
    const other: Predictor = { ...predictor, ask };
    for await (const answer of predictFiles(other, paths)) answers.push(answer);
    const [first, ...others] = answers;
    expect(first).toMatchObject({
      error: expect.stringContaining("ONNX Runtime fails on an input of [1, 1, 1, 4]: "),
    });
    expect(firsts(others)).toHaveLength(11);
  });

  it("cannot resize before opset 18, and says so", async () => {
    const options = { withPreprocessing: true, opset: 17, to: join(made.folder, "no") } as const;
    await expect(exportRun(run, made.data, options)).rejects.toThrow(
      "--with-preprocessing resizes, which opset 17 cannot say",
    );
  });
});

describe("a model of small images, all of one size", () => {
  it("is shown the middle of others, resized, with a note: the same by run and by file", async () => {
    const data = sampleSplits({ train: 60, val: 24, test: 24 });
    const config = parseConfig({
      ...{ data: "sample", model: "simple_cnn", out: made.folder, name: "small", epochs: 1 },
      ...{ precision: "fp32", threads: 1, batchSize: 20 },
    });
    const { run: small } = await train(config, data, { cache: made.cache });
    const notes: string[] = [];
    const asked = async (predictor: Predictor): Promise<readonly Guess[]> => {
      const answers: Answer[] = [];
      const paths = listImages([made.photos], Readable.from([]));
      const onNote = (text: string) => notes.push(text);
      for await (const answer of predictFiles(predictor, paths, { onNote })) answers.push(answer);
      return firsts(answers);
    };
    const said: (readonly Guess[])[] = [];
    for (const more of [{}, { withPreprocessing: true }, { dynamicBatch: false }]) {
      const { folder } = await exportRun(small.dir, data, { ...more, overwrite: true });
      await using predictor = await openFile(join(folder, "model.onnx"));
      said.push(await asked(predictor));
    }
    await using predictor = ofSubject(await openSubject(small.dir));
    const own = await asked(predictor);
    expect(own).toHaveLength(24);
    for (const guesses of said) {
      expect(guesses.map(({ label }) => label)).toEqual(own.map(({ label }) => label));
      for (const [i, { probability }] of guesses.entries()) {
        expect(Math.abs(probability - own[i]!.probability)).toBeLessThan(0.01);
      }
    }
    expect(notes).toHaveLength(4);
    expect(notes[0]).toMatch(/ has 66×74 pixels, and the model knows images of 16×16 alone: /);
  });
});

describe("what is published", () => {
  it("names the data set, and no folder of this machine", async () => {
    const weights = join(run, "checkpoints/best.safetensors");
    const { run: tuned } = await made.trained({ name: "tuned", weights, strategy: "full" });
    const config = parseClassicalConfig({
      ...{ data: made.photos, model: "logreg", features: run, out: made.out, threads: 1 },
      ...{ name: "on-run", precision: "fp32" },
    });
    const { run: classical } = await trainClassical(config, made.data, { cache: made.cache });
    for (const [dir, licence] of [
      [tuned.dir, "none: trained from random weights"],
      [classical.dir, "none: trained from random weights"],
    ] as const) {
      const { folder } = await exportRun(dir, made.data, { cache: made.cache });
      const metadata = readMetadata(join(folder, "model.onnx"));
      expect(metadata).toMatchObject({ data: "photos", licence });
      expect(readFileSync(join(folder, "README.md"), "utf8")).toContain(
        "trained with Thaw on photos",
      );
      for (const name of readdirSync(folder)) {
        const text = readFileSync(join(folder, name), "latin1");
        for (const place of [made.folder, tmpdir(), homedir(), process.cwd()]) {
          expect(text.includes(place), `${name} has ${place}`).toBe(false);
        }
      }
    }
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
