import type { Framework } from "../spec.ts";
import type { TensorData } from "./safetensors.ts";

/** Reads one layout of other people's checkpoints: pure functions of names and tensors. */
export interface Importer {
  /** What people call it, as `Hugging Face ViTForImageClassification`. */
  readonly format: string;
  /** Whose padding and batch norms its networks compute with, where the names would fit either's. */
  readonly framework?: Framework;
  /** Names that every file of the layout has, and none of another layout has all of. */
  readonly marks: readonly [string, ...string[]];
  /** To our names, which are timm's. What the layout does not know keeps its name. */
  convert(tensors: ReadonlyMap<string, TensorData>): Map<string, TensorData>;
}
