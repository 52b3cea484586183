import { locateData } from "../data/datasets/index.ts";
import { chooseClasses } from "../data/folders/choose-classes.ts";
import { prepareImages } from "../data/prepare/prepare.ts";
import { UsageError } from "../errors.ts";
import type { PrepareStep } from "../run/matrix-file.ts";

export interface PrepareEvents {
  readonly mirror?: string | undefined;
  readonly onPrepared?: ((out: string, images: number, unchanged: boolean) => void) | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
}

/**
 * Makes the data of a recipe, step by step; what is there already is checked, and stays.
 * @throws UsageError for a source that is nothing, or a folder that was prepared in another way.
 */
export async function prepareData(
  steps: readonly PrepareStep[],
  { mirror, onPrepared, onNote }: PrepareEvents,
): Promise<void> {
  for (const { prepare: source, classes, split, out, ...options } of steps) {
    const found = await locateData({ data: source, mirror });
    if (found.kind === "memory") {
      throw new UsageError(`prepare: ${source} is whole and split already`, {
        hint: `train on it with data: ${source}`,
      });
    }
    const listing = chooseClasses(found.listing, classes && [...classes]);
    const total = split?.reduce((sum, share) => sum + share, 0) ?? 1;
    const prepared = await prepareImages(listing, {
      ...{ out, ...options },
      ...(split && { split: [split[0] / total, split[1] / total, split[2] / total] as const }),
    });
    for (const text of prepared.notes) onNote?.(text);
    const { manifest, linked, copied } = prepared;
    onPrepared?.(out, manifest.files.length, linked + copied === 0);
  }
}
