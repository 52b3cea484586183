import { readFileSync } from "node:fs";
import { parseJson } from "../platform/json.ts";

/** What a JSON file holds; undefined where there is none, or none that can be read: of files that only help, or are made anew. */
export function jsonFile(path: string): unknown {
  try {
    return parseJson(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
