import type { Interpolation } from "../data/images/picture.ts";
import type { NetworkInput } from "../run/input.ts";

/**
 * How pictures of other sizes are brought to a network's: as it was trained; for one whose images were all of one size, as
 * whole as a centre crop allows.
 */
export function fittedBy({ interpolation = "bilinear", cropPct = 1 }: NetworkInput): {
  readonly interpolation: Interpolation;
  readonly cropPct: number;
} {
  return { interpolation, cropPct };
}
