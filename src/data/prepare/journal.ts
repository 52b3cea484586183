import { appendFileSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ListedFile } from "../folders/listing.ts";
import { statStamp } from "../folders/stamp.ts";
import type { Examined } from "./examine.ts";

export const JOURNAL = ".thaw-prepare.jsonl";

interface Line {
  readonly path: string;
  readonly stamp: string;
  readonly examined: Examined;
}

/**
 * What has been found out so far, a line a file: an interrupted run does not decode again. A line holds
 * for a file of the same path, size and time.
 */
export class Journal {
  readonly #file: string;
  readonly #known = new Map<string, Line>();

  /** @throws what the file system says where it cannot be written. */
  constructor(folder: string) {
    this.#file = join(folder, JOURNAL);
    appendFileSync(this.#file, "");
    for (const text of readFileSync(this.#file, "utf8").split("\n")) {
      const line = parseLine(text);
      if (line) this.#known.set(line.path, line);
    }
    // A line that was cut off must not swallow the next one.
    appendFileSync(this.#file, "\n");
  }

  find({ path }: Pick<ListedFile, "path">): Examined | undefined {
    const line = this.#known.get(path);
    return line !== undefined && line.stamp === statStamp(path) ? line.examined : undefined;
  }

  add(path: string, stamp: string, examined: Examined): void {
    appendFileSync(this.#file, `${JSON.stringify({ path, stamp, examined } satisfies Line)}\n`);
  }

  remove(): void {
    rmSync(this.#file, { force: true });
  }
}

/** Undefined for an empty line and one that was cut off. */
function parseLine(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return undefined;
  }
}
