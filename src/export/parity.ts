import type { SplitSet } from "../data/imageset.ts";
import { ThawError } from "../errors.ts";
import { type FeedOptions, feedOf, largest } from "./feed.ts";
import type { ExportMetadata } from "./metadata.ts";
import type { OnnxSession } from "./session.ts";
import type { Subject } from "./subject.ts";

/** How a file's answers differ from its model's. */
export interface Parity {
  readonly images: number;
  /** Largest difference of an output. */
  readonly maxDifference: number;
  /** Share of images of which both name the same class first. */
  readonly agreement: number;
  /** Did it pass? int8 is judged by its accuracy, not by this. */
  readonly passed: boolean;
}

/** What an export has to keep to. */
export const tolerances = {
  fp32: { maxDifference: 1e-3, agreement: 0.999 },
  fp16: { maxDifference: Number.POSITIVE_INFINITY, agreement: 0.99 },
  int8: { maxDifference: Number.POSITIVE_INFINITY, agreement: 0 },
} as const satisfies Record<ExportMetadata["precision"], object>;

/** Asks file and model about the same images. @throws ThawError where there are none. */
export async function checkParity(
  session: OnnxSession,
  subject: Subject,
  set: SplitSet,
  options: FeedOptions & { readonly precision: ExportMetadata["precision"] },
): Promise<Parity> {
  const { input, classes } = subject.metadata;
  const count = classes.length;
  let [images, agreed, maxDifference] = [0, 0, 0];
  for await (const batch of feedOf(set, input, options)) {
    const said = subject.answer(batch.images);
    const { data } = await session.first(batch.feed);
    if (data.length !== said.length) {
      throw new ThawError(
        `the file gives ${data.length} numbers where the model gives ${said.length}`,
      );
    }
    for (const [i, value] of said.entries()) {
      const difference = Math.abs(value - data[i]!);
      // NaN is larger than all: one must not hide in a comparison.
      if (!(difference <= maxDifference)) maxDifference = difference;
    }
    for (let row = 0; row < batch.labels.length; row++) {
      if (largest(said, row, count) === largest(data, row, count)) agreed++;
    }
    images += batch.labels.length;
  }
  if (images === 0) {
    throw new ThawError("there is no image to compare the file with its model on", {
      hint: "parity is part of the export: the run's data must have validation or test images",
    });
  }
  const agreement = agreed / images;
  const allowed = tolerances[options.precision];
  const passed = maxDifference <= allowed.maxDifference && agreement >= allowed.agreement;
  return { images, maxDifference, agreement, passed };
}
