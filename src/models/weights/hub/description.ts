import { readFile, stat } from "node:fs/promises";
import { z } from "zod";
import type { Preprocessing } from "../../spec.ts";

/** What a model's own files say of its inputs and outputs. */
export interface WeightsDescription {
  readonly preprocessing?: Preprocessing;
  /** In the order of the outputs. */
  readonly classes?: readonly string[];
  readonly notes: readonly string[];
}

/** ImageNet-21k's labels with descriptions take 3 MB. */
export const MAX_DESCRIPTION_BYTES = 16 * 2 ** 20;
const MAX_CLASSES = 1_000_000;
const MAX_REASON = 500;

/** A list that is told wrong once: zod's own arrays make an issue of every element, and a file may have millions. */
function listOf<T>(isElement: (value: unknown) => value is T, most: number, what: string) {
  const isList = (value: unknown): value is T[] =>
    Array.isArray(value) && value.length <= most && value.every(isElement);
  return z.custom<T[]>(isList, { error: `Invalid input: expected up to ${most} ${what}` });
}

const isNumber = (value: unknown): value is number => Number.isFinite(value);
const isText = (value: unknown): value is string => typeof value === "string";
const isLabels = (value: unknown): value is Record<string, string> =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  Object.entries(value).every(([key, label]) => /^\d{1,7}$/.test(key) && isText(label));

const triple = listOf(isNumber, 64, "numbers").refine(({ length }) => length > 0);
const pixels = z.int().min(1).max(65_536);
const imageSize = z.union([
  pixels.transform((size): [number, number] => [size, size]),
  z.tuple([pixels, pixels]),
]);
const share = z.number().positive().max(2);
const labels = z.union([
  listOf(isText, MAX_CLASSES, "names"),
  z.custom<Record<string, string>>(isLabels, { error: "Invalid input: expected names by number" }),
]);

/** timm's `pretrained_cfg`. */
const timmConfig = z.object({
  input_size: z.tuple([z.int(), pixels, pixels]).optional(),
  crop_pct: share.nullish(),
  interpolation: z.string().nullish(),
  mean: triple.nullish(),
  std: triple.nullish(),
  num_classes: z.int().nullish(),
  label_names: labels.nullish(),
  labels: labels.nullish(),
});

const modelConfig = timmConfig.extend({
  pretrained_cfg: timmConfig.nullish(),
  id2label: labels.nullish(),
});

/** transformers' image processors. */
const processorConfig = z.object({
  size: z
    .union([
      imageSize,
      z.object({ height: pixels, width: pixels }),
      z.object({ shortest_edge: pixels }),
    ])
    .nullish(),
  crop_size: z.union([imageSize, z.object({ height: pixels, width: pixels })]).nullish(),
  crop_pct: share.nullish(),
  do_center_crop: z.boolean().nullish(),
  resample: z.int().nullish(),
  image_mean: triple.nullish(),
  image_std: triple.nullish(),
});

type ModelConfig = z.infer<typeof modelConfig>;
type ProcessorConfig = z.infer<typeof processorConfig>;
/** What is missing here stays with the caller's own idea of the model. */
type Fields = { -readonly [K in keyof Preprocessing]?: Preprocessing[K] };

/** Pillow's codes of what Thaw has; transformers writes them. */
const pillowCodes: Readonly<Record<number, Preprocessing["interpolation"]>> = {
  2: "bilinear",
  3: "bicubic",
};

/**
 * Reads `config.json` (timm's or transformers') and `preprocessor_config.json`. What they do not say is `usual`'s; without
 * both there is no preprocessing. Weights are good without: what cannot be understood becomes a note.
 */
export async function readDescription(
  files: { readonly config?: string | undefined; readonly preprocessor?: string | undefined },
  usual?: Preprocessing,
): Promise<WeightsDescription> {
  const notes: string[] = [];
  const config = await readJson(files.config, modelConfig, notes);
  const processor = await readJson(files.preprocessor, processorConfig, notes);
  const fields = {
    ...(config && timmFields(config, notes)),
    ...(processor && processorFields(processor, notes)),
  };
  const preprocessing = completed(fields, usual);
  const classes = config && classNames(config, notes);
  return { ...(preprocessing && { preprocessing }), ...(classes && { classes }), notes };
}

async function readJson<T>(
  path: string | undefined,
  schema: z.ZodType<T>,
  notes: string[],
): Promise<T | undefined> {
  if (path === undefined) return undefined;
  try {
    const { size } = await stat(path);
    if (size > MAX_DESCRIPTION_BYTES) throw new Error(`${size} bytes are too many`);
    const read = schema.safeParse(JSON.parse(await readFile(path, "utf8")));
    if (read.success) return read.data;
    throw new Error(z.prettifyError(read.error).replace(/\s+/g, " "));
  } catch (error) {
    const reason = (error as Error).message.slice(0, MAX_REASON);
    notes.push(`${path} is not understood and is ignored: ${reason}`);
    return undefined;
  }
}

function timmFields(config: ModelConfig, notes: string[]): Fields {
  const { input_size, crop_pct, interpolation, mean, std } = config.pretrained_cfg ?? config;
  const fields: Fields = {};
  if (input_size) fields.size = [input_size[1], input_size[2]];
  if (crop_pct) fields.crop = crop_pct;
  if (mean) fields.mean = mean;
  if (std) fields.std = std;
  const kernel = interpolation && kernelOf(interpolation, notes);
  if (kernel) fields.interpolation = kernel;
  return fields;
}

/** transformers resizes to the size itself (ViT), or its shorter edge, and may cut the centre out of that. */
function processorFields(config: ProcessorConfig, notes: string[]): Fields {
  const { size, crop_size, crop_pct, do_center_crop, resample, image_mean, image_std } = config;
  const fields: Fields = {};
  const whole = pair(size);
  const cut = do_center_crop === false ? undefined : pair(crop_size);
  if (whole) {
    fields.size = cut ?? whole;
    fields.crop = crop_pct ?? (cut ? Math.min(1, Math.min(...cut) / Math.min(...whole)) : 1);
  }
  if (image_mean) fields.mean = image_mean;
  if (image_std) fields.std = image_std;
  if (resample !== undefined && resample !== null) {
    fields.interpolation = pillowCodes[resample] ?? kernelOf(`of Pillow's code ${resample}`, notes);
  }
  return fields;
}

function pair(size: ProcessorConfig["size"]): readonly [number, number] | undefined {
  if (!size) return undefined;
  if (Array.isArray(size)) return size;
  return "height" in size ? [size.height, size.width] : [size.shortest_edge, size.shortest_edge];
}

function kernelOf(name: string, notes: string[]): Preprocessing["interpolation"] {
  if (name === "bilinear" || name === "bicubic") return name;
  notes.push(`interpolation ${name.slice(0, 80)} is not supported: bicubic is used instead`);
  return "bicubic";
}

function completed(fields: Fields, usual: Preprocessing | undefined): Preprocessing | undefined {
  const { size, crop, interpolation, mean, std } = { ...usual, ...fields };
  if (!size || !crop || !interpolation || !mean || !std) return undefined;
  if (mean.length !== std.length || std.some((value) => value <= 0)) return usual;
  return { size, crop, interpolation, mean, std };
}

function classNames(config: ModelConfig, notes: string[]): string[] | undefined {
  const timm = config.pretrained_cfg ?? config;
  const found = config.label_names ?? config.id2label ?? timm.label_names ?? timm.labels;
  if (!found) return undefined;
  const names = Array.isArray(found) ? found : inOrder(found);
  const count = config.num_classes ?? timm.num_classes ?? names?.length;
  if (names === undefined || names.length !== count) {
    notes.push("the class names of config.json do not fit its number of classes: passed over");
    return undefined;
  }
  // What transformers writes where nobody gave names.
  return names.every((name, i) => name === `LABEL_${i}`) ? undefined : names;
}

function inOrder(names: Readonly<Record<string, string>>): string[] | undefined {
  const list = Array.from({ length: Object.keys(names).length }, (_, i) => names[String(i)]);
  return list.includes(undefined) ? undefined : (list as string[]);
}
