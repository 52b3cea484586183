import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import {
  emptyCache,
  getThreads,
  hasOperator,
  limitMemory,
  memory,
  ops,
  Profiler,
  profile,
  resetPeakMemory,
  scope,
  setThreads,
  type Tensor,
  version,
} from "./index.ts";

const MEGABYTE = 1 << 20;
const megabytes = (count: number): Tensor => ops.empty([count, MEGABYTE], { dtype: "uint8" });

expectNoLeaks();

describe("the allocator", () => {
  it("counts what tensors hold, now and at most", () => {
    emptyCache();
    resetPeakMemory();
    const before = memory();
    expect(before.peakBytes).toBe(before.currentBytes);
    const tensor = megabytes(10);
    expect(memory().currentBytes - before.currentBytes).toBeGreaterThanOrEqual(10 * MEGABYTE);
    expect(memory().currentBytes - before.currentBytes).toBeLessThanOrEqual(11.25 * MEGABYTE);
    tensor.dispose();
    expect(memory().currentBytes).toBe(before.currentBytes);
    expect(memory().peakBytes - before.peakBytes).toBeGreaterThanOrEqual(10 * MEGABYTE);
    resetPeakMemory();
    expect(memory().peakBytes).toBe(before.currentBytes);
  });

  it("gives no more than its limit, cached blocks included, and goes on", () => {
    emptyCache();
    const before = limitMemory(memory().reservedBytes + 20 * MEGABYTE);
    try {
      expect(before).toBe(Number.POSITIVE_INFINITY);
      megabytes(12).dispose();
      // The cached block goes back for one that it does not fit.
      megabytes(16).dispose();
      expect(() => megabytes(24)).toThrow(/out of memory: \d+ bytes for a tensor/);
      megabytes(16).dispose();
    } finally {
      limitMemory(before);
    }
    megabytes(24).dispose();
  });

  it("counts memory once, however many views there are", () => {
    scope(() => {
      const tensor = megabytes(4);
      const { currentBytes } = memory();
      ops.narrow(tensor, 0, 1, 2);
      ops.t(tensor);
      expect(memory().currentBytes).toBe(currentBytes);
    });
  });

  it("holds freed blocks until the cache is emptied", () => {
    emptyCache();
    const { reservedBytes } = memory();
    megabytes(20).dispose();
    expect(memory().reservedBytes - reservedBytes).toBeGreaterThanOrEqual(20 * MEGABYTE);
    emptyCache();
    expect(memory().reservedBytes).toBe(reservedBytes);
  });

  it("uses a freed block again for the same size and one a little smaller", () => {
    megabytes(6).dispose();
    const { freshBlocks } = memory();
    megabytes(6).dispose();
    ops.empty([6 * MEGABYTE - 5000], { dtype: "uint8" }).dispose();
    expect(memory().freshBlocks).toBe(freshBlocks);
  });

  it("takes nothing new from the system in 50 identical training steps", () => {
    scope(() => {
      const w = ops.mulScalar(ops.ones([8, 3, 3, 3]), 0.01);
      w.requiresGrad = true;
      const step = (): void =>
        scope(() => {
          const y = ops.relu(ops.conv2d(ops.ones([4, 3, 32, 32]), w, { padding: 1 }));
          ops.mean(y).backward();
          w.grad = null;
        });
      for (let i = 0; i < 3; i++) step();
      const { freshBlocks, currentBytes } = memory();
      for (let i = 0; i < 50; i++) step();
      expect(memory().freshBlocks).toBe(freshBlocks);
      expect(memory().currentBytes).toBe(currentBytes);
    });
  });
});

describe("profile", () => {
  const body = () =>
    scope(() => {
      const w = ops.ones([4, 3, 3, 3]);
      w.requiresGrad = true;
      ops.sum(ops.conv2d(ops.ones([2, 3, 8, 8]), w)).backward();
    });
  const { events, dropped } = profile(body, { shapes: true });

  it("lists operators of the forward and backward pass with shapes and durations", () => {
    const conv = events.find((event) => event.name === "aten::conv2d")!;
    expect(conv.kind).toBe("operator");
    expect(conv.shapes).toBe("float32[2, 3, 8, 8], float32[4, 3, 3, 3]");
    const backward = events.filter(({ kind }) => kind === "backward");
    expect(backward.map((event) => event.name).join()).toMatch(/ConvolutionBackward0/);
    expect(events.every((event) => event.duration >= 0 && event.start >= 0)).toBe(true);
    expect(conv.duration).toBeGreaterThan(0);
    expect(dropped).toBe(0);
  });

  it("nests operators in time", () => {
    const outer = events.find((event) => event.name === "aten::conv2d")!;
    const inner = events.find((event) => event.name === "aten::convolution")!;
    expect(inner.start).toBeGreaterThanOrEqual(outer.start);
    expect(inner.start + inner.duration).toBeLessThanOrEqual(outer.start + outer.duration);
  });

  it("tells, where it is kept open, of calls from JavaScript, around the operators that they run", () => {
    using profiler = new Profiler();
    body();
    const { events } = profiler.stop();
    const calls = events.filter(({ kind }) => kind === "call");
    expect(
      calls.map(({ name }) => name).filter((name) => !/^(?:resolve|release)$/.test(name)),
    ).toEqual([
      ...["aten::ones", "setRequiresGrad", "aten::ones", "aten::conv2d", "aten::sum"],
      "backward",
    ]);
    const inside = (call: (typeof calls)[number]) =>
      events.filter(
        ({ kind, start, duration }) =>
          kind !== "call" && start >= call.start && start + duration <= call.start + call.duration,
      );
    const conv = calls.find(({ name }) => name === "aten::conv2d")!;
    expect(inside(conv).map(({ name }) => name)).toContain("aten::conv2d");
    // Nothing is computed outside of them, the backward pass neither.
    const reached = calls.reduce((sum, call) => sum + inside(call).length, 0);
    expect(reached).toBe(events.length - calls.length);
  });

  it("can run again after its body threw, leaves out shapes unasked, refuses to nest", () => {
    expect(() =>
      profile(() => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    const again = profile(() => ops.ones([2]).dispose());
    expect(again.events.map((event) => event.name)).toContain("aten::ones");
    expect(again.events.every((event) => event.shapes === "")).toBe(true);
    expect(() => profile(() => profile(() => undefined))).toThrow(/runs already/);
  });
});

describe("the runtime", () => {
  it("sets how many threads an operator uses", () => {
    const before = getThreads();
    setThreads(1);
    expect(getThreads()).toBe(1);
    setThreads(before);
    expect(getThreads()).toBe(before);
    expect(() => setThreads(0)).toThrow();
  });

  it("knows its operators and its version", () => {
    expect(hasOperator("aten::conv2d")).toBe(true);
    expect(hasOperator("aten::mm", "CPU")).toBe(true);
    expect(hasOperator("aten::no_such_operator")).toBe(false);
    expect(version().libtorch).toMatch(/^\d+\.\d+\.\d+/);
  });
});
