import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync } from "node:fs";
import { ThawError } from "../errors.ts";
import { parseJson } from "../platform/json.ts";

/**
 * The complete lines of a JSONL file. A last line without newline was cut by a kill and is left out.
 * @throws ThawError that names file and line where a complete line is not JSON.
 */
export function readLines(path: string): unknown[] {
  const texts = readFileSync(path, "utf8").split("\n");
  // Behind the last newline: nothing, or what was cut.
  texts.pop();
  return texts.map((text, i) => {
    const value = tryParse(text);
    if (value !== undefined) return value;
    throw new ThawError(`${path}:${i + 1}: not JSON: ${text.slice(0, 80)}`, {
      hint: "The file was changed or damaged; remove the line, or train the run again.",
    });
  });
}

/**
 * Cuts the file before the first line that is torn, is not JSON or that `keep` refuses. The bytes before the cut are not
 * touched, so that a kill during it loses nothing. Returns what is left; a missing file is an empty one.
 */
export function truncateLines(path: string, keep: (value: unknown) => boolean): unknown[] {
  if (!existsSync(path)) return [];
  const kept: unknown[] = [];
  let end = 0;
  for (const line of completeLines(path)) {
    const value = tryParse(line.text);
    if (value === undefined || !keep(value)) break;
    kept.push(value);
    end = line.end;
  }
  const fd = openSync(path, "r+");
  try {
    ftruncateSync(fd, end);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  return kept;
}

function* completeLines(path: string): Generator<{ readonly text: string; readonly end: number }> {
  const bytes = readFileSync(path);
  let start = 0;
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, start)) {
    const text = bytes.toString("utf8", start, at);
    start = at + 1;
    yield { text, end: start };
  }
}

function tryParse(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
