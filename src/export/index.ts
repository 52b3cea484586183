export { type ExportOptions, type ExportReport, exportRun, type Int8Report } from "./export-run.ts";
export { type ExportMetadata, readMetadata } from "./metadata.ts";
export type { Parity } from "./parity.ts";
export { listImages } from "./predict/list-images.ts";
export { type Answer, type Guess, type PredictOptions, predictFiles } from "./predict/predict.ts";
export { ofSubject, openFile, type Predictor } from "./predict/predictor.ts";
export { type PushOptions, pushFolder } from "./push.ts";
export { openSubject, type Subject } from "./subject.ts";
export { restoreExport } from "./target.ts";
