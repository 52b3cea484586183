import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { removeAbandoned } from "../../platform/temporary.ts";
import type { Picture } from "../images/picture.ts";

/** What the threads share: plain data, so that it can be sent to a worker. */
export interface StoreSpec {
  /** [0]: the next free place; then of every row its place + 1 (0: none), width and height. */
  readonly index: Int32Array<SharedArrayBuffer>;
  /** The most that is kept, in bytes. */
  readonly capacity: number;
  readonly place:
    | { readonly kind: "memory"; readonly pixels: SharedArrayBuffer }
    | { readonly kind: "file"; readonly path: string };
}

/** Pictures by row that any thread may put in and take out. */
export interface PictureStore {
  /** The picture of a row, in memory that `take` gives; undefined where it is not kept. */
  get(row: number, take: (bytes: number) => Uint8Array): Picture | undefined;
  put(row: number, picture: Picture): void;
  close(): void;
}

/** Places are counted in blocks, so that an int32 reaches 128 GiB. */
const BLOCK = 64;

/** Room for `count` pictures of `bytes` in all; in `file` where that is given, else in memory. */
export function newStore(count: number, bytes: number, file?: string): StoreSpec {
  const capacity = Math.ceil(bytes / BLOCK) * BLOCK + count * BLOCK;
  const index = new Int32Array(new SharedArrayBuffer(4 * (1 + 3 * count)));
  if (file === undefined) {
    const place = { kind: "memory", pixels: new SharedArrayBuffer(capacity) } as const;
    return { index, capacity, place };
  }
  mkdirSync(dirname(file), { recursive: true });
  removeAbandoned(dirname(file));
  closeSync(openSync(file, "w"));
  return { index, capacity, place: { kind: "file", path: file } };
}

/** Ends a store; threads must have closed theirs. */
export function removeStore({ place }: StoreSpec): void {
  if (place.kind === "file") rmSync(place.path, { force: true });
}

/**
 * Decoded pictures of this run, of any size. What is full or cannot be written keeps nothing more: the
 * files are still there.
 */
export class PixelStore implements PictureStore {
  readonly #spec: StoreSpec;
  readonly #memory: Uint8Array | undefined;
  readonly #file: number | undefined;
  #isFull = false;

  constructor(spec: StoreSpec) {
    this.#spec = spec;
    const { place } = spec;
    this.#memory = place.kind === "memory" ? new Uint8Array(place.pixels) : undefined;
    this.#file = place.kind === "file" ? openSync(place.path, "r+") : undefined;
  }

  get(row: number, take: (bytes: number) => Uint8Array): Picture | undefined {
    const { index } = this.#spec;
    const place = Atomics.load(index, 1 + 3 * row);
    if (place === 0) return undefined;
    const [width, height] = [index[2 + 3 * row]!, index[3 + 3 * row]!];
    const pixels = take(width * height * 3);
    const from = (place - 1) * BLOCK;
    if (this.#memory) pixels.set(this.#memory.subarray(from, from + pixels.length));
    else if (readSync(this.#file!, pixels, 0, pixels.length, from) !== pixels.length) {
      return undefined;
    }
    return { width, height, pixels };
  }

  put(row: number, { width, height, pixels }: Picture): void {
    const { index, capacity } = this.#spec;
    if (this.#isFull || Atomics.load(index, 1 + 3 * row) !== 0) return;
    const blocks = Math.ceil(pixels.length / BLOCK);
    const place = Atomics.add(index, 0, blocks);
    if ((place + blocks) * BLOCK > capacity) {
      this.#isFull = true;
      return;
    }
    if (this.#memory) this.#memory.set(pixels, place * BLOCK);
    else if (!this.#write(pixels, place * BLOCK)) return;
    index[2 + 3 * row] = width;
    index[3 + 3 * row] = height;
    // Last: whoever sees the place sees the pixels too.
    Atomics.store(index, 1 + 3 * row, place + 1);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }

  #write(pixels: Uint8Array, at: number): boolean {
    try {
      this.#isFull = writeSync(this.#file!, pixels, 0, pixels.length, at) !== pixels.length;
    } catch {
      // A full disk is no reason to stop training.
      this.#isFull = true;
    }
    return !this.#isFull;
  }
}
