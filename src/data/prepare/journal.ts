import {
  appendFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { temporaryPath } from "../../platform/temporary.ts";
import type { ListedFile } from "../folders/listing.ts";
import { statStamp } from "../folders/stamp.ts";
import { JOURNAL, type JournalHead } from "../folders/unfinished.ts";
import type { Examined } from "./examine.ts";

interface Line {
  readonly path: string;
  readonly stamp: string;
  readonly examined: Examined;
}

/**
 * What has been found out so far, a line a file: an interrupted run does not decode again. A line holds
 * for a file of the same path, size and time. The first line has the command that goes on. While the journal is there, the
 * folder is not taken for data.
 */
export class Journal {
  readonly #file: string;
  readonly #known = new Map<string, Line>();

  /** @throws what the file system says where it cannot be written. */
  constructor(folder: string, command?: string) {
    this.#file = join(folder, JOURNAL);
    const head = JSON.stringify({
      ...(command !== undefined && { command }),
    } satisfies JournalHead);
    const before = existsSync(this.#file) ? readFileSync(this.#file, "utf8") : "";
    for (const text of before.split("\n")) {
      const line = parseLine(text);
      if (line) this.#known.set(line.path, line);
    }
    if (before.startsWith(`${head}\n`)) {
      // A line that was cut off must not swallow the next one.
      appendFileSync(this.#file, "\n");
      return;
    }
    const temporary = temporaryPath(this.#file);
    try {
      writeFileSync(temporary, `${head}\n${before}\n`);
      renameSync(temporary, this.#file);
    } finally {
      rmSync(temporary, { force: true });
    }
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

/** Undefined for an empty line, one that was cut off and a head. */
function parseLine(text: string): Line | undefined {
  try {
    const line = JSON.parse(text) as Partial<Line>;
    return line.path === undefined ? undefined : (line as Line);
  } catch {
    return undefined;
  }
}
