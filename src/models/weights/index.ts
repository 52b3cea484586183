export type { Importer } from "./importer.ts";
export { type Adaptation, type LoadOptions, type LoadReport, loadWeights } from "./load.ts";
export { readWeights, type WeightsFile } from "./read.ts";
export { encodeSafetensors, readSafetensors, type TensorData } from "./safetensors.ts";
