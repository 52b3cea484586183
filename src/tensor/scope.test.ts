import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { liveTensors, ops, scope, type Tensor, TensorScope, unscoped } from "./index.ts";

const one = (): Tensor => ops.ones([2]);

expectNoLeaks();

describe("scope", () => {
  it("frees what it made and keeps what it returns", () => {
    const before = liveTensors();
    let inside: Tensor | undefined;
    const kept = scope(() => {
      inside = one();
      return ops.add(inside, inside);
    });
    expect(inside!.disposed).toBe(true);
    expect(liveTensors()).toBe(before + 1);
    expect([...kept.toArray("float32")]).toEqual([2, 2]);
    kept.dispose();
  });

  it("finds what it returns in arrays, plain objects and maps", () => {
    const before = liveTensors();
    const result = scope(() => {
      one();
      return {
        list: [one(), [one()]],
        object: { a: one(), absent: null, text: "x" },
        map: new Map([["k", one()]]),
      };
    });
    const kept = [
      result.list[0] as Tensor,
      (result.list[1] as Tensor[])[0]!,
      result.object.a,
      result.map.get("k")!,
    ];
    expect(kept.map((tensor) => tensor.disposed)).toEqual([false, false, false, false]);
    expect(liveTensors()).toBe(before + 4);
    for (const tensor of kept) tensor.dispose();
  });

  it("hands an inner scope's result to the outer one", () => {
    const before = liveTensors();
    scope(() => {
      const inner = scope(() => one());
      expect(inner.disposed).toBe(false);
      expect(liveTensors()).toBe(before + 1);
    });
    expect(liveTensors()).toBe(before);
  });

  it("leaves alone what was made before it, even when it returns it", () => {
    const outside = one();
    expect(scope(() => outside)).toBe(outside);
    expect(outside.disposed).toBe(false);
    outside.dispose();
  });

  it("frees everything when its body throws, and the scope around it goes on", () => {
    const before = liveTensors();
    scope(() => {
      const outer = one();
      expect(() =>
        scope(() => {
          one();
          throw new Error("the body's");
        }),
      ).toThrow("the body's");
      expect(liveTensors()).toBe(before + 1);
      expect(outer.disposed).toBe(false);
    });
  });

  it("refuses an asynchronous body", () => {
    // @ts-expect-error by type
    expect(() => scope(async () => 1)).toThrow(/synchronous/);
  });

  it("lets a tensor be disposed early and twice", () => {
    scope(() => {
      const tensor = one();
      tensor.dispose();
      tensor.dispose();
      expect(tensor.disposed).toBe(true);
    });
  });
});

describe("unscoped", () => {
  it("makes tensors that no scope frees, and scopes work again afterwards", () => {
    const { lasting, temporary } = scope(() => {
      const made = { lasting: unscoped(one), temporary: new WeakRef(one()) };
      expect(() =>
        unscoped(() => {
          throw new Error("inside");
        }),
      ).toThrow("inside");
      one();
      return made;
    });
    expect(lasting.disposed).toBe(false);
    expect(temporary.deref()?.disposed ?? true).toBe(true);
    lasting.dispose();
  });
});

describe("TensorScope", () => {
  it("keeps by name and frees the rest at the end of its block", () => {
    const before = liveTensors();
    let kept: Tensor;
    {
      using opened = new TensorScope();
      one();
      kept = opened.keep(one());
      expect(liveTensors()).toBe(before + 2);
    }
    expect(kept.disposed).toBe(false);
    expect(liveTensors()).toBe(before + 1);
    kept.dispose();
  });

  it("throws when it is closed before one inside it, and both can still be closed in order", () => {
    const outer = new TensorScope();
    const a = one();
    const inner = new TensorScope();
    const b = one();
    expect(() => outer[Symbol.dispose]()).toThrow(/opened inside/);
    expect(a.disposed).toBe(false);
    inner[Symbol.dispose]();
    expect([a.disposed, b.disposed]).toEqual([false, true]);
    outer[Symbol.dispose]();
    expect(a.disposed).toBe(true);
    const outside = one();
    outer[Symbol.dispose]();
    expect(outside.disposed).toBe(false);
    outside.dispose();
  });
});
