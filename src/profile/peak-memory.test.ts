import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { emptyCache, memory, ops, resetPeakMemory, scope } from "../tensor/index.ts";
import { peaks } from "./measure.ts";
import { peakProcessBytes, resetPeakProcess } from "./process-memory.ts";

expectNoLeaks();

describe("the peak of tensors", () => {
  it("is the sum of what was asked for, whatever the blocks' sizes", () => {
    resetPeakMemory();
    const before = memory().tensorBytes;
    scope(() => {
      // Odd sizes, of which the blocks are up to an eighth larger.
      const a = ops.zeros([1_000_003]);
      scope(() => void ops.zeros([3, 700_001]));
      const b = ops.add(a, a);
      ops.mul(b, a);
    });
    // a and the one in the inner scope; then a, b and their product: 3 · 1,000,003 < 1,000,003 + 2,100,003.
    expect(peaks().peakTensorBytes - before).toBe(4 * (1_000_003 + 3 * 700_001));
    expect(memory().tensorBytes).toBe(before);
  });

  it("counts a tensor once that is seen through views", () => {
    resetPeakMemory();
    const before = memory().tensorBytes;
    scope(() => void ops.transpose(ops.reshape(ops.zeros([640, 1000]), [1000, 640]), 0, 1));
    expect(peaks().peakTensorBytes - before).toBe(4 * 640_000);
  });

  it("is what the system says the process has grown by, within 5 %", ({ skip }) => {
    if (!existsSync("/proc/self/clear_refs") || !resetPeakProcess()) {
      skip("the peak of the process cannot be reset here");
    }
    emptyCache();
    resetPeakMemory();
    resetPeakProcess();
    const [tensors, process] = [memory().tensorBytes, peakProcessBytes()!];
    scope(() => {
      // No block is freed on the way: it would wait in the cache, resident and in no tensor.
      const a = ops.ones([3 << 24]);
      ops.add(a, a);
    });
    const grown = peaks().peakTensorBytes - tensors;
    expect(grown).toBe(4 * 6 * 2 ** 24);
    const resident = peakProcessBytes()! - process;
    expect(Math.abs(resident / grown - 1)).toBeLessThan(0.05);
    emptyCache();
  });
});
