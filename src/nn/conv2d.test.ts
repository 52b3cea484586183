import { expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { Generator, ops, scope } from "../tensor/index.ts";
import { Conv2d } from "./index.ts";

expectNoLeaks();

/** What a convolution with weights of 1 makes of ones: how many pixels of the image each window covers, row by row. */
function covered(
  [height, width]: readonly [number, number],
  kernel: number,
  options: { stride?: number; dilation?: number },
): string {
  using random = new Generator(1);
  using conv = new Conv2d(1, 1, kernel, { ...options, padding: "same", bias: false, random });
  return scope(() => {
    conv.weight.replace(ops.ones([1, 1, kernel, kernel]));
    const y = conv.forward(ops.ones([1, 1, height, width]));
    const [rows, columns] = [y.size(2), y.size(3)];
    const flat = [...y.toArray("float32")];
    const row = (i: number) => flat.slice(i * columns, (i + 1) * columns).join(" ");
    return Array.from({ length: rows }, (_, i) => row(i)).join(", ");
  });
}

it("pads as TensorFlow's SAME: its guide's 13 pixels, kernel 6 and stride 5 get 1 zero and 2", () => {
  // Along the width; the one row lies under one row of weights.
  expect(covered([1, 13], 6, { stride: 5 })).toBe("5 6 4");
});

it.each([
  // Even sizes at stride 2: a zero at the bottom and right alone.
  [[4, 6], 3, { stride: 2 }, "9 9 6, 6 6 4"],
  // Odd ones: a zero at either end.
  [[3, 5], 3, { stride: 2 }, "4 6 4, 4 6 4"],
  // Height and width on their own.
  [[3, 4], 3, { stride: 2 }, "6 4, 6 4"],
  // Fewer pixels than strides: nothing is cut off, nothing added.
  [[1, 1], 1, { stride: 2 }, "1"],
  [[4, 4], 1, { stride: 2 }, "1 1, 1 1"],
  [[3, 3], 2, { dilation: 2 }, "1 2 1, 2 4 2, 1 2 1"],
] as const)("%j pixels, kernel %d, %j", (size, kernel, options, expected) => {
  expect(covered(size, kernel, options)).toBe(expected);
});
