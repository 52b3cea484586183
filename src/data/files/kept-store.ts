import { createHash } from "node:crypto";
import {
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { parseTemporary, removeAbandoned, temporaryPath } from "../../platform/temporary.ts";
import { turboJpeg } from "../../tensor/index.ts";
import type { FileImageSet } from "../fileset.ts";
import type { Picture } from "../images/picture.ts";
import type { ImageFit } from "./fit.ts";
import type { PictureStore } from "./pixel-store.ts";

/** A file of finished pictures of one size, for this run and later ones: plain data, for workers too. */
export interface KeptSpec {
  readonly place: { readonly kind: "kept"; readonly path: string };
  readonly size: readonly [height: number, width: number];
}

/** All kept pictures together take at most so many bytes; those longest unused go first. */
export const KEPT_BUDGET = 8 * 2 ** 30;
const EXTENSION = ".pictures";

/*
 * The file: a header (what it holds, padded with spaces), then of every row a digest and its pixels.
 * Pixels are written before their digest, and zeros are no digest: a row that is half written, by a
 * process that was killed or by another one just now, is a row that is not there. Whoever decodes a
 * row writes the same bytes, so that nobody has to wait for anybody.
 */
const HEADER_BYTES = 4096;
const DIGEST_BYTES = 16;
const NOTHING = Buffer.alloc(DIGEST_BYTES);

export interface KeptOptions {
  readonly folder: string;
  readonly onNote?: ((text: string) => void) | undefined;
  /** Default {@link KEPT_BUDGET}. */
  readonly budget?: number | undefined;
}

/**
 * The file of a set's pictures as `fit` makes them, with whatever earlier runs put into it; made where
 * there is none or it is damaged. Undefined, which is said, where there can be none.
 */
export function keptStore(
  set: Pick<FileImageSet, "count" | "files" | "stamps" | "pixelRange">,
  fit: ImageFit,
  { folder, onNote, budget = KEPT_BUDGET }: KeptOptions,
): KeptSpec | undefined {
  const { size } = fit;
  const header = headerOf(set, fit);
  const digest = createHash("sha256").update(header).digest("hex");
  const path = join(folder, `${digest.slice(0, 32)}${EXTENSION}`);
  const bytes = HEADER_BYTES + set.count * recordBytes(size);
  const spec = { place: { kind: "kept", path }, size } as const;
  try {
    const found = existing(path, header, bytes);
    if (found === "good") {
      const now = new Date();
      utimesSync(path, now, now);
      return spec;
    }
    if (found === "bad") {
      rmSync(path);
      onNote?.(`${path} is cut short or holds something else: its pictures are decoded again`);
    }
    mkdirSync(folder, { recursive: true });
    removeAbandoned(folder);
    const refused = makeRoom(folder, basename(path), bytes, budget);
    if (refused === undefined) {
      create(path, header, bytes);
      return spec;
    }
    onNote?.(`decoded pictures are not kept for the next run: ${refused}`);
  } catch (error) {
    onNote?.(`decoded pictures are not kept for the next run: ${(error as Error).message}`);
  }
  return undefined;
}

/** Its records: reads those that are whole, writes those that are not. */
export class KeptStore implements PictureStore {
  readonly #size: KeptSpec["size"];
  readonly #file: number | undefined;
  #isFull = false;

  constructor({ place, size }: KeptSpec) {
    this.#size = size;
    this.#file = openExisting(place.path);
  }

  get(row: number, take: (bytes: number) => Uint8Array): Picture | undefined {
    if (this.#file === undefined) return undefined;
    const [height, width] = this.#size;
    const at = HEADER_BYTES + row * recordBytes(this.#size);
    const digest = Buffer.alloc(DIGEST_BYTES);
    readSync(this.#file, digest, 0, DIGEST_BYTES, at);
    if (digest.equals(NOTHING)) return undefined;
    const pixels = take(height * width * 3);
    readSync(this.#file, pixels, 0, pixels.length, at + DIGEST_BYTES);
    return digestOf(pixels).equals(digest) ? { width, height, pixels } : undefined;
  }

  put(row: number, { pixels }: Picture): void {
    if (this.#file === undefined || this.#isFull) return;
    const at = HEADER_BYTES + row * recordBytes(this.#size);
    try {
      writeAll(this.#file, pixels, at + DIGEST_BYTES);
      writeAll(this.#file, digestOf(pixels), at);
    } catch {
      // A full disk is no reason to stop training.
      this.#isFull = true;
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }
}

/** Undefined where another process has just made room for its own: nothing is kept then. */
function openExisting(path: string): number | undefined {
  try {
    return openSync(path, "r+");
  } catch {
    return undefined;
  }
}

function recordBytes([height, width]: KeptSpec["size"]): number {
  return DIGEST_BYTES + height * width * 3;
}

function digestOf(pixels: Uint8Array): Buffer {
  return createHash("sha256").update(pixels).digest().subarray(0, DIGEST_BYTES);
}

/** Says what the file holds: of which files, in which state, brought to one size how. */
function headerOf(
  { count, files, stamps, pixelRange }: Parameters<typeof keptStore>[0],
  { size, interpolation, crop }: ImageFit,
): Buffer {
  const hash = createHash("sha256");
  for (let row = 0; row < count; row++) {
    // Of a known content the place does not matter.
    const stamp = stamps[row]!;
    hash.update(JSON.stringify(stamp.startsWith("sha256:") ? stamp : [files[row], stamp]));
  }
  // Two decoders of JPEG may differ by a grey level.
  const jpeg = turboJpeg() === undefined ? "sharp" : "libturbojpeg";
  const how = { size, interpolation, crop, jpeg, pixelRange };
  const holds = { thaw: "pictures 2", count, ...how, files: hash.digest("hex") };
  const header = Buffer.alloc(HEADER_BYTES, " ");
  header.write(JSON.stringify(holds));
  return header;
}

function existing(path: string, header: Buffer, bytes: number): "good" | "bad" | undefined {
  let file: number;
  try {
    file = openSync(path, "r+");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const own = Buffer.alloc(HEADER_BYTES);
    readSync(file, own, 0, HEADER_BYTES, 0);
    return own.equals(header) && statSync(path).size === bytes ? "good" : "bad";
  } finally {
    closeSync(file);
  }
}

/** One that is just being made counts as well: it takes its room at once. */
function isPictures(name: string): boolean {
  return (parseTemporary(name)?.of ?? name).endsWith(EXTENSION);
}

/** Removes the files longest unused until `bytes` more fit; why they cannot, in words. */
function makeRoom(folder: string, name: string, bytes: number, budget: number): string | undefined {
  const inWords = (size: number) => `${(size / 1e9).toFixed(1)} GB`;
  if (bytes > budget) return `${inWords(bytes)} are more than the ${inWords(budget)} for all`;
  const others = readdirSync(folder)
    .filter((other) => isPictures(other) && other !== name)
    .flatMap((other) => {
      const stat = statSync(join(folder, other), { throwIfNoEntry: false });
      return stat ? [{ path: join(folder, other), size: stat.size, used: stat.mtimeMs }] : [];
    })
    .sort((a, b) => a.used - b.used);
  let total = others.reduce((sum, { size }) => sum + size, bytes);
  for (const { path, size } of others) {
    if (total <= budget) break;
    rmSync(path, { force: true });
    total -= size;
  }
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  if (bytes > free / 2) return `${inWords(bytes)} are more than half of the free ${inWords(free)}`;
  return undefined;
}

/** Under its name only once it is whole: another process sees all of the header or no file. */
function create(path: string, header: Buffer, bytes: number): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = temporaryPath(path);
  try {
    const file = openSync(temporary, "wx");
    try {
      writeAll(file, header, 0);
      ftruncateSync(file, bytes);
    } finally {
      closeSync(file);
    }
    giveName(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Of two processes that come at once, both go on with the file of the first. */
function giveName(temporary: string, path: string): void {
  try {
    linkSync(temporary, path);
  } catch (error) {
    // A file system without links loses one process's pictures, no more.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") renameSync(temporary, path);
  }
}

function writeAll(file: number, bytes: Uint8Array, at: number): void {
  if (writeSync(file, bytes, 0, bytes.length, at) !== bytes.length) {
    throw new Error("the disk is full");
  }
}
