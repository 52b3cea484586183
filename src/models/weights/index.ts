export type { Importer } from "./importer.ts";
export {
  type Adaptation,
  type LoadOptions,
  type LoadReport,
  loadWeights,
  outputsIn,
} from "./load.ts";
export { readWeights, type WeightsFile } from "./read.ts";
export {
  encodeSafetensors,
  readSafetensors,
  readSafetensorsHeader,
  type TensorData,
} from "./safetensors.ts";
