import type { RandomStream } from "../random.ts";
import { roundHalfEven } from "./crops.ts";
import type { Raster } from "./raster.ts";
import type { Affine } from "./warp.ts";

/** `RandomAffine` by torchvision's parameters. */
export interface RandomAffine {
  /** Largest rotation in degrees, either way. */
  readonly degrees: number;
  /** Largest shift across and down, as shares of width and height. */
  readonly translate?: readonly [x: number, y: number] | undefined;
  readonly scale?: readonly [least: number, most: number] | undefined;
  /** Degrees: the most either way along x; from and to along x; or from and to along x, then along y. */
  readonly shear?: readonly number[] | undefined;
}

/** torchvision's `RandomAffine.get_params`. */
export function randomAffine(
  { degrees, translate, scale, shear }: RandomAffine,
  { height, width }: Pick<Raster, "height" | "width">,
  random: RandomStream,
): Affine {
  const angle = random.uniform(-degrees, degrees);
  const within = (most: number) => roundHalfEven(random.uniform(-most, most));
  const shift =
    translate && ([within(translate[0] * width), within(translate[1] * height)] as const);
  const factor = scale && random.uniform(scale[0], scale[1]);
  const [least = 0, most = 0, leastY = 0, mostY = 0] =
    shear?.length === 1 ? [-shear[0]!, shear[0]!] : (shear ?? []);
  return {
    angle,
    translate: shift ?? [0, 0],
    scale: factor ?? 1,
    shear: [
      shear === undefined ? 0 : random.uniform(least, most),
      shear?.length === 4 ? random.uniform(leastY, mostY) : 0,
    ],
  };
}
