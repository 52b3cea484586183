import type { TensorData } from "./safetensors.ts";

/** Brings the tensors of another library's layout under the names that Thaw's models have. */
export interface Importer {
  readonly format: string;
  matches(keys: ReadonlySet<string>): boolean;
  convert(tensors: ReadonlyMap<string, TensorData>): Map<string, TensorData>;
}
