import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeTiny } from "../../../test/support/tiny-images.ts";
import type { FileImageSet } from "../fileset.ts";
import { statStamp } from "../folders/stamp.ts";
import { Loader } from "../loader.ts";
import type { ImageFit } from "./fit.ts";
import { KeptStore, keptStore } from "./kept-store.ts";

const fit: ImageFit = {
  size: [4, 6],
  interpolation: "bicubic",
  crop: { kind: "center", pct: 0.9 },
};
const set: Pick<FileImageSet, "count" | "files" | "stamps"> = {
  count: 3,
  files: ["/a", "/b", "/c"],
  stamps: ["stat:1:1", "stat:2:2", "stat:3:3"],
};
const pixels = (value: number) => new Uint8Array(72).fill(value);
const picture = (value: number) => ({ height: 4, width: 6, pixels: pixels(value) });
const take = (bytes: number) => new Uint8Array(bytes);

let folder: string;
let notes: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-kept-"));
  notes = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const onNote = (text: string) => void notes.push(text);
const open = (of = set, how = fit, budget?: number) =>
  keptStore(of, how, { folder, onNote, budget });

describe("kept pictures", () => {
  it("are there for whoever comes later, by content and fit", () => {
    using first = store(open());
    first.put(1, picture(7));
    using second = store(open());
    expect(second.get(1, take)).toEqual(picture(7));
    expect(second.get(0, take)).toBeUndefined();
    for (const [of, how] of [
      [{ ...set, stamps: ["stat:1:1", "stat:2:9", "stat:3:3"] }, fit],
      [set, { ...fit, interpolation: "bilinear" }],
      [set, { ...fit, crop: { kind: "center", pct: 1 } }],
    ] as const) {
      using other = store(open(of, how));
      expect(other.get(1, take)).toBeUndefined();
    }
    expect(notes).toEqual([]);
  });

  it("of a known content are found though it lies elsewhere", () => {
    const known = { ...set, stamps: ["sha256:1", "sha256:2", "sha256:3"] };
    expect(open({ ...known, files: ["/x", "/y", "/z"] })).toEqual(open(known));
    expect(open({ ...set, files: ["/x", "/y", "/z"] })).not.toEqual(open(set));
  });

  it("half written or with a flipped bit are not there, and are written again", () => {
    const spec = open()!;
    using one = store(spec);
    one.put(0, picture(1));
    const bytes = readFileSync(spec.place.path);
    bytes[4096 + 16 + 5]! ^= 1;
    writeFileSync(spec.place.path, bytes);
    expect(one.get(0, take)).toBeUndefined();
    one.put(0, picture(1));
    expect(one.get(0, take)).toEqual(picture(1));
  });

  it.each([
    ["cut short", (path: string) => truncateSync(path, 5000)],
    ["foreign", (path: string) => writeFileSync(path, Buffer.alloc(4096 + 3 * 88, "x"))],
  ])("in a file that is %s are made anew, which is said", (_, spoil) => {
    const spec = open()!;
    using before = store(spec);
    before.put(0, picture(1));
    spoil(spec.place.path);
    using after = store(open());
    expect(notes).toEqual([
      `${spec.place.path} is cut short or holds something else: its pictures are decoded again`,
    ]);
    expect(after.get(0, take)).toBeUndefined();
    after.put(0, picture(2));
    expect(after.get(0, take)).toEqual(picture(2));
    open();
    expect(notes).toHaveLength(1);
  });

  it("keep to their budget: the longest unused go, and what is too large is not kept", () => {
    const one = 4096 + 3 * 88;
    const specs = [0.5, 0.6, 0.7].map((pct, i) => {
      const spec = open(set, { ...fit, crop: { kind: "center", pct } }, 3 * one)!;
      utimesSync(spec.place.path, 1000 - i, 1000 - i);
      return spec;
    });
    // Used again, so that it is the newest.
    open(set, { ...fit, crop: { kind: "center", pct: 0.7 } }, 3 * one);
    open(set, fit, 3 * one);
    expect(specs.map(({ place }) => existsSync(place.path))).toEqual([true, false, true]);
    expect(open(set, { ...fit, size: [400, 600] }, 3 * one)).toBeUndefined();
    expect(notes.join()).toMatch(/not kept for the next run: 0\.0 GB are more than the 0\.0 GB/);
    expect(readdirSync(folder)).toHaveLength(3);
  });

  it("where no file can be made are not kept, which is said", () => {
    writeFileSync(join(folder, "file"), "");
    const spec = keptStore(set, fit, { folder: join(folder, "file", "in it"), onNote });
    expect(spec).toBeUndefined();
    expect(notes[0]).toContain("decoded pictures are not kept for the next run");
  });
});

it("two processes at once, and one that is killed, leave only whole pictures", () => {
  const module = JSON.stringify(
    join(import.meta.dirname, "../../../dist/data/files/kept-store.js"),
  );
  const script = `
    import { KeptStore, keptStore } from ${module};
    const set = { count: 200, files: [], stamps: Array.from({ length: 200 }, (_, i) => "sha256:" + i) };
    const fit = { size: [64, 64], interpolation: "bilinear", crop: { kind: "center", pct: 1 } };
    const store = new KeptStore(keptStore(set, fit, { folder: ${JSON.stringify(folder)} }));
    const from = Number(process.argv[1]);
    for (let i = 0; i < 200; i++) {
      const row = (from + i) % 200;
      store.put(row, { height: 64, width: 64, pixels: new Uint8Array(12288).fill(row) });
      if (from === 150 && i === 40) process.kill(process.pid, "SIGKILL");
    }`;
  const start = (from: number) =>
    `"${process.execPath}" --input-type=module -e '${script}' ${from}`;
  const { status, stderr } = spawnSync("sh", ["-c", `${start(0)} & ${start(150)}; wait $!`], {
    encoding: "utf8",
  });
  expect([status, stderr.replace(/^Killed\n/, "")]).toEqual([0, ""]);
  const stamps = Array.from({ length: 200 }, (_, i) => `sha256:${i}`);
  const many = { count: 200, files: [], stamps };
  using all = store(
    open(many, { size: [64, 64], interpolation: "bilinear", crop: { kind: "center", pct: 1 } }),
  );
  for (let row = 0; row < 200; row++) {
    expect(all.get(row, take)?.pixels.every((value) => value === row)).toBe(true);
  }
  expect(readdirSync(folder)).toHaveLength(1);
});

it("a second loader reads no file", async () => {
  const files = await Promise.all(
    [1, 2, 3].map(async (seed) => {
      const path = join(folder, `${seed}.jpg`);
      await writeTiny(path, { seed, width: 30, height: 20 });
      return path;
    }),
  );
  const labels = new Int32Array(3);
  const all: FileImageSet = {
    count: 3,
    files,
    stamps: files.map(statStamp),
    labels,
    classes: ["a"],
  };
  const read = async (): Promise<number[]> => {
    await using loader = new Loader(all, {
      ...{ fit, keepIn: join(folder, "pixels"), batchSize: 3, seed: 1, workers: 2, onNote },
      ...{ mean: [0, 0, 0], std: [1, 1, 1], memoryFormat: "contiguous" },
    });
    const values: number[] = [];
    for await (const { images, labels } of loader.epoch(1)) {
      values.push(...images.toArray("float32"));
      images.dispose();
      labels.dispose();
    }
    return values;
  };
  const first = await read();
  for (const path of files) rmSync(path);
  expect(await read()).toEqual(first);
  expect(notes).toEqual([]);
});

function store(spec: ReturnType<typeof keptStore>): KeptStore & Disposable {
  const opened = new KeptStore(spec!);
  return Object.assign(opened, { [Symbol.dispose]: () => opened.close() });
}
