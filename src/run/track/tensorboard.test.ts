import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  bytesOf,
  doublesOf,
  messagesOf,
  numberOf,
  readEvents,
  readMessage,
  readRecords,
  scalars,
  textOf,
} from "../../../test/support/event-reader.ts";
import { fillDisk, mountSmallDisk, unmountSmallDisk } from "../../../test/support/small-disk.ts";
import type { EpochLine, Summary } from "../summary.ts";
import { crc32c, maskedCrc32c } from "./crc32c.ts";
import { TensorBoardTracker } from "./tensorboard.ts";

const folder = mkdtempSync(join(tmpdir(), "thaw-events-"));
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(folder, "run-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const notes: string[] = [];
afterEach(() => void notes.splice(0));
const open = (more: Partial<ConstructorParameters<typeof TensorBoardTracker>[0]> = {}) =>
  new TensorBoardTracker({
    ...{ dir, name: "a", params: { lr: 0.5, opt: "sgd", nesterov: true }, fromStep: 0 },
    ...{ note: (text: string) => notes.push(text), now: () => 1_700_000_000_000, ...more },
  });
const files = (of = dir) =>
  readdirSync(of)
    .filter((file) => file.startsWith("events.out.tfevents."))
    .sort()
    .map((file) => new Uint8Array(readFileSync(join(of, file))));
const epochLine: EpochLine = {
  ...{ epoch: 1, step: 2, lr: 0.1, trainLoss: 1.5, trainAccuracy: 0.5 },
  ...{ valLoss: 1.25, valAccuracy: 0.75 },
};
const timing = { epoch: 1, train: 2, validation: 1, imagesPerSecond: 640 };
const summary = (status: Summary["status"]): Summary => ({
  ...{ model: "m", strategy: "scratch", dataset: "d", classes: ["x", "y"], seed: 1, status },
  ...{ epochs: 1, parameters: 1, trainableParameters: 1 },
  best: { epoch: 1, valAccuracy: 0.75, valLoss: 1.25 },
  test: { accuracy: 0.625, accuracy95: [0.5, 0.75], macroF1: 0.5, loss: null, n: 8 },
  seconds: { total: 4, train: 2, perEpoch: 3 },
  ...{ imagesPerSecond: 640, peakMemoryBytes: 1024, precision: "fp32", device: "cpu" },
});

it("checksums as RFC 3720 (B.4) has them", () => {
  const bytes = (length: number, of: (i: number) => number) =>
    Uint8Array.from({ length }, (_, i) => of(i));
  expect(crc32c(bytes(32, () => 0))).toBe(0x8a9136aa);
  expect(crc32c(bytes(32, () => 0xff))).toBe(0x62a8ab43);
  expect(crc32c(bytes(32, (i) => i))).toBe(0x46dd794e);
  // What TensorFlow writes behind the length 24 of the first record of all its files.
  expect(maskedCrc32c(Uint8Array.of(24, 0, 0, 0, 0, 0, 0, 0))).toBe(0x224b7fa3);
});

describe("the event file", () => {
  it("begins with the version and holds every scalar at its step", async () => {
    const tracker = open();
    tracker.step({ step: 1, epoch: 1, loss: 2.5, lr: 0.1, gradNorm: 3 });
    tracker.step({ step: 2, epoch: 1, loss: 1.5, lr: 0.1 });
    tracker.epoch(epochLine, timing);
    await tracker.close();
    const [file] = files();
    const [first] = readEvents(file!);
    expect(first).toMatchObject({ version: "brain.Event:2", step: 0, seconds: 1_700_000_000 });
    const of = (tag: string) => scalars([file!], tag);
    expect(of("Loss/step")).toEqual([
      [1, 2.5],
      [2, 1.5],
    ]);
    expect(of("GradientNorm")).toEqual([[1, 3]]);
    expect(of("Loss/train")).toEqual([[2, 1.5]]);
    expect(of("Accuracy/val")).toEqual([[2, 0.75]]);
    expect(of("Throughput/images_per_second")).toEqual([[2, 640]]);
    expect(of("LearningRate").map(([, lr]) => lr)).toEqual([Math.fround(0.1), Math.fround(0.1)]);
  });

  it("takes numbers that are none, and steps beyond 32 bits", async () => {
    const tracker = open();
    for (const [i, loss] of [Number.NaN, Infinity, -Infinity, 1e300].entries()) {
      tracker.step({ step: 2 ** 40 + i, epoch: 1, loss, lr: 0 });
    }
    await tracker.close();
    expect(scalars(files(), "Loss/step")).toEqual([
      [2 ** 40, Number.NaN],
      [2 ** 40 + 1, Infinity],
      [2 ** 40 + 2, -Infinity],
      [2 ** 40 + 3, Infinity],
    ]);
    expect(notes).toEqual([]);
  });

  it("holds histograms and images", async () => {
    const tracker = open();
    const histogram = {
      ...{ min: -1, max: 3, count: 4, sum: 2, sumOfSquares: 12 },
      ...{ limits: [1, 3], buckets: [3, 1] },
    };
    tracker.histograms(7, [["Weights/fc", histogram]]);
    tracker.image("Curves", { png: Uint8Array.of(137, 80, 78, 71), width: 20, height: 10 }, 9);
    await tracker.close();
    const values = readEvents(files()[0]!).flatMap(({ step, values }) =>
      values.map((value) => ({ step, ...value })),
    );
    const histo = values.find(({ tag }) => tag === "Weights/fc")!;
    const [fields] = messagesOf(histo.fields, 5);
    expect(histo.step).toBe(7);
    expect([1, 2, 3, 4, 5].map((field) => numberOf(fields!, field))).toEqual([-1, 3, 4, 2, 12]);
    expect([doublesOf(fields!, 6), doublesOf(fields!, 7)]).toEqual([
      [1, 3],
      [3, 1],
    ]);
    const [image] = messagesOf(values.find(({ tag }) => tag === "Curves")!.fields, 4);
    expect([numberOf(image!, 1), numberOf(image!, 2)]).toEqual([10, 20]);
    expect([...bytesOf(image!, 4)]).toEqual([137, 80, 78, 71]);
  });

  it("tells the HPARAMS tab the settings, and with the summary the results", async () => {
    const tracker = open();
    tracker.epoch(epochLine, timing);
    tracker.summary(summary("running"));
    expect(scalars(files(), "Accuracy/test")).toEqual([]);
    tracker.summary(summary("finished"));
    await tracker.close();
    const plugin = new Map(
      readEvents(files()[0]!)
        .flatMap(({ values }) => values)
        .filter(({ tag }) => tag.startsWith("_hparams_/"))
        .map(({ tag, fields }) => {
          const [data] = messagesOf(messagesOf(fields, 9)[0]!, 1);
          expect(textOf(data!, 1)).toBe("hparams");
          return [tag, readMessage(bytesOf(data!, 2))] as const;
        }),
    );
    const [start] = messagesOf(plugin.get("_hparams_/session_start_info")!, 3);
    const params = messagesOf(start!, 1).map((entry) => {
      const value = messagesOf(entry, 2)[0]!;
      const text = value.has(3) ? textOf(value, 3) : undefined;
      return [textOf(entry, 1), text ?? numberOf(value, value.has(2) ? 2 : 4)];
    });
    expect(params).toEqual([
      ["lr", 0.5],
      ["opt", "sgd"],
      ["nesterov", 1],
    ]);
    const [experiment] = messagesOf(plugin.get("_hparams_/experiment")!, 2);
    const metrics = messagesOf(experiment!, 5).map((info) => textOf(messagesOf(info, 1)[0]!, 2));
    expect(metrics).toContain("Accuracy/test");
    const [end] = messagesOf(plugin.get("_hparams_/session_end_info")!, 4);
    expect(numberOf(end!, 1)).toBe(1);
    expect(scalars(files(), "Accuracy/test")).toEqual([[2, 0.625]]);
    expect(scalars(files(), "Loss/test")).toEqual([]);
  });

  it("is a new one for a resumed run, which voids what came after its step", async () => {
    const first = open();
    for (const step of [1, 2, 3]) first.step({ step, epoch: 1, loss: step, lr: 0 });
    await first.close();
    const second = open({ fromStep: 2 });
    for (const step of [3, 4]) second.step({ step, epoch: 1, loss: 10 * step, lr: 0 });
    await second.close();
    expect(files()).toHaveLength(2);
    expect(scalars(files(), "Loss/step")).toEqual([
      [1, 1],
      [2, 2],
      [3, 30],
      [4, 40],
    ]);
  });

  it("is on the disk after an epoch, and its reader sees damage", async () => {
    const tracker = open();
    tracker.epoch(epochLine, timing);
    const [file] = files();
    expect(scalars([file!], "Loss/val")).toEqual([[2, 1.25]]);
    await tracker.close();
    const damaged = file!.slice();
    damaged[20]! ^= 1;
    expect(() => readRecords(damaged)).toThrow("checksum");
    expect(() => readRecords(file!.slice(0, -3))).toThrow();
  });
});

describe("what cannot be written", () => {
  it("is noted once, and nothing is thrown: the folder is gone", async () => {
    const gone = join(dir, "gone");
    const tracker = open({ dir: gone });
    tracker.step({ step: 1, epoch: 1, loss: 1, lr: 0 });
    tracker.epoch(epochLine, timing);
    tracker.summary(summary("finished"));
    await tracker.close();
    expect(notes).toEqual([expect.stringMatching(/^warning: TensorBoard's file .*gone.*ENOENT/)]);
  });

  const disk = join(folder, "disk");
  const why = mountOf(disk);
  if (why !== undefined) console.log(`events on a full disk: skipped: ${why}`);
  afterAll(() => {
    if (why === undefined) unmountSmallDisk(disk);
  });

  it.skipIf(why !== undefined)("leaves whole records on a full disk", async () => {
    const tracker = open({ dir: disk });
    tracker.epoch(epochLine, timing);
    const free = fillDisk(disk, 0);
    for (let step = 1; step < 200; step++) tracker.step({ step, epoch: 1, loss: 1, lr: 0 });
    tracker.epoch({ ...epochLine, step: 200 }, timing);
    tracker.step({ step: 201, epoch: 2, loss: 1, lr: 0 });
    await tracker.close();
    expect(notes).toEqual([expect.stringContaining("ENOSPC")]);
    expect(scalars(files(disk), "Loss/val")).toEqual([[2, 1.25]]);
    free();
  });
});

function mountOf(disk: string): string | undefined {
  mkdirSync(disk);
  return mountSmallDisk(disk, 4 * 2 ** 20);
}
