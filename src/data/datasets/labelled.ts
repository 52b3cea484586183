import { join } from "node:path";
import { UsageError } from "../../errors.ts";
import { cacheHome } from "../../libtorch/home.ts";
import type { FileImageSet } from "../fileset.ts";
import { checkFiles } from "../folders/check-files.ts";
import { loadSmall } from "../folders/decode-small.ts";
import { contentDigests } from "../folders/digests.ts";
import { fileSet, type Listing, type SplitName } from "../folders/listing.ts";
import type { ImageSet, SplitSet, Unusable } from "../imageset.ts";
import { splitNames } from "../recorded.ts";
import type { LoadedDataset } from "./load.ts";
import { type DataLocation, locateData } from "./locate.ts";
import type { DatasetSpec } from "./open.ts";

/** Images with labels, to evaluate a model on: no training images are needed. */
export interface LabelledImages {
  readonly name: string;
  readonly set: SplitSet;
  /** How many images are of which split of the source; empty where the source has no splits. */
  readonly counts: Readonly<Partial<Record<SplitName, number>>>;
  readonly notes: readonly string[];
  /** [count], what tells each image from others, as `imageIds` tells those of a run. */
  readonly ids: readonly string[];
  /** Left out because they could not be decoded; absent where there are none. */
  readonly unusable?: readonly Unusable[];
}

export interface LabelledLocation
  extends DataLocation,
    Pick<DatasetSpec, "pixelRange" | "onBadImage"> {}

/**
 * All labelled images of a source, or those of one of its own splits. Undefined where the source has no splits of its own
 * and one is asked for.
 * @throws UsageError where the source has splits, and not this one.
 */
export async function openLabelled(
  location: LabelledLocation,
  split: SplitName | "all",
): Promise<LabelledImages | undefined> {
  const source = await locateData(location);
  if (source.kind === "memory") return ofMemory(source, split);
  return ofFiles(source.listing, split, location);
}

async function ofFiles(
  listing: Listing,
  split: SplitName | "all",
  { data, cache = cacheHome(), onProgress, pixelRange, onBadImage = "fail" }: LabelledLocation,
): Promise<LabelledImages | undefined> {
  const { name, notes } = listing;
  const counts: Partial<Record<SplitName, number>> = {};
  for (const own of splitNames) {
    const count = listing.files.filter((file) => file.split === own).length;
    if (count > 0) counts[own] = count;
  }
  if (split !== "all" && !listing.hasSplits) return undefined;
  if (split !== "all" && counts[split] === undefined) {
    throw new UsageError(`--split ${split}: ${data} has no such split`, {
      hint: `it has ${Object.entries(counts)
        .map(([own, count]) => `${own} (${count} images)`)
        .join(" and ")}; --split all uses every image`,
    });
  }
  const listed: FileImageSet = fileSet(listing, split === "all" ? undefined : split);
  if (listed.count === 0) throw new UsageError(`--data ${data}: there are no images`);
  const none = { ...listed, files: [], stamps: [], labels: new Int32Array(), count: 0 };
  const checked = await checkFiles(
    { train: none, val: none, test: pixelRange === undefined ? listed : { ...listed, pixelRange } },
    {
      root: listing.root,
      cache: join(cache, "checked"),
      ...{ onBadImage, parts: ["test"], pixelRange },
      onProgress: (received, total) =>
        onProgress?.({ phase: "check", file: name, received, total }),
    },
  );
  const files = checked.sets.test;
  const [ids] = await contentDigests([files], cache);
  const [small] =
    (await loadSmall([files], cache, (received, total) =>
      onProgress?.({ phase: "decode", file: name, received, total }),
    )) ?? [];
  return {
    ...{ name, set: small ?? files, counts, notes: [...notes, ...checked.notes], ids: ids! },
    ...(checked.unusable.length > 0 && { unusable: checked.unusable }),
  };
}

function ofMemory(
  { name, train, test, contentSha256, notes }: LoadedDataset,
  split: SplitName | "all",
): LabelledImages | undefined {
  if (split === "val") return undefined;
  const counts = { train: train.count, test: test.count };
  const own = { train, test };
  const parts = split === "all" ? (["train", "test"] as const) : ([split] as const);
  const ids = parts.flatMap((part) =>
    Array.from({ length: own[part].count }, (_, row) => `${contentSha256} ${part} ${row}`),
  );
  const set = split === "all" ? joined(train, test) : own[split];
  return { name, set, counts, notes, ids };
}

function joined(a: ImageSet, b: ImageSet): ImageSet {
  const images = new Uint8Array(a.images.length + b.images.length);
  images.set(a.images);
  images.set(b.images, a.images.length);
  const labels = Int32Array.from([...a.labels, ...b.labels]);
  const { indices: _, ...rest } = a;
  return { ...rest, images, labels, count: a.count + b.count };
}
