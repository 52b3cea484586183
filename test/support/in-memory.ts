import type { DatasetSplits, MemorySplits } from "../../src/data/imageset.ts";

/** Splits that a test knows to be in memory. */
export function inMemory(splits: DatasetSplits): MemorySplits {
  if (splits.kind === "memory") return splits;
  throw new Error(`${splits.name} is in files`);
}
