export { type CrossValidationOptions, crossValScore } from "./cross-validation.ts";
export type {
  ClassifierEstimator,
  Estimator,
  EstimatorState,
  FitOptions,
  Params,
  Transformer,
} from "./estimator.ts";
export {
  type GridFit,
  type GridResult,
  GridSearchCV,
  type GridSearchOptions,
  type ParamGrid,
} from "./grid-search.ts";
export { KNeighborsClassifier, type KNeighborsParams } from "./k-neighbors.ts";
export { LinearSVC, type LinearSVCParams } from "./linear-svc.ts";
export { LogisticRegression, type LogisticRegressionParams } from "./logistic-regression.ts";
export { MinMaxScaler, type MinMaxScalerParams } from "./min-max-scaler.ts";
export { PCA, type PCAParams } from "./pca.ts";
export { Pipeline, type PipelineSteps } from "./pipeline.ts";
export type { Scoring, ScoringName } from "./scoring.ts";
export { StandardScaler, type StandardScalerParams } from "./standard-scaler.ts";
export { type Fold, StratifiedKFold, type StratifiedKFoldParams } from "./stratified-k-fold.ts";
