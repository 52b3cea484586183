import type { SplitName } from "./listing.ts";

/** Words that name a split, on their own or in a longer name. */
const splitWords: Readonly<Record<string, SplitName>> = {
  train: "train",
  training: "train",
  trainval: "train",
  val: "val",
  valid: "val",
  validation: "val",
  validate: "val",
  dev: "val",
  development: "val",
  eval: "val",
  evaluation: "val",
  test: "test",
  testing: "test",
};

/** The split that a word names, in any letter case, or undefined. */
export function splitOfWord(word: string): SplitName | undefined {
  return splitOf(word.toLowerCase());
}

/** All words that name a split. */
export const knownSplits: readonly string[] = Object.keys(splitWords);

/** Words that say nothing about which split or class a folder holds. */
const fillers = new Set(
  ["set", "sets", "data", "dataset", "datasets", "folder", "dir", "split", "the", "all"].concat(
    ["image", "images", "img", "imgs", "pic", "pics", "picture", "pictures", "photo", "photos"],
    ["file", "files", "sample", "samples", "final", "full", "original"],
  ),
);

/** Names of folders that hold images, whose classes are elsewhere or one level further down. */
const containers = new Set(["image", "images", "img", "imgs", "jpegimages"]);

/** Names of folders that lie beside the images and describe them. */
const descriptions = new Set(
  ["annotation", "annotations", "label", "labels", "mask", "masks", "trimaps", "bboxes"].concat(
    ["segmentation", "segmentations", "groundtruth", "attributes", "parts", "metadata", "meta"],
    ["xml", "xmls", "json", "csv", "lists", "docs", "doc"],
  ),
);

/** Words for images that have no class. */
const unlabelledWords = new Set(
  ["unlabeled", "unlabelled", "pred", "predict", "prediction", "predictions"].concat("inference"),
);

/** Words for parts of a data set that are neither known splits nor classes. */
const partWords = new Set(["labeled", "labelled", "holdout", "calibration"]);

/** Words that, numbered, name the pieces in which data are handed out. */
const pieceWords = new Set(["fold", "part", "batch", "split", "subset", "set", "chunk", "shard"]);

export interface SplitFolderName {
  readonly split: SplitName;
  /** The words beside the split's: `seg` of `seg_train`, empty for `train_images`. */
  readonly rest: string;
  /** True for the split's word alone: `Test`, but not `test_images`. */
  readonly isBare: boolean;
}

/** The split that a folder's name speaks of, in any letter case, or undefined. */
export function splitFolderName(name: string): SplitFolderName | undefined {
  const all = wordsOf(name);
  const named = new Set(all.flatMap((word) => splitOf(word) ?? []));
  // "train_val" is what is trained on where a test split lies beside it.
  if (named.size === 2 && named.has("train") && named.has("val")) named.delete("val");
  const [split] = named;
  if (named.size !== 1 || split === undefined) return undefined;
  const rest = all.filter((word) => splitOf(word) === undefined && !isFiller(word)).join(" ");
  return { split, rest, isBare: all.length === 1 };
}

export function isContainerName(name: string): boolean {
  return containers.has(joined(name));
}

export function isDescriptionName(name: string): boolean {
  return descriptions.has(joined(name));
}

/** `unlabeled`, `seg_pred`, `unlabelled images`. */
export function isUnlabelledName(name: string): boolean {
  return wordsOf(name).some((word) => unlabelledWords.has(word));
}

/** True for a name that speaks of a part of the data and not of what is in the pictures. */
export function isPartName(name: string): boolean {
  const words = wordsOf(name);
  return (
    isUnlabelledName(name) ||
    isContainerName(name) ||
    isDescriptionName(name) ||
    splitFolderName(name) !== undefined ||
    (words.every(isFiller) && words.some((word) => fillers.has(word))) ||
    words.some((word) => partWords.has(word))
  );
}

/** `fold` of `fold_3`, `part` of `Part2`, undefined for a name that is no numbered piece. */
export function pieceOf(name: string): string | undefined {
  const words = wordsOf(name);
  const [word, number] = words;
  return words.length === 2 && pieceWords.has(word!) && /^\d+$/.test(number!) ? word : undefined;
}

/** "TrainSet-2017" → train, set, 2017 */
function wordsOf(name: string): string[] {
  return name
    .replaceAll(/(\p{Ll})(\p{Lu})/gu, "$1 $2")
    .toLowerCase()
    .split(/[^\p{L}\p{M}\p{N}]+|(?<=\p{N})(?=\p{L})|(?<=\p{L})(?=\p{N})/u)
    .filter((word) => word !== "")
    .flatMap(parted);
}

/** "trainset" → train, set */
function parted(word: string): string[] {
  if (Object.hasOwn(splitWords, word)) return [word];
  for (const filler of fillers) {
    const split = word.slice(0, -filler.length);
    if (word.endsWith(filler) && Object.hasOwn(splitWords, split)) return [split, filler];
  }
  return [word];
}

function splitOf(word: string): SplitName | undefined {
  return Object.hasOwn(splitWords, word) ? splitWords[word] : undefined;
}

function isFiller(word: string): boolean {
  return fillers.has(word) || /^\p{N}+$/u.test(word);
}

function joined(name: string): string {
  return wordsOf(name).join("");
}
