export { accuracy } from "./accuracy.ts";
export {
  type Average,
  averageOverAll,
  averageScore,
  isPresent,
  type ZeroDivision,
} from "./average.ts";
export {
  type BootstrapOptions,
  bootstrapMacroF1,
  type Difference,
  type PairedBootstrap,
  type PairedPredictions,
  pairedBootstrap,
} from "./bootstrap.ts";
export {
  type CalibrationBin,
  calibrationBins,
  calibrationError,
  calibrationErrorOf,
} from "./calibration.ts";
export { type ClassRow, classificationReport, classRows } from "./classification-report.ts";
export { type ConfusionMatrix, classCounts, confusionMatrix } from "./confusion-matrix.ts";
export { f1, f1Of, macroF1Of } from "./f1.ts";
export { logLoss } from "./log-loss.ts";
export { holm, type McNemar, mcnemar } from "./mcnemar.ts";
export { isBetter, type Metric } from "./metric.ts";
export { precision, precisionOf } from "./precision.ts";
export { type Predictions, predictions } from "./predictions.ts";
export { recall, recallOf } from "./recall.ts";
export { rocAuc, rocAucs } from "./roc-auc.ts";
export { type MeanOf, tInterval95 } from "./t-interval.ts";
export { topK } from "./top-k.ts";
export { wilson95 } from "./wilson.ts";
