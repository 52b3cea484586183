export { builtinDatasetNames, type DataLocation, locateData, type Source } from "./locate.ts";
export { type DatasetSpec, openDataset } from "./open.ts";
export { type BuiltinDatasetName, builtinDatasets } from "./registry.ts";
export type { DatasetProgress } from "./sources.ts";
