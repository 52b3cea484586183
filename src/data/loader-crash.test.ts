import type { Worker, WorkerOptions } from "node:worker_threads";
import { describe, expect, it, vi } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { Loader } from "./loader.ts";

/** What the loader's thread runs in place of its worker. */
const body = vi.hoisted(() => ({ source: "" }));

vi.mock("node:worker_threads", async (original) => {
  const real = await original<{ Worker: typeof Worker }>();
  return {
    ...real,
    Worker: class extends real.Worker {
      constructor(_: URL, options: WorkerOptions) {
        super(body.source, { ...options, eval: true });
      }
    },
  };
});

const set = {
  images: new Uint8Array(6 * 4),
  labels: new Uint8Array(6),
  count: 6,
  channels: 1,
  height: 2,
  width: 2,
  classes: ["a"],
};

expectNoLeaks();

describe("a data thread that dies", () => {
  it.each([
    ["at its start", `throw new Error("no addon here");`, /data thread stopped: no addon here/],
    ["by an exit", "process.exit(3);", /data thread stopped: it ended with code 3/],
    [
      "at its first batch",
      `require("node:worker_threads").parentPort.on("message", () => {
        throw new Error("out of memory");
      });`,
      /data thread stopped: out of memory/,
    ],
  ])(
    "%s: reading fails, again and again, and disposal does not wait for it",
    async (_, source, message) => {
      body.source = source;
      const loader = new Loader(set, {
        batchSize: 2,
        seed: 1,
        mean: [0],
        std: [1],
        memoryFormat: "contiguous",
      });
      await expect(loader.epoch(0).next()).rejects.toThrow(message);
      await expect(loader.epoch(1).next()).rejects.toThrow(message);
      await loader[Symbol.asyncDispose]();
    },
  );
});

describe("a file that hangs", () => {
  it("is named when its time is over, and so is one that kills the thread", async () => {
    const files = {
      files: ["a.jpg", "b.jpg"],
      labels: Int32Array.of(0, 0),
      count: 2,
      classes: ["a"],
      stamps: ["stat:1:0", "stat:1:0"],
    };
    const options = {
      batchSize: 2,
      seed: 1,
      mean: [0, 0, 0],
      std: [1, 1, 1],
      memoryFormat: "contiguous",
      workers: 1,
      stallSeconds: 0.2,
      fit: { size: [8, 8], interpolation: "bilinear", crop: { kind: "center", pct: 1 } },
    } as const;
    for (const [ending, message] of [
      ["while (true);", /nothing has moved for 0.2 s, while it decoded b.jpg/],
      ["process.exit(3);", /ended with code 3, while it decoded b.jpg/],
    ] as const) {
      // What the worker writes when it opens the file of row 1.
      body.source = `const { parentPort, workerData } = require("node:worker_threads");
        parentPort.on("message", () => { workerData.watch.set([2, 1]); ${ending} });`;
      const loader = new Loader(files, options);
      await expect(loader.epoch(0).next()).rejects.toThrow(message);
      await loader[Symbol.asyncDispose]();
    }
  });
});
