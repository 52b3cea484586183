import { readFileSync, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { UsageError } from "../../errors.ts";
import { type CsvRow, csvRows } from "../formats/csv.ts";
import { fromCell } from "../formats/spreadsheet.ts";
import { decodeText } from "../formats/text.ts";
import { type CsvOptions, findColumns, oneHotClass } from "./csv-columns.ts";
import { CsvPaths } from "./csv-paths.ts";
import { type ListedFile, type Listing, makeListing } from "./listing.ts";
import { knownSplits, splitOfWord } from "./split-names.ts";

/** Largest file, in bytes: more rows than anybody has images. */
const MAX_BYTES = 256 * 2 ** 20;

export interface CsvListOptions extends CsvOptions {
  /** False: rows whose image is not there are passed over. Default true. */
  readonly requireWhole?: boolean | undefined;
}

/**
 * Lists the images of a CSV: a header, then a row an image with its path, its label and, if need be, its split. It may be
 * in any encoding that `decodeText` reads, with commas, semicolons, tabs or bars between the fields; other columns are not
 * read. Paths are from the CSV's folder or a folder below it.
 * @throws UsageError that names the line of whatever is wrong.
 */
export function listCsv(
  file: string,
  { requireWhole = true, ...options }: CsvListOptions = {},
): Listing {
  const { text, notes } = readText(file);
  const rows = csvRows(...dialect(text, file));
  const header = rows.next().value?.fields ?? [];
  let next = rows.next();
  const columns = findColumns(file, header, next.value?.fields, options);
  const root = dirname(resolve(file));
  const name = basename(file).replace(/\.[ct]sv$/i, "");
  const paths = new CsvPaths(root, name, options.imageFolder);
  const lineOf = new Map<string, number>();
  const files: ListedFile[] = [];
  for (; !next.done; next = rows.next()) {
    const { line, fields }: CsvRow = next.value;
    const wrong = (what: string, hint?: string) =>
      new UsageError(`${file}: line ${line}: ${what}`, hint === undefined ? {} : { hint });
    const written = fields[columns.path]!;
    const className = labelOf(fields, columns.label, wrong);
    if (written.trim() === "" || className === "") throw wrong("a path and a label are required");
    const lost = [written, className].find((cell) => cell.includes("\ufffd"));
    if (lost !== undefined) {
      throw wrong(
        `${JSON.stringify(lost)} contains U+FFFD, which marks a lost character`,
        "export the CSV again as UTF-8, from a source with intact names",
      );
    }
    const found = paths.find(written, wrong);
    if (found === undefined) {
      if (requireWhole) throw paths.missing(written, wrong);
      continue;
    }
    const before = lineOf.get(found.path);
    if (before !== undefined) throw wrong(`${written} is already listed in line ${before}`);
    lineOf.set(found.path, line);
    const listed = { ...found, className };
    if (columns.split === undefined) {
      files.push(listed);
      continue;
    }
    const split = splitOfWord(fields[columns.split]!.trim());
    if (split === undefined) {
      const given = JSON.stringify(fields[columns.split]);
      throw wrong(`unknown split ${given}; allowed: ${knownSplits.join(", ")}`);
    }
    files.push({ ...listed, split });
  }
  if (files.length === 0) throw new UsageError(`${file}: lists no images`);
  const all = [...notes, ...columns.notes, ...paths.notes()];
  return makeListing({ name, root, files, passedOver: [], notes: all });
}

function labelOf(
  fields: readonly string[],
  label: ReturnType<typeof findColumns>["label"],
  wrong: (what: string, hint?: string) => UsageError,
): string {
  if (label.kind === "column") return fromCell(fields[label.at]!.trim());
  const found = oneHotClass(fields, label.columns);
  if ("className" in found) return found.className;
  throw wrong(found.wrong, "give each image one label, in the column named by --label-column");
}

function readText(file: string): ReturnType<typeof decodeText> {
  const { size } = statSync(file);
  if (size > MAX_BYTES) {
    throw new UsageError(`${file}: has ${size} bytes; at most ${MAX_BYTES} are read`, {
      hint: "remove the columns that are not needed, or split the file",
    });
  }
  const { text, notes } = decodeText(readFileSync(file), file);
  if (text.includes("\0")) throw new UsageError(`${file}: is not a CSV: it contains zero bytes`);
  return { text, notes };
}

const delimiters = [",", ";", "\t", "|"];

/** The arguments of `csvRows`: what stands between the fields of the first line, or what Excel's `sep=` says. */
function dialect(text: string, file: string): Parameters<typeof csvRows> {
  const said = /^\s*"?sep=([,;|\t])"?[ ]*(\r\n|\r|\n)/i.exec(text);
  // In place of the line, so that the others keep their numbers.
  const rest = said === null ? text : said[2] + text.slice(said[0].length);
  const first = /^\s*([^\r\n]*)/.exec(rest)![1]!.replaceAll(/"[^"]*"/g, "");
  const counts = delimiters.map((one) => first.split(one).length);
  const most = delimiters[counts.indexOf(Math.max(...counts))]!;
  return [rest, file, { delimiter: said?.[1] ?? most, isLoose: true }];
}
