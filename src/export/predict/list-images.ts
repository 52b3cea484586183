import { type Dir, type Dirent, opendirSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { kindOfFile } from "../../data/folders/image-files.ts";
import { isHidden, isImageName } from "../../data/folders/names.ts";
import { UsageError } from "../../errors.ts";
import { type PictureBytes, readStandardInput } from "./standard-input.ts";

/**
 * Images, one after the other: paths of files as they are named, of folders with all that is inside, and for `-` of the lines
 * of `stdin`, or the one image that `stdin` is. Of a folder no more is held than the entries on the way to the current one, however many there are; its
 * images come in the order in which the system keeps them.
 * @throws UsageError for a name that is neither file nor folder.
 */
export async function* listImages(
  names: readonly string[],
  stdin: Readable,
  onNote?: (text: string) => void,
): AsyncGenerator<string | PictureBytes> {
  for (const name of names) {
    if (name !== "-") {
      yield* listOne(name);
      continue;
    }
    const input = await readStandardInput(stdin, onNote);
    if ("bytes" in input) {
      yield input;
      continue;
    }
    for await (const line of createInterface({
      input,
      crlfDelay: Number.POSITIVE_INFINITY,
    })) {
      if (line !== "") yield* listOne(line, true);
    }
  }
}

function* listOne(name: string, isLine = false): Generator<string> {
  const found = statOf(name);
  if (found?.isDirectory()) yield* walk(name);
  // A line that names nothing is told when it is opened, and the others go on.
  else if (found !== undefined || isLine) yield name;
  else throw new UsageError(`${name}: there is no such file or folder`);
}

/** Undefined for what is not there or cannot be a name: of a thousand lines one may be anything. */
function statOf(name: string): Stats | undefined {
  try {
    return statSync(name);
  } catch {
    return undefined;
  }
}

function* walk(folder: string): Generator<string> {
  const entries = opened(folder);
  // Told when it is read as a picture, and the others go on.
  if (entries === undefined) return yield folder;
  try {
    for (;;) {
      const entry = nextOf(entries);
      // What is left of it is not to be had; told too.
      if (entry === undefined) return yield folder;
      if (entry === null) return;
      if (isHidden(entry.name)) continue;
      const path = join(folder, entry.name);
      // A link to a folder may lead back here.
      if (entry.isDirectory()) yield* walk(path);
      else if (isImage(path, entry)) yield path;
    }
  } finally {
    entries.closeSync();
  }
}

/** By its name; of a regular file with another name by its first bytes. */
function isImage(path: string, entry: Dirent): boolean {
  return (
    isImageName(entry.name) || (entry.isFile() && kindOfFile(path, entry.name).kind === "image")
  );
}

/** Undefined where the folder cannot be read on, as on a network that is gone. */
function nextOf(entries: Dir): Dirent | null | undefined {
  try {
    return entries.readSync();
  } catch {
    return undefined;
  }
}

function opened(folder: string): Dir | undefined {
  try {
    return opendirSync(folder);
  } catch {
    return undefined;
  }
}
