import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { Generator, inMemoryFormat, liveTensors, ops, scope, Tensor } from "./index.ts";

expectNoLeaks();

describe("Tensor", () => {
  it("tells its shape, sizes, dtype, device and strides", () => {
    scope(() => {
      const tensor = ops.zeros([2, 3, 4], { dtype: "int16" });
      expect(tensor.shape).toEqual([2, 3, 4]);
      expect([tensor.size(0), tensor.size(-1), tensor.elements]).toEqual([2, 4, 24]);
      expect([tensor.dtype, tensor.device]).toEqual(["int16", "cpu"]);
      expect(tensor.strides).toEqual([12, 4, 1]);
      expect(ops.zeros([]).elements).toBe(1);
    });
  });

  it("is freed at the end of a using block", () => {
    const before = liveTensors();
    {
      using tensor = ops.ones([2]);
      expect(tensor.disposed).toBe(false);
      expect(liveTensors()).toBe(before + 1);
    }
    expect(liveTensors()).toBe(before);
  });

  it("gives its handle away, and the new owner frees it", () => {
    const first = Tensor.from(Float32Array.of(5), [1]);
    const handle = first.release();
    expect(first.disposed).toBe(true);
    first.dispose();
    const second = new Tensor(handle);
    expect(second.item()).toBe(5);
    second.dispose();
    expect(() => new Tensor(handle).item()).toThrow(/disposed/);
  });

  it("given away inside a scope, is not freed with it", () => {
    const handle = scope(() => ops.ones([1]).release());
    const owner = new Tensor(handle);
    expect(owner.item()).toBe(1);
    owner.dispose();
  });

  it("asks for a gradient only where there can be one", () => {
    scope(() => {
      const [floats, ints] = [ops.ones([1]), ops.ones([1], { dtype: "int64" })];
      floats.requiresGrad = true;
      expect(ops.neg(floats).requiresGrad).toBe(true);
      expect(ops.detach(floats).requiresGrad).toBe(false);
      expect(() => {
        ints.requiresGrad = true;
      }).toThrow(/floating point/);
    });
  });
});

describe("inMemoryFormat", () => {
  const numbers = (...shape: number[]): Tensor => {
    const count = shape.reduce((product, size) => product * size, 1);
    return ops.view(ops.arange(0, count, { dtype: "float32" }), shape);
  };

  it.each([
    [2, 3, 4, 5],
    [2, 1, 4, 5],
    [2, 3, 1, 1],
    [1, 1, 1, 1],
  ])("channels_last has exactly its strides, and the same values: [%d, %d, %d, %d]", (...shape) => {
    scope(() => {
      const [, c, h, w] = shape;
      const tensor = numbers(...shape);
      const last = inMemoryFormat(tensor, "channels_last");
      expect(last.strides).toEqual([h * w * c, 1, w * c, c]);
      expect(last.toArray("float32")).toEqual(tensor.toArray("float32"));
      expect(inMemoryFormat(last, "channels_last")).toBe(last);
      const back = inMemoryFormat(last, "contiguous");
      expect(back.toArray("float32")).toEqual(tensor.toArray("float32"));
    });
  });

  it("leaves other numbers of dimensions alone, and everything under preserve", () => {
    scope(() => {
      const [flat, image] = [numbers(2, 3), numbers(1, 2, 3, 4)];
      expect(inMemoryFormat(flat, "channels_last")).toBe(flat);
      expect(inMemoryFormat(image, "preserve")).toBe(image);
    });
  });

  it("passes gradients through", () => {
    scope(() => {
      const tensor = numbers(1, 2, 2, 2);
      tensor.requiresGrad = true;
      ops.sum(ops.square(inMemoryFormat(tensor, "channels_last"))).backward();
      expect([...tensor.grad!.toArray("float32")]).toEqual([0, 2, 4, 6, 8, 10, 12, 14]);
    });
  });
});

describe("seeds", () => {
  it("of up to 32 bits give streams of their own, larger ones the same again", () => {
    const first = (seed: number): number => {
      using generator = new Generator(seed);
      return scope(() => ops.rand([1], { generator }).item());
    };
    const seeds = [0, 1, 2 ** 31, 2 ** 32 - 1];
    expect(new Set(seeds.map(first)).size).toBe(4);
    expect(first(Number.MAX_SAFE_INTEGER)).toBe(first(Number.MAX_SAFE_INTEGER));
  });
});
