import { ThawError } from "../../errors.ts";
import type { Framework } from "../spec.ts";
import { readBytes, withFile } from "./file.ts";
import { importers } from "./importers/registry.ts";
import { readSafetensors, type Safetensors, type TensorData } from "./safetensors.ts";
import { readTorchLegacy } from "./torch-legacy.ts";
import { readTorchZip } from "./torch-zip.ts";

export interface WeightsFile {
  readonly path: string;
  readonly format: "safetensors" | "torch zip" | "torch legacy";
  /** The library whose names the file has, where they are not timm's: `torchvision vit`. */
  readonly layout: string | undefined;
  /** Whose padding and batch norms the layout's networks have, where that is known. */
  readonly framework: Framework | undefined;
  /** Under the file's own names, or timm's where `layout` was converted. `loadWeights` takes a prefix off. */
  readonly tensors: ReadonlyMap<string, TensorData>;
  /** Names of what stands beside a network of another library's layout, and was not converted. */
  readonly leftOut: readonly string[];
  /** Of safetensors; empty elsewhere. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads a model's weights from safetensors or from what torch.save wrote (`.pth`, `.pt`, `.th`, `.bin`, `.ckpt`), told apart by
 * content. Wrappers of checkpoints are taken off, other libraries' layouts converted.
 * @throws ThawError that names the file and what is wrong in it; nothing of a pickle is executed.
 */
export function readWeights(path: string): WeightsFile {
  const format = formatOf(path);
  const { tensors, metadata } = readAs(format, path);
  const other = otherLayout(tensors, path);
  return {
    path,
    format,
    layout: other?.importer.format,
    framework: other?.importer.framework,
    tensors: other?.tensors ?? tensors,
    leftOut: other?.leftOut ?? [],
    metadata,
  };
}

/** The network in another library's layout, wherever in the file its names stand; undefined where there is none. */
function otherLayout(tensors: ReadonlyMap<string, TensorData>, path: string) {
  const found = importers.flatMap((importer) =>
    prefixesEnding(tensors, importer.marks[0])
      .filter((prefix) => importer.marks.every((mark) => tensors.has(prefix + mark)))
      .map((prefix) => ({ importer, prefix })),
  );
  const [first, second] = found;
  if (first === undefined) return undefined;
  if (second !== undefined) {
    const places = found.map(({ prefix }) => prefix || "no prefix").join(" and ");
    throw new ThawError(
      `${path}: it contains ${found.length} networks of ${first.importer.format}, under ${places}`,
      { hint: "Save only the one you want." },
    );
  }
  const { importer, prefix } = first;
  const under = [...tensors].filter(([key]) => key.startsWith(prefix));
  return {
    importer,
    tensors: importer.convert(new Map(under.map(([key, t]) => [key.slice(prefix.length), t]))),
    leftOut: [...tensors.keys()].filter((key) => !key.startsWith(prefix)),
  };
}

/** What stands before `name` in the keys that end with it. */
function prefixesEnding(tensors: ReadonlyMap<string, unknown>, name: string): string[] {
  return [...tensors.keys()]
    .filter((key) => key === name || key.endsWith(`.${name}`))
    .map((key) => key.slice(0, key.length - name.length));
}

function readAs(format: WeightsFile["format"], path: string): Safetensors {
  switch (format) {
    case "safetensors":
      return readSafetensors(path);
    case "torch zip":
      return { tensors: readTorchZip(path), metadata: {} };
    case "torch legacy":
      return { tensors: readTorchLegacy(path), metadata: {} };
  }
}

/** What else people give by mistake, by how it begins, in lower case. */
const mistakes: readonly (readonly [begins: string, what: string])[] = [
  ["version https://git-lfs", "a Git LFS pointer (`git lfs pull` fetches the file itself)"],
  ["<!doctype", "a web page: the download failed or asked for a login"],
  ["<html", "a web page: the download failed or asked for a login"],
  ["\x89hdf", "an HDF5 file of Keras"],
  ["\x1f\x8b", "a gzip archive: unpack it first"],
];

function formatOf(path: string): WeightsFile["format"] {
  const begin = withFile(path, (file) => readBytes(file, 0, Math.min(64, file.size)));
  const text = Buffer.from(begin).toString("latin1");
  if (text.startsWith("PK\x03\x04")) return "torch zip";
  // A length below 2^32 and an opening brace; such a length may begin as a pickle does.
  if (text.slice(4, 9) === "\0\0\0\0{") return "safetensors";
  if (text.startsWith("\x80")) return "torch legacy";
  const mistake = mistakes.find(([begins]) => text.toLowerCase().startsWith(begins))?.[1];
  if (mistake !== undefined) {
    throw new ThawError(`${path}: not a weights file but ${mistake}`, {
      hint: "Thaw reads safetensors, and state dicts that torch.save wrote.",
    });
  }
  // A pickle of the oldest protocol begins as it likes.
  return /\.(pth|pt|th|bin|ckpt|pkl|pickle)$/i.test(path) ? "torch legacy" : "safetensors";
}
