import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import {
  autocast,
  Generator,
  getThreads,
  ops,
  scope,
  setThreads,
  type Tensor,
} from "../tensor/index.ts";
import { Conv2d } from "./index.ts";

expectNoLeaks();

interface Case {
  readonly channels: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly padding?: number | "same";
  readonly bias?: boolean;
  readonly size?: readonly [height: number, width: number];
  readonly images?: number;
}

/** What bf16 can hold, so that both ways compute with the same numbers. */
const toBf16 = (x: Tensor): Tensor =>
  ops.toDtype(ops.toDtype(ops.detach(x), "bfloat16"), "float32");

interface Gradients {
  readonly y: number[];
  readonly x: number[];
  readonly weight: number[];
  readonly bias: number[] | undefined;
}

/** A forward and a backward pass in bf16 as autocast does it, or in fp32; the gradient of the output is drawn too. */
function pass(options: Case, how: "bf16" | "exact"): Gradients {
  const { channels, kernel, stride = 1, padding = kernel >> 1, bias = false } = options;
  const { size = [9, 11], images = 3 } = options;
  using random = new Generator(7);
  using conv = new Conv2d(channels, channels, kernel, {
    ...{ stride, padding, groups: channels, bias, random },
  });
  return scope(() => {
    for (const parameter of conv.parameters()) {
      parameter.replace(toBf16(parameter));
      parameter.requiresGrad = true;
    }
    const x = toBf16(ops.randn([images, channels, ...size], { generator: random }));
    x.requiresGrad = true;
    const run = (): Tensor => conv.train().forward(x);
    const y = how === "bf16" ? autocast({ device: "cpu", dtype: "bfloat16" }, run) : run();
    const g = toBf16(ops.randn([...y.shape], { generator: random }));
    ops.sum(ops.mul(y, ops.toDtype(g, y.dtype))).backward();
    return {
      ...{ y: values(y), x: values(x.grad!), weight: values(conv.weight.grad!) },
      bias: conv.bias === null ? undefined : values(conv.bias.grad!),
    };
  });
}

const both = (options: Case): readonly [ours: Gradients, exact: Gradients] => [
  pass(options, "bf16"),
  pass(options, "exact"),
];

const values = (x: Tensor): number[] => [...ops.toDtype(x, "float32").toArray("float32")];

/** The largest difference in parts of the largest number. */
function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const values = Array.from(a, (value, i) => [Math.abs(value - b[i]!), Math.abs(b[i]!)] as const);
  return Math.max(...values.map(([d]) => d)) / Math.max(...values.map(([, size]) => size));
}

describe("a depthwise convolution in bf16 on the CPU", () => {
  it.each<Case>([
    { channels: 16, kernel: 3 },
    { channels: 32, kernel: 3, stride: 2 },
    { channels: 48, kernel: 5 },
    { channels: 32, kernel: 5, stride: 2, size: [8, 8] },
    { channels: 16, kernel: 7, bias: true, size: [7, 7] },
    // No multiple of the kernels' lanes.
    { channels: 24, kernel: 3, bias: true },
    { channels: 40, kernel: 5, stride: 2, images: 1 },
    { channels: 72, kernel: 3, stride: 3, size: [10, 4] },
    // Fewer channels than lanes: libtorch's own.
    { channels: 8, kernel: 3, stride: 2 },
    // An image smaller than the kernel, one pixel, no padding, even kernels.
    { channels: 16, kernel: 7, size: [2, 3] },
    { channels: 16, kernel: 5, size: [1, 1] },
    { channels: 16, kernel: 3, padding: 0 },
    { channels: 16, kernel: 3, padding: 3 },
    { channels: 16, kernel: 2, padding: 0, stride: 2 },
    { channels: 16, kernel: 4, padding: 1 },
    { channels: 16, kernel: 1, padding: 0 },
    { channels: 16, kernel: 6, padding: 2 },
    // A kernel that is larger than ours take.
    { channels: 16, kernel: 9, size: [12, 12] },
    { channels: 32, kernel: 3, stride: 2, padding: "same", size: [8, 8] },
    { channels: 32, kernel: 5, stride: 2, padding: "same", size: [9, 7] },
  ])("has float32's gradients: %j", (options) => {
    const [ours, exact] = both(options);
    // Half of bf16's last place, where it is stored in it.
    expect(difference(ours.y, exact.y)).toBeLessThan(2 ** -8);
    expect(difference(ours.x, exact.x)).toBeLessThan(2 ** -8);
    const isOwn = options.channels >= 16 && options.kernel <= 7;
    expect(difference(ours.weight, exact.weight)).toBeLessThan(isOwn ? 1e-5 : 2 ** -7);
    if (exact.bias) expect(difference(ours.bias!, exact.bias)).toBeLessThan(isOwn ? 1e-5 : 2 ** -7);
  });

  it("gives the same bits again with the same number of threads, and about the same with others", () => {
    const wide = { channels: 32, kernel: 5, size: [20, 20], images: 4 } as const;
    const before = getThreads();
    setThreads(2);
    try {
      const [two] = both(wide);
      expect(both(wide)[0]).toEqual(two);
      setThreads(1);
      const [one] = both(wide);
      expect(one.x).toEqual(two.x);
      expect(difference(one.weight, two.weight)).toBeLessThan(1e-5);
    } finally {
      setThreads(before);
    }
  });

  it("is libtorch's in evaluation, outside autocast, and for several outputs a channel", () => {
    using random = new Generator(7);
    using conv = new Conv2d(16, 16, 3, { groups: 16, padding: 1, random });
    using pairs = new Conv2d(16, 32, 3, { groups: 16, padding: 1, random });
    scope(() => {
      const x = ops.randn([2, 16, 5, 5], { generator: random });
      conv.eval();
      const evaluated = autocast({ device: "cpu", dtype: "bfloat16" }, () => conv.forward(x));
      conv.train();
      const trained = autocast({ device: "cpu", dtype: "bfloat16" }, () => conv.forward(x));
      expect(trained.dtype).toBe("bfloat16");
      expect(difference(values(trained), values(evaluated))).toBeLessThan(2 ** -8);
      expect(conv.forward(x).dtype).toBe("float32");
      expect(autocast({ device: "cpu", dtype: "bfloat16" }, () => pairs.forward(x)).shape).toEqual([
        2, 32, 5, 5,
      ]);
    });
  });
});
