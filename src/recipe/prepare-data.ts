import { existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { locateData, openDataset } from "../data/datasets/index.ts";
import { chooseClasses } from "../data/folders/choose-classes.ts";
import { packSplits } from "../data/pack/pack.ts";
import { prepareCommand } from "../data/prepare/command.ts";
import { prepareImages } from "../data/prepare/prepare.ts";
import { UsageError } from "../errors.ts";
import { writeDurably } from "../platform/durable.ts";
import { throwIfStopped } from "../platform/stop.ts";
import { canonicalJson } from "../run/config.ts";
import { jsonFile } from "../run/json-file.ts";
import type { DataStep, PackStep, PrepareStep } from "../run/matrix-file.ts";

export interface PrepareEvents {
  readonly mirror?: string | undefined;
  readonly onPrepared?: ((out: string, images: number, unchanged: boolean) => void) | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes the data of a recipe, step by step; what is there already stays.
 * @throws UsageError for a source that is nothing, and where something else lies in the place; StoppedError where an end is
 * asked for.
 */
export async function prepareData(
  steps: readonly DataStep[],
  events: PrepareEvents,
): Promise<void> {
  for (const step of steps) {
    throwIfStopped(events.signal);
    if ("pack" in step) await pack(step, events);
    else await prepare(step, events);
  }
}

async function prepare(
  { prepare: source, classes, split, out, ...rest }: PrepareStep,
  { mirror, onPrepared, onNote, signal }: PrepareEvents,
): Promise<void> {
  const { pathColumn, labelColumn, splitColumn, imageFolder, ...options } = rest;
  const csv = { pathColumn, labelColumn, splitColumn, imageFolder };
  const found = await locateData({
    data: source,
    ...csv,
    mirror,
    ...(classes && { classes: [...classes] }),
  });
  if (found.kind === "memory") {
    throw new UsageError(`prepare: ${source} is whole and split already`, {
      hint: `train on it with data: ${source}, or write its images with pack: ${source}`,
    });
  }
  const listing = chooseClasses(found.listing, classes && [...classes]);
  const total = split?.reduce((sum, share) => sum + share, 0) ?? 1;
  const choice = {
    ...{ out, ...options },
    ...(split && { split: [split[0] / total, split[1] / total, split[2] / total] as const }),
  };
  const prepared = await prepareImages(listing, {
    ...choice,
    command: prepareCommand({ source, classes, mirror, csv, ...choice }),
    onProgress: () => throwIfStopped(signal),
  });
  for (const text of prepared.notes) onNote?.(text);
  const { manifest, linked, copied } = prepared;
  onPrepared?.(out, manifest.files.length, linked + copied === 0);
}

/** What lies beside an archive, and says what it was packed of; without the archive's numbers while it is packed. */
interface Packing {
  readonly step: PackStep;
  readonly images?: number;
  readonly bytes?: number;
}

async function pack(
  step: PackStep,
  { mirror, onPrepared, onNote, signal }: PrepareEvents,
): Promise<void> {
  const { pack: source, out, ...choice } = step;
  const beside = `${out}.json`;
  if (existsSync(out)) {
    const before = jsonFile(beside) as Packing | undefined;
    const isSame = before !== undefined && canonicalJson(before?.step) === canonicalJson(step);
    const isWhole = before?.bytes === undefined || before.bytes === statSync(out).size;
    if (!isSame || !isWhole) {
      throw new UsageError(`${out} is there, and was not packed by this step`, {
        hint: "remove it, or give the step another out:",
      });
    }
    if (before.images !== undefined) {
      onPrepared?.(out, before.images, true);
      return;
    }
  }
  const data = await openDataset({ data: source, mirror, ...choice });
  for (const text of data.notes) onNote?.(text);
  mkdirSync(dirname(out), { recursive: true });
  const describe = (packing: Packing) =>
    writeDurably(beside, `${JSON.stringify(packing, null, 2)}\n`);
  // First: a process that is killed once the archive is there leaves one that the next call knows for its own.
  describe({ step });
  try {
    const { images, bytes } = await packSplits(data, {
      ...{ out, seed: choice.seed, overwrite: true, keepOrder: choice.classes !== undefined },
      onProgress: () => throwIfStopped(signal),
    });
    describe({ step, images, bytes });
    onPrepared?.(out, images, false);
  } catch (error) {
    if (!existsSync(out)) rmSync(beside, { force: true });
    throw error;
  }
}
