import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { type InitTensor, readTorchFixture } from "../../test/torch-fixtures.ts";
import { Generator, ops, scope, type Tensor, version } from "../tensor/index.ts";
import {
  Conv2d,
  constant_,
  Dropout,
  kaimingNormal_,
  kaimingUniform_,
  Linear,
  truncatedNormal_,
} from "./index.ts";

const fixture = readTorchFixture("init");
const byMkl = readTorchFixture("dropout-mkl");
const sameRelease = version().libtorch.startsWith(fixture.about.torch.slice(0, 4));

/** Near everywhere; bit for bit where the libtorch is the fixture's release and its kernels are known. */
function expectTensor(name: string, tensor: Tensor, expected: InitTensor): void {
  expect(tensor.shape, name).toEqual(expected.shape);
  const values = tensor.toArray("float32");
  const scale = Math.max(...expected.first.map(Math.abs));
  expected.first.forEach((value, i) => {
    expect(Math.abs(values[i]! - value) / scale, `${name}[${i}]`).toBeLessThan(1e-5);
  });
  if (!sameRelease) return;
  const known = [expected.sha256, ...Object.values(expected.sha256Of ?? {})];
  expect(known, name).toContain(createHash("sha256").update(tensor.toBytes()).digest("hex"));
}

function seeded(body: (random: Generator) => void): void {
  using random = new Generator(fixture.seed);
  scope(() => body(random));
}

expectNoLeaks();
if (!sameRelease) {
  console.log(`libtorch ${version().libtorch}, fixtures of ${fixture.about.torch}: bits unchecked`);
}

describe("initialisation draws what PyTorch's does from the same seed", () => {
  it("kaimingUniform_", () => {
    seeded((random) => {
      const weight = ops.empty([8, 3, 3, 3]);
      kaimingUniform_(weight, random, { a: Math.sqrt(5) });
      expectTensor("kaimingUniform", weight, fixture.cases.kaimingUniform!.values!);
    });
  });

  it.each([
    ["fanIn", "kaimingNormalFanIn"],
    ["fanOut", "kaimingNormalFanOut"],
  ] as const)("kaimingNormal_ by %s", (mode, name) => {
    seeded((random) => {
      const weight = ops.empty([8, 3, 3, 3]);
      kaimingNormal_(weight, random, { mode });
      expectTensor(name, weight, fixture.cases[name]!.values!);
    });
  });

  it("Conv2d, with and without groups, and Linear", () => {
    const layers = {
      conv2d: (random: Generator) => new Conv2d(3, 64, 3, { random }),
      conv2d_groups: (random: Generator) => new Conv2d(8, 16, 3, { groups: 4, random }),
      linear: (random: Generator) => new Linear(512, 10, { random }),
    };
    for (const [name, make] of Object.entries(layers)) {
      seeded((random) => {
        using layer = make(random);
        const expected = fixture.cases[name]!;
        expect([...layer.stateDict().keys()]).toEqual(Object.keys(expected));
        for (const [key, tensor] of layer.stateDict()) {
          expectTensor(`${name}.${key}`, tensor, expected[key]!);
        }
      });
    }
  });

  it("constant_ writes without recording", () => {
    seeded((random) => {
      using layer = new Linear(2, 2, { random });
      constant_(layer.weight, 3);
      expect([...layer.weight.toArray("float32")]).toEqual([3, 3, 3, 3]);
      expect(layer.weight.requiresGrad).toBe(true);
    });
  });
});

it("truncatedNormal_ draws what is distributed as N(0, std²)", () => {
  seeded((random) => {
    const count = 100_000;
    const weight = ops.empty([count]);
    truncatedNormal_(weight, random, { std: 0.02 });
    const values = weight.toArray("float32");
    // Shares of normal numbers below so many deviations; a count's own deviation is √(n·p·(1-p)).
    const shares = {
      "-3": 0.00135,
      "-2": 0.02275,
      "-1": 0.158655,
      0: 0.5,
      1: 0.841345,
      2: 0.97725,
    };
    for (const [deviations, share] of Object.entries(shares)) {
      const below = values.filter((value) => value < 0.02 * Number(deviations)).length;
      const allowed = 4 * Math.sqrt(count * share * (1 - share));
      expect(Math.abs(below - count * share), `below ${deviations}`).toBeLessThan(allowed);
    }
  });
});

describe("Dropout", () => {
  it.each([0.5, 0.1])("drops what PyTorch's drops at p = %d", (p) => {
    seeded((random) => {
      const y = new Dropout(p, { random }).forward(ops.ones([10_000]));
      const name = `dropout${p}`;
      const drawn = createHash("sha256").update(y.toBytes()).digest("hex");
      // PyPI's builds of 2.4 and before draw by MKL, and so do we on their libtorch.
      if (version().mkl && drawn === byMkl.cases[name]!.sha256) return;
      expectTensor(name, y, fixture.cases[name]!.values!);
    });
  });

  it("passes gradients through what it keeps", () => {
    seeded((random) => {
      const x = ops.ones([100]);
      x.requiresGrad = true;
      const y = new Dropout(0.5, { random }).forward(x);
      ops.sum(y).backward();
      expect(x.grad!.toArray("float32")).toEqual(y.toArray("float32"));
    });
  });

  it("is the identity in evaluation and at p = 0, and draws nothing then", () => {
    seeded((random) => {
      const x = ops.ones([4]);
      const before = random.state.toBytes();
      expect(new Dropout(0.5, { random }).eval().forward(x)).toBe(x);
      expect(new Dropout(0, { random }).forward(x)).toBe(x);
      expect(random.state.toBytes()).toEqual(before);
    });
  });
});
