import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import {
  autocast,
  clearGrads,
  grad,
  inference,
  noGrad,
  ops,
  scope,
  Tensor,
  version,
} from "./index.ts";

const leaf = (...values: number[]): Tensor => {
  const tensor = Tensor.from(Float32Array.from(values), [values.length]);
  tensor.requiresGrad = true;
  return tensor;
};
const values = (tensor: Tensor): number[] => [...tensor.toArray("float32")];
const cube = (x: Tensor): Tensor => ops.sum(ops.pow(x, 3));

expectNoLeaks();

describe("backward", () => {
  it("adds the gradient of a scalar to each leaf's", () => {
    scope(() => {
      const x = leaf(1, 2, -3);
      expect(x.grad).toBeNull();
      cube(x).backward();
      expect(values(x.grad!)).toEqual([3, 12, 27]);
      cube(x).backward();
      expect(values(x.grad!)).toEqual([6, 24, 54]);
    });
  });

  it("frees the graph, unless it is told to keep it", () => {
    scope(() => {
      const x = leaf(2);
      const y = cube(x);
      y.backward({ retainGraph: true });
      y.backward();
      expect(values(x.grad!)).toEqual([24]);
      expect(() => y.backward()).toThrow(/second time/);
    });
  });

  it("can be differentiated again: the second derivative of x³ is 6x", () => {
    scope(() => {
      const x = leaf(1, 2, -3);
      const [first] = grad([cube(x)], [x], { createGraph: true });
      expect(values(first!)).toEqual([3, 12, 27]);
      const [second] = grad([ops.sum(first!)], [x]);
      expect(values(second!)).toEqual([6, 12, -18]);
      expect(x.grad).toBeNull();
    });
  });

  it("says what is wrong where there is nothing to differentiate or no scalar", () => {
    scope(() => {
      expect(() => ops.ones([]).backward()).toThrow(/does not require grad/);
      expect(() => ops.mulScalar(leaf(1, 2), 2).backward()).toThrow(/scalar/);
      const disposed = cube(leaf(1));
      disposed.dispose();
      expect(() => disposed.backward()).toThrow(/disposed/);
    });
  });

  it("keeps what the graph needs though its handles are disposed", () => {
    scope(() => {
      const x = leaf(3);
      const loss = scope(() => cube(ops.mulScalar(x, 2)));
      loss.backward();
      expect(values(x.grad!)).toEqual([216]);
    });
  });
});

describe("grad", () => {
  it("weighs outputs by the gradients given for them", () => {
    scope(() => {
      const x = leaf(1, 2);
      const [g] = grad([ops.mulScalar(x, 3)], [x], {
        gradients: [Tensor.from(Float32Array.of(1, 10), [2])],
      });
      expect(values(g!)).toEqual([3, 30]);
    });
  });

  it("refuses an input that the output does not depend on", () => {
    scope(() => {
      expect(() => grad([cube(leaf(1))], [leaf(1)])).toThrow(/not have been used in the graph/);
    });
  });
});

describe("a tensor's grad", () => {
  it("is set, read and cleared", () => {
    scope(() => {
      const [x, y] = [leaf(1), leaf(2)];
      x.grad = Tensor.from(Float32Array.of(7), [1]);
      cube(y).backward();
      expect(values(x.grad!)).toEqual([7]);
      clearGrads([x, y]);
      expect([x.grad, y.grad]).toEqual([null, null]);
      x.grad = Tensor.from(Float32Array.of(7), [1]);
      x.grad = null;
      expect(x.grad).toBeNull();
    });
  });

  it("must have the tensor's shape and dtype", () => {
    scope(() => {
      const x = leaf(1, 2);
      expect(() => {
        x.grad = ops.ones([3]);
      }).toThrow(/gradient of float32\[3\] for a tensor of float32\[2\]/);
      expect(() => {
        x.grad = ops.ones([2], { dtype: "float64" });
      }).toThrow(/gradient of float64\[2\]/);
      expect(x.grad).toBeNull();
    });
  });
});

describe("noGrad and inference", () => {
  it("noGrad records nothing inside, and records again after a throw", () => {
    scope(() => {
      const x = leaf(1);
      noGrad(() => {
        expect(cube(x).requiresGrad).toBe(false);
        noGrad(() => undefined);
        expect(cube(x).requiresGrad).toBe(false);
      });
      expect(() =>
        noGrad(() => {
          throw new Error("inside");
        }),
      ).toThrow("inside");
      expect(cube(x).requiresGrad).toBe(true);
    });
  });

  it("what inference makes can never take part in autograd", () => {
    scope(() => {
      const x = leaf(2);
      const made = inference(() => inference(() => ops.mulScalar(x, 3)));
      expect(values(made)).toEqual([6]);
      expect(() => ops.mul(x, made)).toThrow(/[Ii]nference/);
      expect(() =>
        inference(() => {
          throw new Error("inside");
        }),
      ).toThrow("inside");
      expect(cube(x).requiresGrad).toBe(true);
    });
  });
});

describe("autocast", () => {
  const bf16 = { device: "cpu", dtype: "bfloat16" } as const;
  const linear = (): string => {
    return scope(() => ops.linear(ops.ones([2, 3]), ops.ones([4, 3])).dtype);
  };

  it("computes convolutions and linear layers in bfloat16, sums in float32", () => {
    scope(() => {
      const [x, w] = [ops.ones([1, 2, 4, 4]), ops.ones([3, 2, 3, 3])];
      autocast(bf16, () => {
        expect(ops.conv2d(x, w).dtype).toBe("bfloat16");
        expect(linear()).toBe("bfloat16");
        expect(ops.sum(x).dtype).toBe("float32");
      });
      expect(ops.conv2d(x, w).dtype).toBe("float32");
      expect(linear()).toBe("float32");
    });
  });

  it("nests: the outer region goes on when an inner one ends, by return or by throw", () => {
    autocast(bf16, () => {
      autocast(bf16, () => expect(linear()).toBe("bfloat16"));
      expect(linear()).toBe("bfloat16");
      expect(() =>
        autocast(bf16, () => {
          throw new Error("inside");
        }),
      ).toThrow("inside");
      expect(linear()).toBe("bfloat16");
    });
    expect(linear()).toBe("float32");
  });

  it("restores float32 after a throw", () => {
    expect(() =>
      autocast(bf16, () => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(linear()).toBe("float32");
  });

  it("goes on when an inner region cannot be entered", () => {
    if (!version().libtorch.startsWith("1.")) {
      console.log("skipped: this libtorch may have float16 autocast on a CPU");
      return;
    }
    const fp16 = { device: "cpu", dtype: "float16" } as const;
    expect(() => autocast(fp16, linear)).toThrow(/[Bb]float16/);
    expect(linear()).toBe("float32");
    autocast(bf16, () => {
      expect(() => autocast(fp16, linear)).toThrow(/[Bb]float16/);
      expect(linear()).toBe("bfloat16");
    });
    expect(linear()).toBe("float32");
  });

  it("sees a weight's new values in the next region", () => {
    scope(() => {
      const [x, w] = [ops.ones([1, 1]), leaf(1)];
      const weight = (): Tensor => ops.view(w, [1, 1]);
      expect(autocast(bf16, () => ops.linear(x, weight()).item())).toBe(1);
      noGrad(() => ops.fill_Scalar(w, 5));
      expect(autocast(bf16, () => ops.linear(x, weight()).item())).toBe(5);
    });
  });

  it("passes gradients back in the leaves' dtype", () => {
    scope(() => {
      const w = leaf(1, 2);
      const loss = autocast(bf16, () => ops.sum(ops.linear(ops.ones([3, 2]), ops.view(w, [1, 2]))));
      loss.backward();
      expect(w.grad!.dtype).toBe("float32");
      expect(values(w.grad!)).toEqual([3, 3]);
    });
  });
});
