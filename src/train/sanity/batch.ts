import type { SplitSet } from "../../data/imageset.ts";
import type { Batch } from "../../data/loader.ts";
import type { Normalization } from "../../data/transforms/normalize.ts";
import { ops, scope, type Tensor } from "../../tensor/index.ts";
import { failed, listed, passed, type SanityCheck } from "./report.ts";

type Labelled = Pick<SplitSet, "labels" | "classes" | "count">;

/** Is every label of every split the number of a class? */
export function checkLabels(splits: Readonly<Record<string, Labelled>>): SanityCheck {
  const wrong: string[] = [];
  for (const [split, { labels, classes }] of Object.entries(splits)) {
    const row = labels.findIndex((label: number) => label < 0 || label >= classes.length);
    if (row < 0) continue;
    const last = classes.length - 1;
    wrong.push(
      `${split} image ${row} has label ${labels[row]}, the classes are numbered 0 to ${last}`,
    );
  }
  const total = Object.values(splits).reduce((sum, { count }) => sum + count, 0);
  if (wrong.length === 0) return passed("labels", `all ${total} are numbers of classes`);
  return failed(
    "labels",
    wrong.join("; "),
    wrong.map((text) => text.split(" has ")[0]!),
    "the labels and the class list do not belong together: check the data's source",
  );
}

/** Rounding of float32 around the end of the range. */
const EPS = 1e-3;

/**
 * Are images [N, C, H, W] what normalising pixels of 0 to 255 gives: between (0 - mean)/std and (1 - mean)/std, on both
 * sides of the mean, and not of one colour?
 */
export function checkInputs({ images }: Batch, { mean, std }: Normalization): SanityCheck {
  const channels = describeChannels(images);
  const problems: string[] = [];
  const culprits: string[] = [];
  let hint = "the images are not normalised as --mean and --std say";
  for (const [c, { min, max }] of channels.entries()) {
    const [lo, hi] = [0, 1].map((pixel) => (pixel - mean[c]!) / std[c]!) as [number, number];
    const is = `${number(min)} to ${number(max)}`;
    const range = `${number(lo)} to ${number(hi)}`;
    const slack = EPS * (hi - lo);
    if (!Number.isFinite(min) || !Number.isFinite(max)) {
      problems.push(`channel ${c} has values that are not finite`);
    } else if (min < lo - slack || max > hi + slack) {
      problems.push(`channel ${c} goes from ${is}, allowed is ${range}`);
    } else if (lo < -slack && min >= 0 && max <= 1) {
      problems.push(`channel ${c} goes from ${is}: pixel/255 from which no mean was taken`);
    } else if (min === max) {
      problems.push(`channel ${c} is ${number(min)} everywhere`);
      hint = "look at the pictures: thaw data info";
    } else continue;
    culprits.push(`channel ${c}`);
  }
  if (problems.length > 0) return failed("inputs", listed(problems), culprits, hint);
  const all = (of: "min" | "max") => channels.map((channel) => channel[of]);
  const [lo, hi] = [Math.min(...all("min")), Math.max(...all("max"))];
  return passed(
    "inputs",
    `${number(lo)} to ${number(hi)} after normalisation, mean ${listed(channels.map((c) => number(c.mean)))}`,
  );
}

interface Channel {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
}

function describeChannels(images: Tensor): Channel[] {
  return scope(() => {
    const channels = images.size(1);
    const flat = ops.flatten(ops.transpose(images, 0, 1), { startDim: 1 });
    const values = [ops.amin, ops.amax].map((of) => of(flat, { dim: [1] }).toArray("float32"));
    const means = ops.meanDim(flat, { dim: 1 }).toArray("float32");
    return Array.from({ length: channels }, (_, c) => ({
      min: values[0]![c]!,
      max: values[1]![c]!,
      mean: means[c]!,
    }));
  });
}

/** Pairs of images of a batch with the same pixels and other labels: no network can tell them apart. */
export function contradictions({ images, labels, rows }: Batch): string[] {
  const size = images.elements / images.size(0);
  const pixels = images.toArray("float32");
  const classes = labels.toArray("int64");
  const seen = new Map<string, number>();
  const found: string[] = [];
  for (let i = 0; i < classes.length; i++) {
    const part = pixels.subarray(i * size, (i + 1) * size);
    const key = Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString("latin1");
    const first = seen.get(key);
    if (first === undefined) seen.set(key, i);
    else if (classes[first] !== classes[i]) found.push(`${rows[first]} and ${rows[i]}`);
  }
  return found;
}

/** Three digits that say something. */
export function number(value: number): string {
  return String(Number(value.toPrecision(3)));
}
