import { describe, expect, it } from "vitest";
import { isAugmented } from "../data/transforms/augment.ts";
import { UsageError } from "../errors.ts";
import { augmentationOf, cachesFeatures, mixOf, withoutAugmentation } from "./augmentation.ts";
import { configFlags } from "./config-flags.ts";
import { loadConfig, parseConfig } from "./config-load.ts";

const minimal = { data: "fashion-mnist", model: "resnet18" };
const parse = (more: Record<string, unknown>) => parseConfig({ ...minimal, ...more });

describe("augmentation", () => {
  it("policies bring their own defaults", () => {
    expect(parse({ aa: "randaugment" })).toMatchObject({ aaNumOps: 2, aaMagnitude: 9, aaBins: 31 });
    const trivial = parse({ aa: "trivialaugmentwide" });
    expect(trivial.aaBins).toBe(31);
    expect(trivial).not.toHaveProperty("aaMagnitude");
    expect(parse({ aa: "none" })).not.toHaveProperty("aaBins");
  });

  it("flags have timm's names", () => {
    const flags = configFlags();
    const given = {
      "--color-jitter": ["0.4", [0.4]],
      "--aa": ["randaugment", "randaugment"],
      "--aa-magnitude": ["7", 7],
      "--reprob": ["0.25", 0.25],
      "--remode": ["pixel", "pixel"],
      "--mixup": ["0.2", 0.2],
      "--cutmix": ["1.0", 1],
      "--affine-translate": ["0.1,0.2", [0.1, 0.2]],
      "--affine-shear": ["10", [10]],
    } as const;
    for (const [flag, [text, value]] of Object.entries(given)) {
      expect(flags.find((field) => field.flag === flag)!.parse(text), flag).toEqual(value);
    }
    expect(() => flags.find(({ flag }) => flag === "--aa")!.parse("randaugmnet")).toThrow(
      '--aa: "randaugmnet" given',
    );
  });

  it("becomes a plan as timm and torchvision read it", () => {
    const config = parse({
      ...{ augment: { flip: true }, affine: { degrees: 5 }, aa: "trivialaugmentwide" },
      ...{ colorJitter: [0.4], reprob: 0.25, mixup: 0.2 },
    });
    expect(augmentationOf(config)).toEqual({
      ...{ crop: 0, flip: true, rotation: 0, affine: { degrees: 5 } },
      auto: { kind: "trivialaugmentwide", bins: 31 },
      jitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0 },
      erasing: { p: 0.25, value: "const" },
    });
    expect(mixOf(config)).toEqual({ mixup: 0.2, cutmix: 0 });
    const off = parse({ aa: "none", reprob: 0, mixup: 0, cutmix: 0 });
    expect(isAugmented(augmentationOf(off))).toBe(false);
    expect(mixOf(off)).toBeUndefined();
    expect(augmentationOf(parse({ colorJitter: [0.1, 0.2, 0.3, 0.4] })).jitter).toEqual({
      ...{ brightness: 0.1, contrast: 0.2, saturation: 0.3, hue: 0.4 },
    });
  });

  it("runs of before, which know none of it, keep their digest", () => {
    expect(Object.keys(parse({}))).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(aa|affine|mixup|cutmix|reprob|color)/)]),
    );
  });

  it.each<[Record<string, unknown>, string]>([
    [{ aa: "trivialaugment" }, 'aa: "trivialaugment" given; allowed: one of'],
    [{ aa: "randaugmant" }, "did you mean randaugment?"],
    [{ aaMagnitude: 9 }, "aaMagnitude: only for aa randaugment, and aa is none"],
    [{ aa: "trivialaugmentwide", aaNumOps: 2 }, "aaNumOps: only for aa randaugment"],
    [{ aa: "randaugment", aaMagnitude: 31 }, "aaMagnitude: 31 is past the last of 31 bins, 30"],
    [{ aa: "randaugment", aaMagnitude: -1 }, "aaMagnitude: -1 given; allowed: a whole number at"],
    [{ aa: "randaugment", aaBins: 1 }, "aaBins: 1 given"],
    [{ colorJitter: [-0.1] }, "colorJitter.0: -0.1 given; allowed: a list"],
    [{ colorJitter: [0.1, 0.2] }, "colorJitter: 2 values given; allowed: 1, 3 or 4"],
    [{ colorJitter: [0.1, 0.2, 0, 0.6] }, "colorJitter: a hue of 0.6; allowed: up to 0.5"],
    [{ reprob: 1.5 }, "reprob: 1.5 given; allowed: a number at least 0 and at most 1"],
    [{ remode: "pixel" }, "remode: nothing is erased; give --reprob"],
    [{ remode: "pixels", reprob: 0.1 }, "did you mean pixel?"],
    [{ mixup: -0.2 }, "mixup: -0.2 given; allowed: a number at least 0"],
    [{ cutmix: "much" }, 'cutmix: "much" given'],
    [{ affine: { degrees: 200 } }, "affine.degrees: 200 given"],
    [{ affine: { translate: [0.1] } }, "affine.translate"],
    [{ affine: { translate: [0.1, 1.1] } }, "affine.translate"],
    [{ affine: { scale: [1.2, 0.8] } }, "affine.scale: from 1.2 to 0.8 is empty"],
    [{ affine: { scale: [0, 1] } }, "affine.scale"],
    [{ affine: { shear: [1, 2, 3] } }, "affine.shear: 3 values given; allowed: 1, 2 or 4"],
    [{ affine: { shear: [5, 2] } }, "affine.shear: from 5 to 2 is empty"],
    [{ affine: { shear: [-5] } }, "affine.shear: one value is the most either way"],
    [{ affine: { shear: [90] } }, "affine.shear"],
    [{ mixup: 0.2, batchSize: 1 }, "mixup: images of a batch are mixed, and --batch-size 1"],
    [{ cutmix: 1, batchSize: 1 }, "cutmix: images of a batch are mixed"],
    [
      { strategy: "freeze", pretrained: true, mixup: 0.2 },
      "mixup: features of a frozen backbone are computed once; give --no-feature-cache",
    ],
    [
      { strategy: "freeze", pretrained: true, cutmix: 1, views: 3, augment: { flip: true } },
      "cutmix: features of a frozen backbone are computed once",
    ],
  ])("refused: %j", (given, message) => {
    expect(() => parse(given)).toThrow(UsageError);
    expect(() => parse(given)).toThrow(message);
  });

  it("a wrong value of a list is the flag's", () => {
    const load = () => loadConfig(undefined, { ...minimal, colorJitter: [-1] });
    expect(load).toThrow(/^--color-jitter: -1 given/);
  });

  it.each<[Record<string, unknown>, boolean]>([
    [{ strategy: "freeze" }, true],
    [{ strategy: "partial" }, true],
    [{ strategy: "full" }, false],
    [{ strategy: "partial", featureCache: false }, false],
    [{ strategy: "partial", scale: [0.5, 1] }, false],
    [{ strategy: "partial", aa: "randaugment" }, false],
    [{ strategy: "partial", mixup: 0.2 }, false],
    [{ strategy: "freeze", scale: [0.5, 1] }, false],
    [{ strategy: "freeze", scale: [0.5, 1], views: 2 }, true],
  ])("%j: are features computed once? %s", (given, expected) => {
    expect(cachesFeatures(parse({ pretrained: true, ...given }))).toBe(expected);
  });

  it("is gone with all that changes images", () => {
    const changes = {
      mixup: 0.2,
      reprob: 0.1,
      hflip: 0.5,
      scale: [0.5, 1],
      augment: { flip: true },
    };
    expect(withoutAugmentation(parse(changes))).toEqual(parse({}));
  });

  it("a frozen backbone without a cache may see mixed images", () => {
    const config = { strategy: "freeze", pretrained: true, mixup: 0.2 };
    expect(parse({ ...config, featureCache: false }).mixup).toBe(0.2);
    expect(parse({ ...config, augment: { flip: true } }).mixup).toBe(0.2);
  });
});
