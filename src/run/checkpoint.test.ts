import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { abandonedPath } from "../../test/support/abandoned.ts";
import { ThawError } from "../errors.ts";
import {
  encodeSafetensors,
  readSafetensors,
  type TensorData,
} from "../models/weights/safetensors.ts";
import {
  type CheckpointInfo,
  contentDigest,
  fingerprintDifferences,
  loadCheckpoint,
  loadModel,
  newestVerified,
  saveCheckpoint,
  saveModel,
} from "./checkpoint.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-checkpoint-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const info = (step: number): CheckpointInfo => ({
  step,
  epoch: Math.floor(step / 10),
  samplePosition: (step % 10) * 128,
  configDigest: "ab".repeat(32),
  fingerprint: {
    libtorch: "1.13.1",
    instructionSet: "avx512",
    threads: 2,
    worldSize: 1,
    compute: "fp32 on cpu",
  },
  state: { schedule: { bad: 1 }, rng: ["AAAA", "ü\0"] },
});
const tensors = (value: number, size = 4): Map<string, TensorData> =>
  new Map([
    ["fc.weight", { dtype: "F32", shape: [size], bytes: new Uint8Array(4 * size).fill(value) }],
    ["step", { dtype: "I64", shape: [], bytes: new Uint8Array(8).fill(value) }],
  ]);
const files = () => readdirSync(folder).sort();
const file = (step: number) => join(folder, `step-${String(step).padStart(9, "0")}.safetensors`);

function flipByte(path: string, fromEnd: number): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - fromEnd]! ^= 1;
  writeFileSync(path, bytes);
}

describe("a checkpoint", () => {
  it("comes back as it was saved", () => {
    const path = saveCheckpoint(folder, info(27), tensors(7));
    expect(path).toBe(file(27));
    const { tensors: read, path: from, ...rest } = loadCheckpoint(path);
    expect(from).toBe(path);
    expect(rest).toEqual(info(27));
    expect(new Map([...read].sort())).toEqual(tensors(7));
  });

  it("keeps the last two and the best, and leaves no temp file", () => {
    saveModel(join(folder, "best.safetensors"), tensors(9), { model: "simple_cnn" });
    writeFileSync(abandonedPath(file(10)), "left by a kill");
    for (const step of [10, 20, 30]) saveCheckpoint(folder, info(step), tensors(step));
    expect(files()).toEqual([
      "best.safetensors",
      "step-000000020.safetensors",
      "step-000000030.safetensors",
    ]);
  });

  it("drops the steps of a future that a resume abandoned", () => {
    for (const step of [10, 20, 30]) saveCheckpoint(folder, info(step), tensors(step));
    flipByte(file(30), 1);
    expect(newestVerified(folder).checkpoint?.step).toBe(20);
    saveCheckpoint(folder, info(25), tensors(25));
    expect(files()).toEqual(["step-000000020.safetensors", "step-000000025.safetensors"]);
  });

  it("is refused when asked to resume from a model file", () => {
    const best = join(folder, "best.safetensors");
    saveModel(best, tensors(9), { model: "simple_cnn" });
    expect(() => loadCheckpoint(best)).toThrow(/not a checkpoint to resume from/);
    expect(loadModel(best).metadata["model"]).toBe("simple_cnn");
  });
});

describe("newestVerified", () => {
  it.each([
    ["a flipped bit in a tensor", () => flipByte(file(30), 3), /does not match its checksum/],
    ["a file cut short", () => truncateSync(file(30), 200), /not a valid safetensors file/],
    ["an empty file", () => truncateSync(file(30), 0), /not a valid safetensors file/],
    ["changed metadata", () => changeStep(), /does not match its checksum/],
  ])("passes over %s and says so", (_, damage, why) => {
    for (const step of [20, 30]) saveCheckpoint(folder, info(step), tensors(step));
    damage();
    const { checkpoint, rejected } = newestVerified(folder);
    expect(checkpoint?.step).toBe(20);
    expect(rejected).toEqual([
      { file: "step-000000030.safetensors", why: expect.stringMatching(why) as string },
    ]);
  });

  it("finds nothing in an empty, a missing or a wholly damaged folder", () => {
    expect(newestVerified(folder)).toEqual({ checkpoint: undefined, rejected: [] });
    expect(newestVerified(join(folder, "none")).checkpoint).toBeUndefined();
    saveCheckpoint(folder, info(1), tensors(1));
    truncateSync(file(1), 9);
    expect(newestVerified(folder)).toMatchObject({ checkpoint: undefined, rejected: [{}] });
  });

  it("goes by steps past nine digits", () => {
    for (const step of [999_999_999, 1_000_000_000]) saveCheckpoint(folder, info(step), tensors(1));
    expect(newestVerified(folder).checkpoint?.step).toBe(1_000_000_000);
  });

  function changeStep() {
    const text = readFileSync(file(30), "latin1");
    writeFileSync(file(30), text.replace('"step":"30"', '"step":"31"'), "latin1");
  }
});

describe("the checksum", () => {
  it("still holds after another library wrote the same content in another order", () => {
    const path = join(folder, "best.safetensors");
    saveModel(path, tensors(3), { model: "m", a: "b" });
    const { tensors: read, metadata } = readSafetensors(path);
    const { chunks } = encodeSafetensors(new Map([...read].reverse()), metadata);
    writeFileSync(path, Buffer.concat(chunks));
    expect(() => loadModel(path)).not.toThrow();
  });

  it("counts names, shapes and metadata, not only bytes", () => {
    const base = contentDigest(tensors(1), { a: "b" });
    const renamed = new Map([...tensors(1)].map(([name, t]) => [`${name}x`, t] as const));
    const reshaped = new Map(tensors(1)).set("fc.weight", {
      ...tensors(1).get("fc.weight")!,
      shape: [2, 2],
    });
    const others = [
      contentDigest(renamed, { a: "b" }),
      contentDigest(reshaped, { a: "b" }),
      contentDigest(tensors(1), { a: "c" }),
      contentDigest(tensors(2), { a: "b" }),
    ];
    expect(new Set([base, ...others]).size).toBe(5);
  });

  it("is not asked of a file that has none", () => {
    const path = join(folder, "foreign.safetensors");
    writeFileSync(path, Buffer.concat(encodeSafetensors(tensors(3)).chunks));
    expect(loadModel(path).tensors.size).toBe(2);
  });
});

it("says what differs between two fingerprints", () => {
  const { fingerprint } = info(1);
  expect(fingerprintDifferences(fingerprint, { ...fingerprint })).toEqual([]);
  expect(fingerprintDifferences(fingerprint, { ...fingerprint, threads: 4 })).toEqual([
    "threads: 2 when saved, 4 now",
  ]);
});

describe("a full disk", () => {
  let refusedMount: string | undefined;
  beforeEach(() => {
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], { stdio: "pipe" });
      refusedMount = undefined;
    } catch (error) {
      refusedMount = (error as Error).message.split("\n")[0] ?? "mount failed";
    }
  });
  afterEach(() => {
    if (refusedMount === undefined) execFileSync("umount", [folder]);
  });

  it("leaves the last good checkpoint, no temp file and a clear message", (context) => {
    if (refusedMount !== undefined) {
      console.warn(`skipped: no tmpfs can be mounted here (${refusedMount})`);
      context.skip(refusedMount);
    }
    const size = 150_000;
    saveCheckpoint(folder, info(10), tensors(10, size / 4));
    saveModel(join(folder, "best.safetensors"), tensors(9, 10), {});
    const failure = catchError(() => saveCheckpoint(folder, info(20), tensors(20, size * 2)));
    expect(failure).toBeInstanceOf(ThawError);
    expect(failure.message).toMatch(
      /step-000000020\.safetensors: the disk is full: 12\d{5} bytes to write, \d+ free\./,
    );
    expect(failure.message).toContain(
      "The last good checkpoint, step-000000010.safetensors, is intact.",
    );
    expect(failure.hint).toContain("--resume");
    expect(files()).toEqual(["best.safetensors", "step-000000010.safetensors"]);
    expect(newestVerified(folder).checkpoint?.step).toBe(10);
    // With space again the same call succeeds.
    saveCheckpoint(folder, info(20), tensors(20, size / 4));
    expect(newestVerified(folder).checkpoint?.step).toBe(20);
  });

  it("keeps the best model that was there", (context) => {
    if (refusedMount !== undefined) context.skip(refusedMount);
    const best = join(folder, "best.safetensors");
    saveModel(best, tensors(1, 100), {});
    const failure = catchError(() => saveModel(best, tensors(2, 400_000), {}));
    expect(failure.message).toContain("The one written before is intact.");
    expect(loadModel(best).tensors.get("fc.weight")!.bytes[0]).toBe(1);
  });
});

it("says why a file cannot be put in its place, and leaves no temp file", () => {
  mkdirSync(join(folder, "step-000000001.safetensors"));
  expect(catchError(() => saveCheckpoint(folder, info(1), tensors(1)))).toBeInstanceOf(ThawError);
  expect(readdirSync(folder)).toEqual(["step-000000001.safetensors"]);
});

function catchError(act: () => unknown): ThawError {
  try {
    act();
  } catch (error) {
    return error as ThawError;
  }
  throw new Error("nothing was thrown");
}
