import { z } from "zod";
import { ThawError } from "../errors.ts";
import type { NetworkInput } from "../run/input.ts";
import { readModelHeader } from "./onnx/read-model.ts";

/** Larger ones no network takes, and memory is taken for them before the file is asked. */
const LARGEST_SIDE = 16_384;
const side = z.int().min(1).max(LARGEST_SIDE);

/** They are printed, and a terminal does what control characters say. */
const className = z.string().regex(/^\P{Cc}*$/u, { message: "a name has control characters" });

const inputSchema = z
  .object({
    // What pictures are decoded to.
    channels: z.union([z.literal(1), z.literal(3)]),
    height: side,
    width: side,
    mean: z.array(z.number()),
    std: z.array(z.number().positive()),
    interpolation: z.enum(["bilinear", "bicubic"]).optional(),
    cropPct: z.number().positive().max(1).optional(),
    pixelRange: z.tuple([z.number(), z.number()]).optional(),
  })
  .refine(({ channels, mean, std }) => mean.length === channels && std.length === channels, {
    message: "mean and std are not of its channels",
  });

const metadataSchema = z.object({
  /** Name of the architecture, or of the classical model. */
  model: z.string(),
  /** Names in the order of the outputs. */
  classes: z.array(className).min(1),
  /** Size, resizing and normalisation of the images. */
  input: inputSchema,
  /**
   * `normalised`: float32 [N, C, H, W]; `pixels`: uint8 [N, H, W, C], which the graph normalises itself; `pictures`: the same
   * of any height and width, which it resizes and crops too.
   */
  takes: z.enum(["normalised", "pixels", "pictures"]),
  /** What the graph gives. */
  gives: z.enum(["logits", "probabilities"]),
  precision: z.enum(["fp32", "fp16", "int8"]),
  /** Of the weights that training began with. */
  licence: z.string(),
  /** Name of the run that it was exported from. */
  run: z.string(),
  /** Name of the data set that the run was trained on. */
  data: z.string(),
});

/** What an exported file says of itself: enough to feed it images and to read its answers. */
export interface ExportMetadata extends Omit<z.output<typeof metadataSchema>, "input"> {
  readonly input: NetworkInput;
}

/** Strings for ONNX's metadata_props: what is no string is JSON. */
export function encodeMetadata(metadata: ExportMetadata): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => [
      key,
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
  );
}

/** @throws ThawError for a file that is no ONNX model, or none that `thaw export` wrote. */
export function readMetadata(path: string): ExportMetadata {
  const { metadata, producer } = readModelHeader(path);
  const refuse = (why: string, cause?: unknown) =>
    new ThawError(`${path}: this ONNX file was not written by \`thaw export\`: ${why}`, {
      hint: "its classes and preprocessing are not in it, so that nothing can be said of images",
      cause,
    });
  if (producer !== "thaw")
    throw refuse(`it is of ${producer === "" ? "an unknown tool" : producer}`);
  const document = Object.fromEntries(
    Object.entries(metadata).map(([key, text]) => [key, isJson(key) ? json(text, refuse) : text]),
  );
  const parsed = metadataSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  const { path: where, message } = parsed.error.issues[0]!;
  throw refuse(`${where.join(".")}: ${message}`, parsed.error);
}

const isJson = (key: string): boolean => key === "classes" || key === "input";

function json(text: string, refuse: (why: string, cause?: unknown) => ThawError): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw refuse("its metadata is no JSON", cause);
  }
}
