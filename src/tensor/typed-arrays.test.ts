import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { bytesPerElement, type DType, liveTensors, ops, scope, Tensor } from "./index.ts";

const samples: { readonly [D in DType]: NodeJS.TypedArray } = {
  float32: Float32Array.of(1.5, -2, 1e-30),
  float64: Float64Array.of(Math.PI, -2, 1e300),
  float16: Uint16Array.of(0x3c00, 0xc000, 0x7bff),
  bfloat16: Uint16Array.of(0x3f80, 0xc000, 0x4049),
  uint8: Uint8Array.of(0, 7, 255),
  int8: Int8Array.of(-128, 0, 127),
  int16: Int16Array.of(-32768, 0, 32767),
  int32: Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1),
  int64: BigInt64Array.of(-(2n ** 63n), 0n, 2n ** 63n - 1n),
  bool: Uint8Array.of(0, 1, 1),
};
const dtypes = Object.keys(samples) as DType[];

/** Collects garbage and lets finalizers run; the flag makes `gc` visible in new contexts alone. */
async function collectGarbage(): Promise<void> {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  for (let i = 0; i < 3; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

expectNoLeaks();

describe("typed arrays of every dtype", () => {
  it.each(dtypes)("%s goes in and comes out unchanged, copied", (dtype) => {
    scope(() => {
      const array = samples[dtype].slice();
      const tensor = Tensor.from(array, [3, 1], dtype);
      new Uint8Array(array.buffer).fill(0);
      expect(tensor.dtype).toBe(dtype);
      expect(tensor.shape).toEqual([3, 1]);
      expect(tensor.toArray(dtype)).toEqual(samples[dtype]);
      expect(tensor.toBytes().length).toBe(3 * bytesPerElement[dtype]);
    });
  });

  it.each(dtypes)("%s is borrowed without a copy", (dtype) => {
    scope(() => {
      const array = samples[dtype].slice();
      const tensor = Tensor.borrow(array, [3], dtype);
      ops.zero_(tensor);
      expect(array.every((value) => Number(value) === 0)).toBe(true);
      array.set(samples[dtype] as never);
      expect(tensor.toArray(dtype)).toEqual(samples[dtype]);
    });
  });

  it("halves are their bits: 1, -2 and 3.140625 in bfloat16, 65504 in float16", () => {
    scope(() => {
      const brain = ops.toDtype(Tensor.from(samples.bfloat16, [3], "bfloat16"), "float32");
      expect([...brain.toArray("float32")]).toEqual([1, -2, 3.140625]);
      const half = ops.toDtype(Tensor.from(samples.float16, [3], "float16"), "float32");
      expect([...half.toArray("float32")]).toEqual([1, -2, 65504]);
    });
  });

  it("takes a view of a larger buffer from where it begins", () => {
    scope(() => {
      const whole = Float32Array.of(9, 1, 2, 9);
      expect([...Tensor.from(whole.subarray(1, 3), [2]).toArray("float32")]).toEqual([1, 2]);
      expect([...Tensor.borrow(whole.subarray(1, 3), [2]).toArray("float32")]).toEqual([1, 2]);
    });
  });

  it("writes views out in row-major order", () => {
    scope(() => {
      const tensor = ops.t(Tensor.from(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]));
      expect(tensor.isContiguous()).toBe(false);
      expect([...tensor.toArray("float32")]).toEqual([1, 4, 2, 5, 3, 6]);
    });
  });

  it("takes empty arrays and scalars", () => {
    scope(() => {
      const empty = Tensor.from(new Float32Array(0), [0, 3]);
      expect([empty.elements, empty.toArray("float32").length]).toEqual([0, 0]);
      expect(Tensor.borrow(new Float32Array(0), [0]).shape).toEqual([0]);
      const scalar = Tensor.from(BigInt64Array.of(41n), []);
      expect([scalar.shape, scalar.item()]).toEqual([[], 41]);
    });
  });
});

describe("what does not fit is refused", () => {
  it.each([
    ["too few elements", new Float32Array(5), [2, 3], /20 bytes, the shape and dtype want 24/],
    ["too many elements", new Float32Array(7), [2, 3], /28 bytes.*24/],
    ["a negative size", new Float32Array(4), [-2, -2], /negative or impossible/],
    ["a size that is no whole number", new Float32Array(1), [1.5], /no whole number/],
    ["NaN for a size", new Float32Array(0), [Number.NaN], /no whole number/],
    ["shared memory", new Float32Array(new SharedArrayBuffer(4)), [1], /SharedArrayBuffer/],
    ["an impossible size", new Float32Array(4), [2 ** 40, 2 ** 40], /negative or impossible/],
  ])("%s", (_, array, shape, message) => {
    expect(() => Tensor.from(array, shape)).toThrow(message);
    expect(() => Tensor.borrow(array, shape)).toThrow(message);
  });

  it("raw bits without a dtype, another dtype than the tensor's", () => {
    expect(() => Tensor.from(new Uint16Array(1), [1])).toThrow(/Uint16Array: name the dtype/);
    scope(() => {
      expect(() => ops.ones([1]).toArray("float64")).toThrow(/"float64".*float32/);
      expect(() => ops.ones([2]).item()).toThrow(/one element.*float32\[2\]/);
      expect(() => ops.ones([2]).size(1)).toThrow(/dimension 1.*\[2\]/);
    });
  });

  it("borrowed bytes that are not aligned to their elements", () => {
    const bytes = new Uint8Array(9).subarray(1);
    expect(() => Tensor.borrow(bytes, [2], "float32")).toThrow(/aligned/);
    scope(() => expect(Tensor.from(bytes, [2], "float32").elements).toBe(2));
  });
});

describe("garbage collection", () => {
  it("a borrowed array lives as long as a view of its tensor, and no longer", async () => {
    const { view, array } = (() => {
      const made = new Float32Array(1 << 16).fill(3);
      const tensor = Tensor.borrow(made, [1 << 16]);
      const half = ops.narrow(tensor, 0, 1 << 15, 1 << 15);
      tensor.dispose();
      return { view: half, array: new WeakRef(made) };
    })();
    await collectGarbage();
    expect(array.deref()).toBeDefined();
    expect(view.toArray("float32").every((value) => value === 3)).toBe(true);
    view.dispose();
    // The reference goes back with the addon's next call.
    Tensor.borrow(new Float32Array(1), [1]).dispose();
    await collectGarbage();
    expect(array.deref()).toBeUndefined();
  });

  it("releases tensors that nobody disposed", async () => {
    const before = liveTensors();
    (() => {
      for (let i = 0; i < 100; i++) ops.ones([10]);
    })();
    expect(liveTensors()).toBe(before + 100);
    for (let i = 0; i < 20 && liveTensors() > before; i++) await collectGarbage();
    expect(liveTensors()).toBe(before);
  });
});
