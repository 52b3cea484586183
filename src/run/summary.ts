import { z } from "zod";

const share = z.number().min(0).max(1);
const seconds = z.number().min(0);

/**
 * `summary.json`: the numbers a comparison needs. Every field is there from the first epoch on; what is not known yet is
 * null. More keys may stand beside these.
 */
export const summarySchema = z.looseObject({
  model: z.string(),
  strategy: z.string(),
  dataset: z.string(),
  /** Images that could not be decoded and were left out; `environment.json` names them. */
  unusable: z.int().min(1).optional(),
  /** Class names in the order of the model's outputs. */
  classes: z.array(z.string()),
  seed: z.number(),
  status: z.enum(["running", "finished", "interrupted", "preempted", "failed"]),
  /** Why training ended before its last epoch, or failed. */
  reason: z.string().optional(),
  /** Images of the run's split that it went on without, as they were missing or had changed. */
  leftOut: z.object({ train: z.int(), val: z.int(), test: z.int() }).optional(),
  /** Epochs finished; 0 for a model that has none (logistic regression). */
  epochs: z.int().min(0),
  parameters: z.int().min(0),
  trainableParameters: z.int().min(0),
  best: z.object({ epoch: z.int(), valAccuracy: share, valLoss: z.number() }).nullable(),
  test: z
    .object({
      accuracy: share,
      /** Wilson's 95 % interval. */
      accuracy95: z.tuple([share, share]),
      /** Over the classes that occur in the labels or the predictions, as scikit-learn's default. */
      macroF1: share,
      /** Over all classes, and how many of them occur: only where some occur in neither labels nor predictions. */
      macroF1AllClasses: share.optional(),
      presentClasses: z.int().min(1).optional(),
      /** By the percentile bootstrap. What follows is absent in records of older versions. */
      macroF195: z.tuple([share, share]).optional(),
      /** Null where there are five classes or fewer. */
      top5: share.nullable().optional(),
      /** Expected calibration error in 15 bins; null where the model gives no probabilities. */
      calibrationError: share.nullable().optional(),
      /** One against the rest, mean of the classes; null where all images or none are of a class. */
      rocAuc: share.nullable().optional(),
      /** Digest of the test images and their classes, in order. */
      images: z.string().optional(),
      /** Mean cross-entropy in nats; null where the model gives no probabilities. */
      loss: z.number().nullable(),
      n: z.int().min(1),
    })
    .nullable(),
  /**
   * `total`: wall time of the command; `train`: training steps, and the frozen stages' features that they learn from, whenever
   * these were computed; `perEpoch`: mean of an epoch with its validation.
   */
  seconds: z.object({ total: seconds, train: seconds, perEpoch: seconds.nullable() }),
  /** Training throughput: images of all epochs ÷ `seconds.train`. */
  imagesPerSecond: z.number().min(0).nullable(),
  peakMemoryBytes: z.number().min(0).nullable(),
  /** Milliseconds from one image in memory to its logits, and where that was measured; absent where it was not. */
  latencyMs: z.number().min(0).optional(),
  latencyOn: z.string().optional(),
  precision: z.string(),
  device: z.string(),
});
export type Summary = z.infer<typeof summarySchema>;
export type RunStatus = Summary["status"];

/** A line of `metrics.jsonl`. No wall clock in it: the same seed twice gives the same bytes. */
export const epochLineSchema = z.looseObject({
  /** From 1. */
  epoch: z.int().min(1),
  /** Optimizer steps done at its end. */
  step: z.int().min(0),
  /** Learning rate of its last step. */
  lr: z.number(),
  trainLoss: z.number(),
  trainAccuracy: share,
  valLoss: z.number(),
  valAccuracy: share,
});
export type EpochLine = z.infer<typeof epochLineSchema>;

/** A line of `steps.jsonl`. */
export interface StepLine {
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  readonly lr: number;
  /** Before clipping; without it of every tenth update of an epoch. */
  readonly gradNorm?: number;
}

/** A line of `timings.jsonl`: one an epoch, in seconds. */
export const timingLineSchema = z.looseObject({
  epoch: z.int().min(1),
  train: seconds,
  validation: seconds,
  imagesPerSecond: z.number().min(0),
  /** Of `train`, what was spent waiting for batches. */
  dataWait: seconds.optional(),
});
export type TimingLine = z.infer<typeof timingLineSchema>;
