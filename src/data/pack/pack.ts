import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { UsageError } from "../../errors.ts";
import { writeWhole } from "../../platform/durable.ts";
import { explained } from "../../platform/system-error.ts";
import type { SplitName } from "../folders/listing.ts";
import { MANIFEST, type Manifest, splitOrder } from "../folders/manifest.ts";
import { byCodePoint } from "../folders/names.ts";
import type { DatasetSplits } from "../imageset.ts";
import { TreeNames } from "../prepare/tree.ts";
import { pngOf } from "./png.ts";
import { type ZipMember, zipStream } from "./zip-writer.ts";

export interface PackOptions {
  /** The archive, a .zip. */
  readonly out: string;
  /** That the splits were drawn by, for the archive's manifest. */
  readonly seed: number;
  /** The classes keep the data's order, which the user gave; default: sorted. */
  readonly keepOrder?: boolean;
  /** Replace a file that is there. */
  readonly overwrite?: boolean;
  /** What it throws ends the packing, and nothing is left of the archive. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface Packed {
  readonly out: string;
  readonly images: number;
  /** Of the archive. */
  readonly bytes: number;
  readonly sha256: string;
  /** By class, in the archive's order: its folder, and images in each split. */
  readonly classes: Readonly<
    Record<string, { readonly folder: string } & Readonly<Record<SplitName, number>>>
  >;
}

/** Where an image goes, and where it is. */
interface Place {
  readonly file: string;
  readonly className: string;
  readonly split: SplitName;
  readonly row: number;
}

/**
 * Writes a data set's splits as PNG files in class folders, `train/<class>/00001.png`, into one zip archive with a
 * manifest, by which the classes get their own names again when it is opened. The same images always give the same
 * bytes. The archive has its name only once it is whole.
 * @throws UsageError for a target that cannot be; ThawError where it cannot be written.
 */
export async function packSplits(data: DatasetSplits, options: PackOptions): Promise<Packed> {
  const { onProgress } = options;
  checkPackTarget(options);
  const out = resolve(options.out);
  const places = placesOf(data);
  const files: Manifest["files"] = [];
  const members = places.map(({ file, className, split, row }): ZipMember => {
    const make = async () => {
      const set = data[split];
      const { bytes, width, height } = await pngOf(set, row);
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      const from = `image ${set.indices?.[row] ?? row}`;
      files.push({ file, className, from, sha256, bytes: bytes.length, width, height });
      return bytes;
    };
    return { path: file, compress: false, make };
  });
  const total = places.length;
  const ending: ZipMember = {
    path: MANIFEST,
    compress: true,
    async make() {
      // Images are made side by side, and may end in another order.
      files.sort((a, b) => byCodePoint(a.file, b.file));
      return Buffer.from(`${JSON.stringify(manifestOf(data, files, options), null, 1)}\n`);
    },
  };
  const hash = createHash("sha256");
  let bytes = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    let told = 0;
    const stream = zipStream(members, ending) as AsyncIterable<Buffer>;
    for await (const chunk of stream) {
      hash.update(chunk);
      bytes += chunk.length;
      if (files.length > told) {
        told = files.length;
        onProgress?.(told, total);
      }
      yield chunk;
    }
  }
  try {
    await writeWhole(out, counted());
  } catch (cause) {
    throw explained(out, cause, {
      elsewhere: "choose another folder with --out",
      ifFull: "free some space, or choose another --out; no partial archive remains",
    });
  }
  return { out, images: total, bytes, sha256: hash.digest("hex"), classes: countsOf(places) };
}

/** @throws UsageError for an archive's name that is none, is taken, or lies in no folder. */
export function checkPackTarget({ out, overwrite }: Pick<PackOptions, "out" | "overwrite">): void {
  const refuse = (why: string, hint: string) => new UsageError(`--out ${out}: ${why}`, { hint });
  if (!/\.zip$/i.test(out)) throw refuse("is no .zip by its name", "as --out archive.zip");
  const folder = dirname(resolve(out));
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw refuse(`there is no folder ${folder}`, "make it, or choose another --out");
  }
  if (!existsSync(out)) return;
  if (statSync(out).isDirectory()) throw refuse("is a folder", "choose another name");
  if (overwrite !== true) throw refuse("is there already", "replace it with --overwrite");
}

/** Every image's file: by split, then by folder, then in the split's order. */
function placesOf(data: DatasetSplits): Place[] {
  const names = new TreeNames();
  const folders = data.train.classes.map((name) => names.classFolder(name));
  const order = folders.map((_, label) => label);
  order.sort((a, b) => byCodePoint(folders[a]!, folders[b]!));
  return splitOrder.flatMap((split) => {
    const rows: number[][] = folders.map(() => []);
    data[split].labels.forEach((label: number, row: number) => {
      rows[label]!.push(row);
    });
    return order.flatMap((label) =>
      rows[label]!.map((row, i) => {
        // As wide as sorts by name as by number.
        const width = Math.max(5, String(rows[label]!.length).length);
        const name = `${String(i + 1).padStart(width, "0")}.png`;
        const file = `${split}/${folders[label]!}/${name}`;
        return { file, className: data.train.classes[label]!, split, row };
      }),
    );
  });
}

function manifestOf(
  { name, fingerprint, train }: DatasetSplits,
  files: Manifest["files"],
  { seed, keepOrder = false }: PackOptions,
): Manifest {
  return {
    format: "thaw prepared images 1",
    key: createHash("sha256").update(`packed 1 ${fingerprint}`).digest("hex"),
    source: name,
    seed,
    split: null,
    minSize: 1,
    classes: keepOrder ? [...train.classes] : [...train.classes].sort(byCodePoint),
    rejected: 0,
    files,
  };
}

function countsOf(places: readonly Place[]): Packed["classes"] {
  const counts: Record<string, { folder: string } & Record<SplitName, number>> = {};
  for (const { className, file, split } of places) {
    counts[className] ??= { folder: file.split("/")[1]!, train: 0, val: 0, test: 0 };
    counts[className][split]++;
  }
  return counts;
}
