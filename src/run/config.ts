import { createHash } from "node:crypto";
import { z } from "zod";
import { csvKeys } from "./csv-keys.ts";

const positive = () => z.number().gt(0);
const count = () => z.int().min(1);
const share = () => z.number().min(0).lt(1);
const ratio = () => z.number().min(0).max(1);

/**
 * A training run as one document: the one source for flags, YAML, JSON and the types. Keys that only some optimizers or
 * schedules have are optional here and filled where they apply (`onlyWith`). timm's names where timm has them.
 */
export const trainConfigSchema = z.strictObject({
  data: z.string().min(1).describe("built-in dataset (fashion-mnist, cifar10) or a path"),
  ...csvKeys,
  classes: z
    .array(z.string().min(1))
    .min(2)
    .optional()
    .describe("use only these classes, in this order"),
  perClass: count().optional().describe("images of each class, over all splits"),
  trainSize: count().optional().describe("training images, drawn by the seed"),
  valSize: count().optional().describe("validation images, taken from the training images"),
  testSize: count().optional().describe("test images, drawn by the seed"),
  testFrom: z
    .enum(["test", "train"])
    .optional()
    .describe(
      "split of the data that the test images are of; train: test-size of its images are held out, the same for every seed; default test",
    ),
  onBadImage: z
    .enum(["fail", "skip"])
    .optional()
    .describe(
      "if images cannot be decoded: list them and stop (fail), or leave out up to a tenth of all images (skip); default fail",
    ),
  pixelRange: z
    .tuple([z.number(), z.number()])
    .optional()
    .describe(
      "values of black and white in images of more than 8 bits per sample, such as 0,4095; default those stated in the file, else the full 16-bit range",
    ),
  model: z.string().min(1).describe("name of the model, as `simple_cnn` or `resnet18`"),
  weights: z
    .string()
    .min(1)
    .optional()
    .describe("start from these: a file, a run, hf-hub:owner/name[@revision], or a model's name"),
  pretrained: z.boolean().optional().describe("start from the model's default published weights"),
  strategy: z
    .enum(["scratch", "freeze", "partial", "gradual", "full"])
    .optional()
    .describe(
      "what trains: all from random weights (scratch), or of given weights the head (freeze), the last stages and the head (partial), one stage more every few epochs (gradual), all (full); default scratch, with weights full",
    ),
  unfreeze: z
    .int()
    .min(1)
    .optional()
    .describe("stages before the head that partial trains; default 2"),
  unfreezeEvery: count().optional().describe("epochs until gradual trains a stage more; default 1"),
  views: count()
    .optional()
    .describe(
      "freeze: augmented views of each image, whose features are computed once; default 1, without augmentation",
    ),
  mean: z
    .array(z.number())
    .min(1)
    .optional()
    .describe("mean of each channel, of pixel/255; default the weights', else the data's"),
  std: z
    .array(positive())
    .min(1)
    .optional()
    .describe("deviation of each channel, of pixel/255; default as the mean's"),
  imgSize: z
    .int()
    .min(1)
    .max(4096)
    .optional()
    .describe(
      "side of the images that the model sees, in pixels; default the weights', else the model's own; small images stay as they are",
    ),
  cropPct: positive()
    .max(1)
    .optional()
    .describe(
      "share of the resized image's shorter side that is kept for judging; default the weights', of small images 1",
    ),
  interpolation: z
    .enum(["bilinear", "bicubic"])
    .optional()
    .describe("how images are resized, antialiased; default the weights'"),
  scale: z
    .tuple([positive().max(1), positive().max(1)])
    .optional()
    .describe(
      "photographs, and small images with imgSize: share of the area that a random training crop keeps, from and to; default 0.08,1, with freeze no crop",
    ),
  ratio: z
    .tuple([positive(), positive()])
    .optional()
    .describe("of a random training crop: width by height; default 3/4 to 4/3"),
  hflip: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe(
      "beside random training crops: how often an image is mirrored; default 0.5, with freeze never",
    ),
  keepSide: count()
    .optional()
    .describe(
      "photographs: reduced to this shorter side when they are first read, then cropped from that; default none",
    ),
  epochs: count().default(10).describe("epochs to train at most"),
  batchSize: count().default(128).describe("images a step"),
  gradAccumSteps: count()
    .optional()
    .describe("batches whose gradients are added up for one step; default 1"),
  opt: z.enum(["sgd", "adam", "adamw"]).default("adam").describe("optimizer"),
  lr: positive().optional().describe("learning rate; default 0.001, with sgd 0.05"),
  featureCache: z
    .boolean()
    .optional()
    .describe(
      "freeze, partial: compute what the frozen stages give once where it stays the same; default true",
    ),
  featureCacheBudget: positive()
    .optional()
    .describe("megabytes that cached features may take; default a quarter of the free memory"),
  headLr: positive().optional().describe("learning rate of the head; default that of the rest"),
  layerDecay: positive()
    .max(1)
    .optional()
    .describe("factor of the rate from a stage to the one before it; default 1"),
  momentum: share().optional().describe("momentum of sgd"),
  nesterov: z.boolean().optional().describe("Nesterov's momentum"),
  weightDecay: z.number().min(0).default(1e-4).describe("weight decay"),
  betas: z.tuple([share(), share()]).optional().describe("decay rates of adam's two averages"),
  sched: z
    .enum(["constant", "step", "linear", "cosine", "onecycle", "plateau"])
    .default("cosine")
    .describe("how the learning rate goes"),
  warmupEpochs: z.number().min(0).optional().describe("epochs of linear warm-up"),
  decayRate: positive().lt(1).optional().describe("factor of a fall of the learning rate"),
  decayEpochs: positive().optional().describe("epochs between two falls"),
  patienceEpochs: z.int().min(0).optional().describe("epochs without progress before a fall"),
  plateauMetric: z
    .enum(["loss", "accuracy"])
    .optional()
    .describe("what has to make progress, of the validation images; default loss"),
  minLr: z.number().min(0).optional().describe("lowest learning rate"),
  smoothing: share().default(0).describe("label smoothing"),
  clipGrad: positive().optional().describe("largest norm of the gradient"),
  classWeights: z
    .union([
      z.literal("balanced"),
      z.array(positive()).min(2),
      z.record(z.string().min(1), positive()),
    ])
    .optional()
    .describe(
      "weight of each class in the loss, by name (bee=1,ant=50) or in the order of the classes; balanced: from the class frequencies in the training images",
    ),
  dropout: share().optional().describe("dropout before the head; default the model's own"),
  dropPath: share().optional().describe("stochastic depth: rate of the last block; default 0"),
  modelEma: z
    .boolean()
    .optional()
    .describe("keep a moving average of the weights, which is validated and stored as the best"),
  modelEmaDecay: share().optional().describe("decay of the average a step; default 0.9998"),
  teacher: z
    .string()
    .min(1)
    .optional()
    .describe("run whose best model is learnt from: knowledge distillation"),
  distillAlpha: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe("weight of the teacher's answers beside the labels'; default 0.5"),
  distillTemperature: positive()
    .optional()
    .describe("temperature of the teacher's and the student's answers; default 4"),
  augment: z
    .strictObject({
      crop: z
        .int()
        .min(0)
        .default(0)
        .describe("pixels of padding before a random crop of a small image; 0: none"),
      flip: z.boolean().default(false).describe("mirror half of the small images"),
      rotation: z.number().min(0).max(180).default(0).describe("largest rotation in degrees"),
    })
    .prefault({})
    .describe("changes made to training images"),
  affine: z
    .strictObject({
      degrees: z.number().min(0).max(180).default(0).describe("largest rotation in degrees"),
      translate: z
        .tuple([ratio(), ratio()])
        .optional()
        .describe("largest shift across and down, as shares of width and height"),
      scale: z
        .tuple([positive(), positive()])
        .optional()
        .describe("factor of the size, from and to"),
      shear: z
        .array(z.number().gt(-90).lt(90))
        .min(1)
        .max(4)
        .optional()
        .describe("degrees: most either way; or from and to; or from and to of x, then of y"),
    })
    .optional()
    .describe("torchvision's RandomAffine"),
  aa: z
    .enum(["none", "randaugment", "trivialaugmentwide"])
    .optional()
    .describe("policy of automatic augmentation; default none"),
  aaNumOps: count().max(100).optional().describe("operators that randaugment applies to an image"),
  aaMagnitude: z.int().min(0).optional().describe("magnitude of randaugment, a bin from 0"),
  aaBins: z.int().min(2).max(1000).optional().describe("bins of magnitudes"),
  colorJitter: z
    .array(z.number().min(0))
    .min(1)
    .max(4)
    .optional()
    .describe(
      "how far brightness, contrast, saturation and hue may go; one value: the first three",
    ),
  reprob: ratio().optional().describe("probability that a rectangle of an image is erased"),
  remode: z
    .enum(["const", "pixel"])
    .optional()
    .describe(
      "what is erased becomes 0 (const) or noise (pixel), of normalised values; default const",
    ),
  mixup: z.number().min(0).optional().describe("alpha of MixUp; 0: none"),
  cutmix: z
    .number()
    .min(0)
    .optional()
    .describe("alpha of CutMix; 0: none; with MixUp, either in turn by chance"),
  precision: z
    .enum(["auto", "fp32", "bf16", "fp16"])
    .default("auto")
    .describe("auto: bf16 where the hardware has it, else fp32"),
  device: z
    .enum(["auto", "cpu", "cuda", "mps"])
    .default("auto")
    .describe("auto: a GPU where libtorch has one, else the CPU"),
  // More end in libgomp, which ends the process.
  threads: count().max(1024).optional().describe("CPU threads; default all cores"),
  seed: z.int().min(0).max(4294967295).default(42).describe("seed of everything random"),
  patience: count().optional().describe("stop after so many epochs without progress"),
  checkpointEvery: count().default(1).describe("epochs between two checkpoints"),
  name: z
    .string()
    .regex(/^\w[\w.-]{0,199}$/)
    .optional()
    .describe("name of the run; default <dataset>-<model>-<strategy>-s<seed>"),
  out: z.string().min(1).default("runs").describe("folder of the runs"),
  track: z
    .array(z.enum(["none", "tensorboard", "mlflow"]))
    .min(1)
    .default(["tensorboard"])
    .describe("who is told of the run: tensorboard, mlflow, both, or none"),
  logHistograms: count()
    .optional()
    .describe("epochs between two histograms of weights and gradients; default none"),
  exact: z
    .boolean()
    .default(false)
    .describe("refuse to resume where the bits could differ (threads, CPU, libtorch)"),
});

type Parsed = z.output<typeof trainConfigSchema>;
/** A resolved config: every default filled in, and no key that its optimizer or schedule does not use. */
export type TrainConfig = Parsed & {
  readonly lr: number;
  readonly strategy: NonNullable<Parsed["strategy"]>;
};
export type TrainConfigKey = keyof Parsed;
/** What a person writes: only `data` and `model` are needed. */
export type TrainConfigInput = z.input<typeof trainConfigSchema>;

/** A key that only some choices of `by` use, and its value where nothing is given. */
export interface Applies {
  readonly by: "opt" | "sched" | "strategy" | "aa";
  readonly to: readonly string[];
  readonly fallback: unknown;
}

const adams = ["adam", "adamw"];
const randAugment = ["randaugment"];
export const onlyWith: Readonly<Partial<Record<TrainConfigKey, Applies>>> = {
  unfreeze: { by: "strategy", to: ["partial"], fallback: 2 },
  unfreezeEvery: { by: "strategy", to: ["gradual"], fallback: 1 },
  views: { by: "strategy", to: ["freeze"], fallback: undefined },
  featureCache: { by: "strategy", to: ["freeze", "partial"], fallback: true },
  featureCacheBudget: { by: "strategy", to: ["freeze", "partial"], fallback: undefined },
  dropPath: {
    by: "strategy",
    to: ["scratch", "partial", "gradual", "full"],
    fallback: undefined,
  },
  headLr: { by: "strategy", to: ["partial", "gradual", "full"], fallback: undefined },
  layerDecay: { by: "strategy", to: ["partial", "gradual", "full"], fallback: 1 },
  momentum: { by: "opt", to: ["sgd"], fallback: 0.9 },
  nesterov: { by: "opt", to: ["sgd"], fallback: false },
  betas: { by: "opt", to: adams, fallback: [0.9, 0.999] },
  warmupEpochs: { by: "sched", to: ["constant", "step", "linear", "cosine"], fallback: 0 },
  decayRate: { by: "sched", to: ["step", "plateau"], fallback: 0.1 },
  decayEpochs: { by: "sched", to: ["step"], fallback: 30 },
  patienceEpochs: { by: "sched", to: ["plateau"], fallback: 5 },
  plateauMetric: { by: "sched", to: ["plateau"], fallback: undefined },
  minLr: { by: "sched", to: ["linear", "cosine", "plateau"], fallback: 0 },
  aaNumOps: { by: "aa", to: randAugment, fallback: 2 },
  aaMagnitude: { by: "aa", to: randAugment, fallback: 9 },
  aaBins: { by: "aa", to: [...randAugment, "trivialaugmentwide"], fallback: 31 },
};

/** Keys that mean nothing without another one, and their value beside it where nothing is given. */
export const onlyBeside = {
  modelEmaDecay: { key: "modelEma", fallback: 0.9998 },
  distillAlpha: { key: "teacher", fallback: 0.5 },
  distillTemperature: { key: "teacher", fallback: 4 },
} as const satisfies Partial<Record<TrainConfigKey, { key: TrainConfigKey; fallback: number }>>;

/** Does a run start from somebody's weights? */
export function hasWeights(given: { readonly weights?: unknown; readonly pretrained?: unknown }) {
  return given.weights !== undefined || given.pretrained === true;
}

/** What a person means who says nothing of it. */
export function defaultStrategy(given: Parameters<typeof hasWeights>[0]): "scratch" | "full" {
  return hasWeights(given) ? "full" : "scratch";
}

/** Fills what depends on other keys. Expects that keys which do not apply are gone. */
export function completeConfig(parsed: Parsed): TrainConfig {
  const strategy = parsed.strategy ?? defaultStrategy(parsed);
  const config: Record<string, unknown> = { ...parsed, strategy };
  config["lr"] ??= parsed.opt === "sgd" ? 0.05 : 0.001;
  for (const [key, { by, to, fallback }] of Object.entries(onlyWith)) {
    if (to.includes(by === "strategy" ? strategy : (parsed[by] ?? ""))) config[key] ??= fallback;
  }
  for (const [key, { key: beside, fallback }] of Object.entries(onlyBeside)) {
    if (config[beside]) config[key] ??= fallback;
  }
  // In the schema's order, so that config.json reads the same however the run was given.
  const keys = Object.keys(trainConfigSchema.shape).filter((key) => config[key] !== undefined);
  return Object.fromEntries(keys.map((key) => [key, config[key]])) as TrainConfig;
}

/**
 * SHA-256 of what decides the numbers of a run: all of its config but name, place, who is told of it, and what happens to
 * images that cannot be decoded. Key order does not count. A checkpoint carries it, so that a run is not resumed with
 * another config.
 */
export function configDigest(config: Readonly<Record<string, unknown>>): string {
  const { name: _name, out: _out, track: _track, logHistograms: _log, ...others } = config;
  const { onBadImage: _bad, ...rest } = others;
  return createHash("sha256").update(canonicalJson(rest)).digest("hex");
}

/** JSON with sorted keys and without space; undefined values are left out. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).filter(([, v]) => v !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v)}`).join(",")}}`;
}
