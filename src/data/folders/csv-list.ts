import { readFileSync, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { UsageError } from "../../errors.ts";
import { parseCsv } from "../formats/csv.ts";
import { type ListedFile, type Listing, makeListing, type SplitName } from "./listing.ts";

const splitNames: ReadonlyMap<string, SplitName> = new Map([
  ["train", "train"],
  ["val", "val"],
  ["valid", "val"],
  ["validation", "val"],
  ["test", "test"],
]);

/**
 * Lists the images of a CSV whose first row is `path,label` or `path,label,split` (in any order, other
 * columns are not read). Paths are from the CSV's folder.
 * @throws UsageError that names the line of whatever is wrong.
 */
export function listCsv(file: string): Listing {
  const rows = parseCsv(readText(file), file);
  const header = (rows[0] ?? []).map((field) => field.trim().toLowerCase());
  const [pathAt, labelAt, splitAt] = ["path", "label", "split"].map((name) => header.indexOf(name));
  if (pathAt! < 0 || labelAt! < 0) {
    throw new UsageError(`${file}: its first row is ${JSON.stringify(rows[0]?.join(",") ?? "")}`, {
      hint: "wanted: path,label or path,label,split, then a row for each image",
    });
  }
  const root = dirname(resolve(file));
  const lineOf = new Map<string, number>();
  const files = rows.slice(1).map((row, i): ListedFile => {
    const line = i + 2;
    const [name, className] = [row[pathAt!]!.trim(), row[labelAt!]!.trim()];
    const path = resolve(root, name);
    const wrong = (what: string, hint?: string) =>
      new UsageError(`${file}: line ${line}: ${what}`, hint === undefined ? {} : { hint });
    if (name === "" || className === "") throw wrong("a path and a label are wanted");
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
      throw wrong(`there is no file ${path}`, "paths are from the CSV's own folder");
    }
    const before = lineOf.get(path);
    if (before !== undefined) throw wrong(`${name} stands in line ${before} already`);
    lineOf.set(path, line);
    if (splitAt! < 0) return { path, name, className };
    const split = splitNames.get(row[splitAt!]!.trim().toLowerCase());
    if (split === undefined) {
      const allowed = [...splitNames.keys()].join(", ");
      throw wrong(`the split ${JSON.stringify(row[splitAt!])} is none of ${allowed}`);
    }
    return { path, name, className, split };
  });
  if (files.length === 0) throw new UsageError(`${file}: lists no images`);
  const name = basename(file).replace(/\.csv$/i, "");
  return makeListing({ name, root, files, passedOver: [], notes: [] });
}

function readText(file: string): string {
  // Excel puts a byte order mark in front.
  const text = readFileSync(file, "utf8").replace(/^\ufeff/, "");
  if (text.includes("\0")) throw new UsageError(`${file}: is no CSV: it holds zero bytes`);
  return text;
}
