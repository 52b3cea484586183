import { ThawError } from "../../errors.ts";
import type { Framework } from "../spec.ts";
import { readBytes, withFile } from "./file.ts";
import { importers } from "./importers/registry.ts";
import { readSafetensors, type Safetensors, type TensorData } from "./safetensors.ts";
import { withoutPrefixes } from "./state-dict.ts";
import { readTorchLegacy } from "./torch-legacy.ts";
import { readTorchZip } from "./torch-zip.ts";

export interface WeightsFile {
  readonly path: string;
  readonly format: "safetensors" | "torch zip" | "torch legacy";
  /** The library whose names the file has, where they are not timm's: `torchvision vit`. */
  readonly layout: string | undefined;
  /** Whose padding and batch norms the layout's networks have, where that is known. */
  readonly framework: Framework | undefined;
  /** Under the names that Thaw's models have. */
  readonly tensors: ReadonlyMap<string, TensorData>;
  /** Of safetensors; empty elsewhere. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads a model's weights from safetensors or from what torch.save wrote (`.pth`, `.pt`, `.th`, `.bin`), told apart by
 * content. Wrappers and prefixes of checkpoints are taken off, other libraries' layouts converted.
 * @throws ThawError that names the file and what is wrong in it; nothing of a pickle is executed.
 */
export function readWeights(path: string): WeightsFile {
  const format = formatOf(path);
  const { tensors, metadata } = readAs(format, path);
  const plain = withoutPrefixes(tensors);
  const keys = new Set(plain.keys());
  const importer = importers.find((candidate) => candidate.matches(keys));
  return {
    path,
    format,
    layout: importer?.format,
    framework: importer?.framework,
    tensors: importer === undefined ? plain : importer.convert(plain),
    metadata,
  };
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
  return /\.(pth|pt|th|bin|pkl|pickle)$/i.test(path) ? "torch legacy" : "safetensors";
}
