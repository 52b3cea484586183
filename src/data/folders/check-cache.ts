import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { writeDurably } from "../../platform/durable.ts";
import { turboJpeg } from "../../tensor/index.ts";
import type { PixelRange } from "../images/decode.ts";
import { type GoodFile, goodFileSchema } from "./check-file.ts";

const lineSchema = z.tuple([z.string(), z.string(), goodFileSchema]);

/** More text is not read: the files are looked at again. */
const MOST_BYTES = 256 * 2 ** 20;

/**
 * Files that were found good, by path, size and time, a line each. One cache for a folder of images. Damaged ones are not in
 * it: they are few, and what was wrong with them may have been the disk.
 */
export class CheckCache {
  readonly #file: string;
  readonly #known = new Map<string, readonly [stamp: string, good: GoodFile]>();
  #lines = 0;
  #pending: string[] = [];

  /** @param folder Of all such caches. @param root The images' own folder. */
  constructor(folder: string, root: string, pixelRange: PixelRange | undefined) {
    // A range, and which decoder there is, decides what can be decoded.
    const key = JSON.stringify([1, root, pixelRange ?? null, turboJpeg() === undefined]);
    const name = createHash("sha256").update(key).digest("hex").slice(0, 32);
    this.#file = join(folder, `${name}.jsonl`);
    for (const line of readLines(this.#file)) {
      const [path, stamp, good] = line;
      this.#known.set(path, [stamp, good]);
      this.#lines++;
    }
  }

  find(path: string, stamp: string): GoodFile | undefined {
    const known = this.#known.get(path);
    return known?.[0] === stamp ? known[1] : undefined;
  }

  add(path: string, stamp: string, good: GoodFile): void {
    this.#known.set(path, [stamp, good]);
    this.#pending.push(lineOf(path, stamp, good));
    // What an interrupted check has found is not looked at again.
    if (this.#pending.length >= 500) this.save();
  }

  /** Without a cache only the next start is slower: nothing is said where it cannot be written. */
  save(): void {
    if (this.#pending.length === 0) return;
    const text = this.#pending.join("");
    this.#lines += this.#pending.length;
    this.#pending = [];
    try {
      mkdirSync(dirname(this.#file), { recursive: true });
      if (this.#lines <= 2 * this.#known.size + 1000) {
        // A line that was cut off must not swallow the next one.
        appendFileSync(this.#file, `\n${text}`);
        return;
      }
      const all = Array.from(this.#known, ([path, [stamp, good]]) => lineOf(path, stamp, good));
      writeDurably(this.#file, all.join(""));
      this.#lines = all.length;
    } catch {}
  }
}

function lineOf(path: string, stamp: string, good: GoodFile): string {
  return `${JSON.stringify([path, stamp, good] satisfies z.input<typeof lineSchema>)}\n`;
}

function* readLines(file: string): Generator<z.output<typeof lineSchema>> {
  let text: string;
  try {
    const bytes = readFileSync(file);
    if (bytes.length > MOST_BYTES) return;
    text = bytes.toString("utf8");
  } catch {
    return;
  }
  for (const line of text.split("\n")) {
    if (line === "") continue;
    try {
      const parsed = lineSchema.safeParse(JSON.parse(line));
      if (parsed.success) yield parsed.data;
    } catch {
      // Cut off, or another program's.
    }
  }
}
