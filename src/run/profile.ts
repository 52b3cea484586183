import { join } from "node:path";
import { z } from "zod";
import { jsonFile } from "./json-file.ts";

const positive = z.number().min(0);
const count = z.int().min(0);

/** Milliseconds of a step, by what it does; medians over the steps. `data` is the wait for a batch. */
const phasesSchema = z.object({
  data: positive,
  forward: positive,
  backward: positive,
  optimizer: positive,
  other: positive,
});

const batchSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("measured"),
    batchSize: z.int().min(1),
    /** Steps that were timed, after `warmup` others. */
    steps: z.int().min(1),
    warmup: count,
    /** Of a step without the wait for its batch, in milliseconds. */
    latency: z.object({ p50: positive, p95: positive, p99: positive }),
    /** Interquartile range of the steps' times ÷ their median. */
    spread: positive,
    /** The spread is so large that the numbers should be taken again on a quiet machine. */
    noisy: z.boolean(),
    imagesPerSecond: positive,
    phases: phasesSchema,
    /** Most bytes that tensors took together, what they asked for; of the CPU. */
    peakTensorBytes: positive,
    /** Most resident bytes of the whole process; null where the system does not say. */
    peakProcessBytes: positive.nullable(),
    /** Multiply-adds count twice, and a backward pass as two forward passes; null where they are not known. */
    gflops: positive.nullable(),
    /** Of what a matrix product reaches in the same precision. */
    ofGemm: positive.nullable(),
  }),
  z.object({
    kind: z.literal("out of memory"),
    batchSize: z.int().min(1),
    /** The largest that would fit; null where not one image does. */
    fits: z.int().min(1).nullable(),
    message: z.string(),
  }),
]);
export type ProfiledBatch = z.infer<typeof batchSchema>;
export type MeasuredBatch = Extract<ProfiledBatch, { kind: "measured" }>;

/** Where the time of traced steps went, without the wait for data; shares of that time. */
const sharesSchema = z.object({
  batchSize: z.int().min(1),
  /** Steps that were traced. */
  steps: z.int().min(1),
  /** Milliseconds of a step, without data. */
  stepMs: positive,
  /** Times of operators without the operators inside them, ÷ the step. */
  inOperators: positive,
  /**
   * Calls from JavaScript into the addon, without the operators inside them, ÷ the step: arguments, handles, dispatch,
   * autograd's engine. The rest goes by in JavaScript. Profiles of before they were measured have none.
   */
  inCalls: positive.default(0),
  /** Events that came after the profiler's bound, and are in no number. */
  dropped: count,
  kinds: z.array(z.object({ kind: z.string(), ms: positive, share: positive })),
  operators: z.array(
    z.object({
      name: z.string(),
      kind: z.string(),
      /** A step. */
      calls: positive,
      ms: positive,
      share: positive,
    }),
  ),
  /** By the layers' class. */
  layers: z.array(
    z.object({ type: z.string(), forwardMs: positive, backwardMs: positive, share: positive }),
  ),
  /** By the network's stages, stem to head. */
  stages: z.array(
    z.object({ stage: z.string(), forwardMs: positive, backwardMs: positive, share: positive }),
  ),
  modules: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      forwardMs: positive,
      backwardMs: positive,
      share: positive,
    }),
  ),
});
export type Shares = z.infer<typeof sharesSchema>;

const modelSchema = z.object({
  model: z.string(),
  /** Channels, height and width. */
  input: z.tuple([z.int(), z.int(), z.int()]),
  classes: z.int().min(1),
  parameters: count,
  /** Of one image's forward pass. */
  multiplyAdds: positive,
  batches: z.array(batchSchema),
  /** Of the largest batch that was measured; null where the profile ended before. */
  shares: sharesSchema.nullable(),
});
export type ProfiledModel = z.infer<typeof modelSchema>;

/** `profile.json`. */
export const profileSchema = z.looseObject({
  version: z.literal(1),
  status: z.enum(["running", "finished", "interrupted"]),
  mode: z.enum(["train", "infer"]),
  /** Whose images: a data set's name, or "drawn" for random ones. */
  data: z.string(),
  precision: z.string(),
  device: z.string(),
  threads: z.int().min(1),
  cpu: z.string(),
  libtorch: z.string(),
  /** GFLOP/s of a matrix product on this machine: in fp32, and in the precision that is used. */
  gemm: z.object({ fp32: positive, used: positive }).nullable(),
  models: z.array(modelSchema),
  /** For the person. */
  notes: z.array(z.string()),
});
export type Profile = z.infer<typeof profileSchema>;

/** What was measured of a run or by `thaw profile`; undefined where nothing was, or nothing that can be read. */
export function readProfile(dir: string): Profile | undefined {
  // It stands beside a run's results: a damaged one must not hide those.
  return profileSchema.safeParse(jsonFile(join(dir, "profile.json"))).data;
}

/** The largest batch that was measured. */
export function largestMeasured({ batches }: ProfiledModel): MeasuredBatch | undefined {
  return batches
    .filter((batch) => batch.kind === "measured")
    .reduce<MeasuredBatch | undefined>(
      (best, batch) => (best === undefined || batch.batchSize > best.batchSize ? batch : best),
      undefined,
    );
}
