import type { Framework } from "../spec.ts";
import type { TensorData } from "./safetensors.ts";

/** Reads one layout of other people's checkpoints: pure functions of names and tensors. */
export interface Importer {
  /** What people call it, as `Hugging Face ViTForImageClassification`. */
  readonly format: string;
  /** Whose padding and batch norms its networks compute with, where the names would fit either's. */
  readonly framework?: Framework;
  matches(keys: ReadonlySet<string>): boolean;
  /** To our names, which are timm's. What the layout does not know keeps its name. */
  convert(tensors: ReadonlyMap<string, TensorData>): Map<string, TensorData>;
}
