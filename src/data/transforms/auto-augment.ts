import type { RandomStream } from "../random.ts";
import {
  adjustBrightness,
  adjustContrast,
  adjustSaturation,
  adjustSharpness,
  autocontrast,
  equalize,
  posterize,
  solarize,
} from "./color.ts";
import { roundHalfEven } from "./crops.ts";
import type { Raster } from "./raster.ts";
import { type Affine, inverseAffine, rotate, warp } from "./warp.ts";

/** A drawn policy, by torchvision's parameters; plain data, so that it can be sent to a worker. */
export type AutoAugment =
  | {
      /** Cubuk et al. 2020: so many operators, one after the other, of one magnitude. */
      readonly kind: "randaugment";
      readonly numOps: number;
      /** Which of the bins, from 0. */
      readonly magnitude: number;
      readonly bins: number;
    }
  | {
      /** Müller & Hutter 2021: one operator of any magnitude. */
      readonly kind: "trivialaugmentwide";
      readonly bins: number;
    };

type Apply = (image: Raster, magnitude: number) => void;

/** torchvision's operators, whose ranges are each policy's own. */
const operators = {
  Identity: () => {},
  ShearX: (image, magnitude) => sheared(image, [degrees(Math.atan(magnitude)), 0]),
  ShearY: (image, magnitude) => sheared(image, [0, degrees(Math.atan(magnitude))]),
  TranslateX: (image, magnitude) => moved(image, { translate: [Math.trunc(magnitude), 0] }),
  TranslateY: (image, magnitude) => moved(image, { translate: [0, Math.trunc(magnitude)] }),
  Rotate: rotate,
  Brightness: (image, magnitude) => adjustBrightness(image, 1 + magnitude),
  Color: (image, magnitude) => adjustSaturation(image, 1 + magnitude),
  Contrast: (image, magnitude) => adjustContrast(image, 1 + magnitude),
  Sharpness: (image, magnitude) => adjustSharpness(image, 1 + magnitude),
  Posterize: (image, magnitude) => posterize(image, Math.trunc(magnitude)),
  Solarize: solarize,
  AutoContrast: autocontrast,
  Equalize: equalize,
} as const satisfies Record<string, Apply>;

export type OperatorName = keyof typeof operators;
export const operatorNames = Object.keys(operators) as readonly OperatorName[];

/** torchvision's `_apply_op`: nearest pixel, black outside. */
export function applyOperator(image: Raster, name: OperatorName, magnitude: number): void {
  operators[name](image, magnitude);
}

/** Largest magnitudes; the rest is the same in both policies. */
const largest = {
  randaugment: { shear: 0.3, rotate: 30, factor: 0.9, bits: 4 },
  trivialaugmentwide: { shear: 0.99, rotate: 135, factor: 0.99, bits: 6 },
} as const;

const unsigned: ReadonlySet<OperatorName> = new Set([
  "Identity",
  "Posterize",
  "Solarize",
  "AutoContrast",
  "Equalize",
]);

/** torchvision's `_augmentation_space`: an operator's magnitude in a bin; undefined where it has none. */
export function magnitudeOf(
  { kind, bins }: Pick<AutoAugment, "kind" | "bins">,
  name: OperatorName,
  bin: number,
  { height, width }: Pick<Raster, "height" | "width">,
): number | undefined {
  const most = largest[kind];
  const upTo = (end: number) => linspace(0, end, bins, bin);
  switch (name) {
    case "Identity":
    case "AutoContrast":
    case "Equalize":
      return undefined;
    case "ShearX":
    case "ShearY":
      return upTo(most.shear);
    case "TranslateX":
      return upTo(kind === "randaugment" ? (150 / 331) * width : 32);
    case "TranslateY":
      return upTo(kind === "randaugment" ? (150 / 331) * height : 32);
    case "Rotate":
      return upTo(most.rotate);
    case "Posterize":
      return 8 - roundHalfEven(Math.fround(bin / Math.fround((bins - 1) / most.bits)));
    case "Solarize":
      return linspace(255, 0, bins, bin);
    default:
      return upTo(most.factor);
  }
}

/** The operators that a policy draws for an image, with their magnitudes. */
export function drawOperators(
  policy: AutoAugment,
  image: Pick<Raster, "height" | "width">,
  random: RandomStream,
): { name: OperatorName; magnitude: number }[] {
  const count = policy.kind === "randaugment" ? policy.numOps : 1;
  return Array.from({ length: count }, () => {
    const name = operatorNames[random.int(0, operatorNames.length)]!;
    const binOf = () =>
      policy.kind === "randaugment" ? policy.magnitude : random.int(0, policy.bins);
    const hasBins = magnitudeOf(policy, name, 0, image) !== undefined;
    const magnitude = hasBins ? magnitudeOf(policy, name, binOf(), image)! : 0;
    const isNegative = !unsigned.has(name) && random.int(0, 2) === 1;
    return { name, magnitude: isNegative ? -magnitude : magnitude };
  });
}

/** A value of `torch.linspace`, which is float32. */
function linspace(start: number, end: number, steps: number, i: number): number {
  const { fround } = Math;
  const [first, last] = [fround(start), fround(end)];
  const step = fround(fround(last - first) / (steps - 1));
  return i < Math.floor(steps / 2)
    ? fround(first + step * i)
    : fround(last - step * (steps - i - 1));
}

function moved(image: Raster, change: Partial<Affine>): void {
  const rest = { angle: 0, translate: [0, 0], scale: 1, shear: [0, 0] } as const;
  warp(image, inverseAffine({ ...rest, ...change }));
}

/** From the top left corner. */
function sheared(image: Raster, shear: Affine["shear"]): void {
  moved(image, { shear, center: [-image.width / 2, -image.height / 2] });
}

const degrees = (radians: number): number => radians * (180 / Math.PI);
