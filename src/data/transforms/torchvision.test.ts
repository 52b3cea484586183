import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type RandomStream, seedStream } from "../random.ts";
import {
  type AutoAugment,
  applyOperator,
  drawOperators,
  magnitudeOf,
  type OperatorName,
  operatorNames,
} from "./auto-augment.ts";
import { adjustHue } from "./color.ts";
import { drawJitter } from "./color-jitter.ts";
import { randomAffine } from "./random-affine.ts";
import { randomErasing } from "./random-erasing.ts";
import { packed, planar, type Raster } from "./raster.ts";
import { inverseAffine, rotate, warp } from "./warp.ts";

interface Moments {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}
type Pair = readonly [number, number];

interface Fixture {
  readonly images: readonly {
    readonly shape: readonly [number, number, number];
    readonly pixels: string;
  }[];
  readonly operators: readonly {
    readonly image: number;
    readonly name: OperatorName | "Hue";
    readonly magnitude: number;
    readonly pixels: string;
  }[];
  readonly affines: readonly {
    readonly image: number;
    readonly angle: number;
    readonly translate: Pair;
    readonly scale: number;
    readonly shear: Pair;
    readonly pixels: string;
  }[];
  readonly rotations: readonly {
    readonly image: number;
    readonly degrees: number;
    readonly pixels: string;
  }[];
  readonly spaces: readonly {
    readonly policy: AutoAugment["kind"];
    readonly bins: number;
    readonly size: Pair;
    readonly at: readonly number[];
    readonly magnitudes: Readonly<Record<OperatorName, readonly number[] | null>>;
    readonly signed: readonly OperatorName[];
  }[];
  readonly draws: {
    readonly size: Pair;
    readonly erasing: Moments;
    readonly affine: Moments;
    readonly jitter: Moments;
  };
}

/** What torchvision 0.14 makes of uint8 tensors: test/oracle/torchvision_transforms.py. */
const fixture = JSON.parse(
  readFileSync(
    join(import.meta.dirname, "../../../test/fixtures/torchvision/transforms.json"),
    "utf8",
  ),
) as Fixture;

const bytes = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, "base64"));

/** The pixels [C, H, W] that `change` makes of an image of the fixture, in both layouts the same. */
function changed(image: number, change: (image: Raster) => void): string {
  const { shape, pixels } = fixture.images[image]!;
  const [channels, height, width] = shape;
  const one = planar(bytes(pixels), shape);
  const other = packed(new Uint8Array(one.values.length), shape);
  const place = (c: number, i: number) => i * channels + c;
  one.values.forEach((value, i) => {
    other.values[place(Math.floor(i / one.plane), i % one.plane)] = value;
  });
  change(one);
  change(other);
  const planes = Uint8Array.from(
    one.values,
    (_, i) => other.values[place(Math.floor(i / (height * width)), i % (height * width))]!,
  );
  expect(planes).toEqual(one.values);
  return Buffer.from(one.values).toString("base64");
}

describe("equal to torchvision's on tensors, to the last bit", () => {
  const names = [...new Set(fixture.operators.map(({ name }) => name))];
  expect(names).toHaveLength(operatorNames.length + 1);
  it.each(names)("%s", (wanted) => {
    for (const { image, name, magnitude, pixels } of fixture.operators) {
      if (name !== wanted) continue;
      const result = changed(image, (raster) => {
        if (name === "Hue") adjustHue(raster, magnitude);
        else applyOperator(raster, name, magnitude);
      });
      expect(result, `magnitude ${magnitude} of image ${image}`).toBe(pixels);
    }
  });

  it("affine", () => {
    for (const { image, pixels, ...parameters } of fixture.affines) {
      const result = changed(image, (raster) => warp(raster, inverseAffine(parameters)));
      expect(result, JSON.stringify(parameters)).toBe(pixels);
    }
  });

  it("rotate", () => {
    for (const { image, degrees, pixels } of fixture.rotations) {
      expect(
        changed(image, (raster) => rotate(raster, degrees)),
        `${degrees}`,
      ).toBe(pixels);
    }
  });

  it("the policies' magnitudes, but for linspace's last bit, which is the vector width's", () => {
    for (const { policy, bins, size, at, magnitudes } of fixture.spaces) {
      const image = { height: size[0], width: size[1] };
      expect(Object.keys(magnitudes)).toEqual(operatorNames);
      for (const name of operatorNames) {
        for (const [i, bin] of at.entries()) {
          const own = magnitudeOf({ kind: policy, bins }, name, bin, image);
          const expected = magnitudes[name]?.[i];
          const off = Math.abs((own ?? 0) - (expected ?? 0)) / (expected || 1);
          expect(own === undefined).toBe(expected === undefined);
          expect(off, `${policy} ${bins} ${name} ${bin}`).toBeLessThan(2 ** -22);
        }
      }
    }
  });
});

const N = 40_000;
const size = { height: fixture.draws.size[0], width: fixture.draws.size[1] };

/** Means and deviations of the fixture's, within five deviations of a mean of N. */
function expectMoments(rows: readonly (readonly number[])[], expected: Moments): void {
  for (const [i, mean] of expected.mean.entries()) {
    const own = rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length;
    const std = Math.sqrt(rows.reduce((sum, row) => sum + (row[i]! - own) ** 2, 0) / rows.length);
    const wanted = expected.std[i]!;
    expect(Math.abs(own - mean), `mean ${i}`).toBeLessThan((6 * wanted) / Math.sqrt(N));
    expect(Math.abs(std / wanted - 1), `deviation ${i}`).toBeLessThan(0.03);
  }
}

const draws = <T>(draw: (random: RandomStream) => T, count = N): T[] => {
  const random = seedStream(5, "draws");
  return Array.from({ length: count }, () => draw(random));
};

describe("drawn as torchvision draws", () => {
  it("RandomErasing", () => {
    const whole = draws((random) => randomErasing({ p: 1, value: "const" }, size, random));
    const parts = whole.filter((part) => part !== undefined);
    expectMoments(
      parts.map(({ top, left, height, width }) => [top, left, height, width]),
      fixture.draws.erasing,
    );
    const half = draws((random) => randomErasing({ p: 0.25, value: "const" }, size, random));
    const share = half.filter((part) => part !== undefined).length / N;
    expect(Math.abs(share - 0.25)).toBeLessThan(0.011);
  });

  it("RandomAffine", () => {
    const parameters = {
      degrees: 30,
      translate: [0.1, 0.3],
      scale: [0.8, 1.3],
      shear: [-10, 10, -5, 20],
    } as const;
    expectMoments(
      draws((random) => {
        const { angle, translate, scale, shear } = randomAffine(parameters, size, random);
        return [angle, ...translate, scale, ...shear];
      }),
      fixture.draws.affine,
    );
    const one = draws((random) => randomAffine({ degrees: 0, shear: [8] }, size, random), 1000);
    const shears = one.map(({ shear }) => shear[0]);
    expect(Math.min(...shears)).toBeLessThan(-7.9);
    expect(Math.max(...shears)).toBeGreaterThan(7.9);
    for (const { shear, angle, translate, scale } of one) {
      expect([shear[1], Math.abs(angle), translate, scale]).toEqual([0, 0, [0, 0], 1]);
    }
  });

  it("ColorJitter, in every order", () => {
    const jitter = { brightness: 0.4, contrast: 0.2, saturation: 1.5, hue: 0.1 };
    const orders = new Map<string, number>();
    const factors = draws((random) => {
      const drawn = drawJitter(jitter, random);
      const order = drawn.map(({ name }) => name[0]).join("");
      orders.set(order, (orders.get(order) ?? 0) + 1);
      return Object.keys(jitter).map((key) => drawn.find(({ name }) => name === key)!.factor);
    });
    expectMoments(factors, fixture.draws.jitter);
    expect(orders.size).toBe(24);
    const chiSquare = [...orders.values()].reduce(
      (sum, n) => sum + (n - N / 24) ** 2 / (N / 24),
      0,
    );
    // 23 degrees of freedom: 1 in 10,000 seeds would be above 56.
    expect(chiSquare).toBeLessThan(56);
    const some = drawJitter({ ...jitter, contrast: 0, hue: 0 }, seedStream(1, "x"));
    expect(some.map(({ name }) => name).sort()).toEqual(["brightness", "saturation"]);
  });

  it("RandAugment: each operator as often, of one magnitude, its sign by chance", () => {
    const space = fixture.spaces.find(
      ({ policy, bins }) => policy === "randaugment" && bins === 31,
    )!;
    const policy = { kind: "randaugment", numOps: 3, magnitude: 9, bins: 31 } as const;
    const drawn = draws((random) => drawOperators(policy, size, random), N / 4);
    expect(new Set(drawn.map(({ length }) => length))).toEqual(new Set([3]));
    for (const name of operatorNames) {
      const own = drawn.flat().filter((operator) => operator.name === name);
      const expected = (3 * drawn.length) / operatorNames.length;
      expect(Math.abs(own.length - expected), name).toBeLessThan(5 * Math.sqrt(expected));
      const magnitude = Math.fround(space.magnitudes[name]?.[space.at.indexOf(9)] ?? 0);
      const negative = own.filter((operator) => operator.magnitude < 0);
      const sizes = new Set(own.map((operator) => Math.abs(operator.magnitude)));
      expect([...sizes], name).toEqual([magnitude]);
      const share = negative.length / own.length;
      if (space.signed.includes(name)) expect(Math.abs(share - 0.5), name).toBeLessThan(0.055);
      else expect(share, name).toBe(0);
    }
  });

  it("TrivialAugmentWide: one operator, each magnitude as often", () => {
    const drawn = draws((random) =>
      drawOperators({ kind: "trivialaugmentwide", bins: 10 }, size, random),
    );
    expect(new Set(drawn.map(({ length }) => length))).toEqual(new Set([1]));
    const [rotations, posterized] = (["Rotate", "Posterize"] as const).map((wanted) =>
      drawn.flat().filter(({ name }) => name === wanted),
    );
    const counts = Array.from({ length: 10 }, (_, bin) => {
      const magnitude = magnitudeOf({ kind: "trivialaugmentwide", bins: 10 }, "Rotate", bin, size);
      return rotations!.filter((operator) => Math.abs(operator.magnitude) === magnitude).length;
    });
    expect(counts.reduce((a, b) => a + b, 0)).toBe(rotations!.length);
    for (const count of counts) expect(Math.abs(count - N / 140)).toBeLessThan(85);
    expect(Math.max(...posterized!.map(({ magnitude }) => magnitude))).toBe(8);
    expect(Math.min(...posterized!.map(({ magnitude }) => magnitude))).toBe(2);
  });
});
