import type { SplitName } from "../folders/listing.ts";
import { drawStratified, shareOut } from "../stratify.ts";

/** Shares of training, validation and test images; they add up to 1. */
export type SplitShares = readonly [number, number, number];

/** What the split depends on. */
export interface Assignable {
  readonly className: string;
  readonly pixels: string;
  /** By which it is drawn, whatever other images there are; undefined: by its place among them. */
  readonly name?: string | undefined;
}

/**
 * A split for each image: every class in proportion, drawn by the seed as `splitSets` draws. Images
 * with the same pixels go where the first of them goes, so that none is judged that was trained on.
 */
export function assignSplits(
  images: readonly Assignable[],
  classes: readonly string[],
  shares: SplitShares,
  seed: number,
): SplitName[] {
  const labels = images.map(({ className }) => classes.indexOf(className));
  const counts = classes.map((_, label) => labels.filter((own) => own === label).length);
  const n = images.length;
  const test = Math.round(n * shares[2]);
  const val = Math.round(n * shares[1]);
  const heldOut = shareOut(counts, [test, n - test]);
  const left = counts.map((count, label) => count - heldOut[label]![0]!);
  const rest = shareOut(left, [val, n - test - val]);
  const quotas = rest.map(([v, t], label) => [heldOut[label]![0]!, v!, t!]);
  const names = images.flatMap(({ name }) => name ?? []);
  const drawBy = names.length === n ? names : undefined;
  const drawn = drawStratified(labels, classes, quotas, seed, "train", drawBy);

  const splits = new Array<SplitName>(n).fill("train");
  (["test", "val", "train"] as const).forEach((split, part) => {
    for (const row of drawn[part]!) splits[row] = split;
  });
  const first = new Map<string, number>();
  return images.map(({ pixels }, row) => {
    const at = first.get(pixels) ?? row;
    first.set(pixels, at);
    return splits[at]!;
  });
}
