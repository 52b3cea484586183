import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { type Device, type DType, Generator, liveTensors, ops, scope, Tensor } from "./index.ts";

const floats = (shape: number[], ...values: number[]): Tensor =>
  Tensor.from(Float32Array.from(values), shape);
const longs = (...values: number[]): Tensor =>
  Tensor.from(BigInt64Array.from(values, BigInt), [values.length]);
const read = (tensor: Tensor): number[] => [...tensor.toArray("float32")];
const range = (count: number): Tensor => ops.arange(0, count, { dtype: "float32" });

expectNoLeaks();

describe("arguments of every kind", () => {
  it("tensors, and optional ones given, null or left out", () => {
    scope(() => {
      const [x, w] = [floats([1, 2], 1, 2), floats([2, 2], 1, 0, 0, 1)];
      expect(read(ops.linear(x, w))).toEqual([1, 2]);
      expect(read(ops.linear(x, w, { bias: null }))).toEqual([1, 2]);
      expect(read(ops.linear(x, w, { bias: undefined }))).toEqual([1, 2]);
      expect(read(ops.linear(x, w, { bias: floats([2], 10, 20) }))).toEqual([11, 22]);
    });
  });

  it("lists of tensors, and lists with gaps in indexing", () => {
    scope(() => {
      expect(read(ops.cat([range(2), range(3)]))).toEqual([0, 1, 0, 1, 2]);
      expect(ops.stack([range(2), range(2)], { dim: 1 }).shape).toEqual([2, 2]);
      const x = ops.view(range(6), [2, 3]);
      expect(read(ops.index(x, [null, longs(2, 0)]))).toEqual([2, 0, 5, 3]);
      expect(read(ops.index(x, [longs(1, 0), longs(2, 0)]))).toEqual([5, 0]);
      expect(read(ops.index(x, [longs(1), null]))).toEqual([3, 4, 5]);
    });
  });

  it("scalars: whole numbers are ints, others floats; bigints and booleans too", () => {
    scope(() => {
      const ints = ops.arange(0, 3, { dtype: "int32" });
      expect(ops.addScalar(ints, 2).dtype).toBe("int32");
      expect(ops.addScalar(ints, 2n).dtype).toBe("int32");
      expect(ops.addScalar(ints, 0.5).dtype).toBe("float32");
      expect(ops.addScalar(ints, true).dtype).toBe("int32");
      expect(read(ops.add(range(2), range(2), { alpha: 10 }))).toEqual([0, 11]);
      expect(ops.full([1], 2n ** 62n, { dtype: "int64" }).toArray("int64")[0]).toBe(2n ** 62n);
    });
  });

  it("lists of ints, one number for a list of fixed length", () => {
    scope(() => {
      const x = ops.ones([1, 1, 6, 4]);
      expect(ops.avgPool2d(x, 2).shape).toEqual([1, 1, 3, 2]);
      expect(ops.avgPool2d(x, [3, 2]).shape).toEqual([1, 1, 2, 2]);
      expect(ops.permute(x, [0, 2, 3, 1]).shape).toEqual([1, 6, 4, 1]);
      expect(ops.sumDim(x, { dim: [2, 3] }).item()).toBe(24);
      expect(ops.sumDim(x, { dim: 3, keepdim: true }).shape).toEqual([1, 1, 6, 1]);
      expect(ops.sumDim(x).item()).toBe(24);
    });
  });

  it("lists of scalars", () => {
    scope(() => {
      const [a, b] = [ops.ones([2]), ops.ones([1])];
      ops.foreachDiv_ScalarList([a, b], [2, 0.5]);
      expect([read(a), read(b)]).toEqual([[0.5, 0.5], [2]]);
    });
  });

  it("dtypes, devices and memory formats", () => {
    scope(() => {
      const dtype: DType = "float64";
      const device: Device = "cpu";
      const x = ops.ones([1, 2, 3, 4], { dtype, device });
      expect([x.dtype, x.device]).toEqual(["float64", "cpu"]);
      const last = ops.contiguous(x, { memoryFormat: "channels_last" });
      expect(last.strides).toEqual([24, 1, 8, 2]);
      expect(last.isContiguous("channels_last")).toBe(true);
      expect(last.isContiguous()).toBe(false);
      expect(ops.emptyLike(last, { memoryFormat: "contiguous" }).strides).toEqual([24, 12, 4, 1]);
      expect(ops.emptyLike(last).strides).toEqual([24, 1, 8, 2]);
    });
  });

  it("strings and floats, with the schema's defaults", () => {
    scope(() => {
      const x = floats([1], 1);
      expect(ops.gelu(x).item()).toBeCloseTo(0.8413447, 6);
      expect(ops.gelu(x, { approximate: "tanh" }).item()).toBeCloseTo(0.841192, 6);
      expect(ops.allclose(x, floats([1], 1.001))).toBe(false);
      expect(ops.allclose(x, floats([1], 1.001), { atol: 0.01 })).toBe(true);
      const same = ops.conv2dPadding(ops.ones([1, 1, 5, 5]), ops.ones([1, 1, 3, 3]), {
        padding: "same",
      });
      expect(same.shape).toEqual([1, 1, 5, 5]);
    });
  });

  it("generators", () => {
    scope(() => {
      using generator = new Generator(1);
      const order = ops.randperm(5, { generator });
      expect([...order.toArray("int64")].sort()).toEqual([0n, 1n, 2n, 3n, 4n]);
    });
  });
});

describe("results of every kind", () => {
  it("tuples, lists and plain values", () => {
    scope(() => {
      const x = floats([2, 2], 1, 4, 3, 2);
      const [values, indices] = ops.maxDim(x, 1);
      expect(read(values)).toEqual([4, 3]);
      expect([...indices.toArray("int64")]).toEqual([1n, 0n]);
      expect(ops.split(range(5), 2).map((part) => part.elements)).toEqual([2, 2, 1]);
      expect(ops.equal(x, x)).toBe(true);
    });
  });

  it("in-place forms give their tensor back and make no handle", () => {
    scope(() => {
      const x = ops.ones([2]);
      const before = liveTensors();
      expect(ops.add_Scalar(ops.mul_Scalar(x, 3), 1)).toBe(x);
      expect(ops.zero_(x)).toBe(x);
      expect(liveTensors()).toBe(before);
      expect(read(x)).toEqual([0, 0]);
    });
  });

  it("out= forms write where they are told", () => {
    scope(() => {
      const out = ops.empty([2]);
      const before = liveTensors();
      expect(ops.addOut(range(2), range(2), { out, alpha: 2 })).toBe(out);
      expect(read(out)).toEqual([0, 3]);
      expect(liveTensors()).toBe(before + 2);
    });
  });

  it("views share memory with what they view", () => {
    scope(() => {
      const x = range(6);
      const view = ops.slice(ops.view(x, [2, 3]), { dim: 1, start: 1 });
      x.dispose();
      ops.fill_Scalar(ops.select(view, 0, 0), 9);
      expect(read(view)).toEqual([9, 9, 4, 5]);
    });
  });
});

describe("errors name the operator, the argument and the shapes", () => {
  const message = (body: () => unknown): string => {
    let text = "";
    scope(() => {
      try {
        body();
      } catch (error) {
        text = (error as Error).message;
      }
    });
    expect(text, "nothing was thrown").not.toBe("");
    return text;
  };

  it("shapes that do not fit", () => {
    const text = message(() => ops.mm(ops.ones([2, 3]), ops.ones([4, 5])));
    expect(text).toMatch(/^aten::mm: /);
    expect(text).toContain("self float32[2, 3], mat2 float32[4, 5]");
    expect(text).not.toMatch(/frame #|\.so/);
  });

  it("dtypes that do not fit", () => {
    const text = message(() => ops.mm(ops.ones([2, 2]), ops.ones([2, 2], { dtype: "int64" })));
    expect(text).toMatch(/^aten::mm: .*mat2 int64\[2, 2\]/s);
  });

  it("lists of tensors", () => {
    const text = message(() => ops.cat([ops.ones([2, 2]), ops.ones([3, 3])]));
    expect(text).toMatch(/^aten::cat: .*tensors \(float32\[2, 2\], float32\[3, 3\]\)/s);
  });

  it("a tensor that was disposed", () => {
    const gone = ops.ones([1]);
    gone.dispose();
    expect(message(() => ops.add(ops.ones([7]), gone))).toMatch(
      /^aten::add\.Tensor: argument 'other' is a tensor that was disposed \[self float32\[7\]\]/,
    );
    expect(message(() => gone.shape)).toMatch(/disposed/);
    expect(message(() => gone.item())).toMatch(/disposed/);
  });

  it("a handle that was released, after its place was taken by another tensor", () => {
    scope(() => {
      const old = ops.ones([1]);
      old.dispose();
      const fresh = Array.from({ length: 4 }, () => ops.ones([1]));
      expect(fresh.every((tensor) => tensor.handle !== old.handle)).toBe(true);
      expect(() => ops.neg(old)).toThrow(/disposed/);
    });
  });

  it.each<[string, () => unknown, RegExp]>([
    ["nothing", () => ops.mm(ops.ones([1, 1]), { handle: undefined } as never), /'mat2' wants/],
    ["null", () => ops.neg({ handle: null } as never), /'self' wants Tensor.*null/],
    ["a string", () => ops.narrow(range(3), "0" as never, 0, 1), /narrow: argument 'dim'.*string/],
    ["a fraction", () => ops.narrow(range(3), 0, 0.5, 1), /'start' wants int.*0\.5/],
    ["NaN", () => ops.narrow(range(3), 0, Number.NaN, 1), /'start' wants int.*nan/],
    ["no list", () => ops.view(range(4), 4 as never), /'size' wants.*a number/],
    ["an object", () => ops.view(range(4), [{}] as never), /'size' wants.*an object/],
    ["no boolean", () => ops.dropout(range(4), 0.5, 1 as never), /'train' wants bool.*number/],
    ["no dtype", () => ops.ones([1], { dtype: "float8" as never }), /unknown dtype 'float8'/],
    ["no device", () => ops.ones([1], { device: "abacus" as never }), /aten::ones: .*abacus/s],
    ["a huge bigint", () => ops.full([1], 2n ** 70n), /aten::full: .*64 bits/],
  ])("%s where something else is wanted", (_, body, expected) => {
    expect(message(body)).toMatch(expected);
  });

  it.each([[[-1]], [[2 ** 40, 2 ** 40]], [[2 ** 50]]])("the size %j", (size) => {
    expect(message(() => ops.empty(size))).toMatch(/^aten::empty/);
  });
});
