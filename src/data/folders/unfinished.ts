import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ThawError } from "../../errors.ts";

/** Lies in a folder while `thaw data prepare` works on it. Its first line has the command that goes on. */
export const JOURNAL = ".thaw-prepare.jsonl";

/** A journal's first line. */
export interface JournalHead {
  /** The command to enter in a shell. */
  readonly command?: string;
}

/** How far above a folder a journal is looked for: one may be asked for `prepared/train/cat`. */
const LEVELS = 2;

/**
 * @throws ThawError with the command that goes on, for a folder in which `thaw data prepare` was interrupted or is still
 * at work, and for folders inside it.
 */
export function refuseUnfinished(folder: string, shown = folder): void {
  let outer = folder;
  for (let level = 0; level <= LEVELS; level++, outer = dirname(outer)) {
    const journal = join(outer, JOURNAL);
    if (!existsSync(journal)) continue;
    const where = outer === folder ? shown : outer;
    const command = commandIn(journal);
    throw new ThawError(
      `${where}: \`thaw data prepare\` has not finished here: images are missing`,
      {
        hint:
          command === undefined
            ? `run the same \`thaw data prepare … --out ${outer}\` again: it continues where it stopped`
            : `continue with \`${command}\``,
      },
    );
  }
}

function commandIn(journal: string): string | undefined {
  try {
    const text = readFileSync(journal, "utf8");
    const { command } = JSON.parse(text.slice(0, text.indexOf("\n"))) as JournalHead;
    return typeof command === "string" ? command : undefined;
  } catch {
    return undefined;
  }
}
