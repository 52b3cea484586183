import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { CsvOptions } from "../folders/csv-columns.ts";
import type { SplitShares } from "./assign.ts";

/** What a `thaw data prepare` was asked for. */
export interface PrepareRequest {
  readonly source: string;
  readonly out: string;
  readonly classes?: readonly string[] | undefined;
  readonly mirror?: string | undefined;
  /** Which columns of a CSV mean what. */
  readonly csv?: CsvOptions | undefined;
  readonly split?: SplitShares | undefined;
  readonly seed: number;
  readonly minSize: number;
  readonly overwrite?: boolean | undefined;
}

/** The shell command that asks for the same from any folder. */
export function prepareCommand(request: PrepareRequest): string {
  const { source, out, classes, mirror, csv = {}, split, seed, minSize, overwrite } = request;
  // The name of a built-in data set or an address is no path.
  const place = (path: string) => (existsSync(path) ? resolve(path) : path);
  const words = ["thaw", "data", "prepare", place(source), "--out", resolve(out)];
  if (classes !== undefined) words.push("--classes", classes.join(","));
  const { pathColumn, labelColumn, splitColumn, imageFolder } = csv;
  if (pathColumn !== undefined) words.push("--path-column", pathColumn);
  if (labelColumn !== undefined) words.push("--label-column", labelColumn);
  if (splitColumn !== undefined) words.push("--split-column", splitColumn);
  if (imageFolder !== undefined) words.push("--image-folder", place(imageFolder));
  if (mirror !== undefined) words.push("--mirror", place(mirror));
  if (split !== undefined) words.push("--split", split.join("/"));
  words.push("--seed", String(seed), "--min-size", String(minSize));
  if (overwrite) words.push("--overwrite");
  return words.map(quoted).join(" ");
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
