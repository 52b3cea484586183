export { type DatasetSpec, openDataset } from "./open.ts";
export { type BuiltinDatasetName, builtinDatasetNames, builtinDatasets } from "./registry.ts";
export type { DatasetProgress } from "./sources.ts";
