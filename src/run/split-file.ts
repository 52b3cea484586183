import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ofEach, type RecordedSplit, splitNames } from "../data/recorded.ts";
import { ThawError } from "../errors.ts";
import { writeDurably } from "../platform/durable.ts";
import { runPlace } from "./run-place.ts";

/*
 * `split.json` in a run's folder: which image was for training, validation and test. Of images in files one line each:
 * name below the data's root, class, sha256. Of a built-in data set the digest of the whole, and rows as ranges.
 */
const FILE = "split.json";
const FORMAT = "thaw split 1";

const splitName = z.enum(splitNames);
const each = <T extends z.ZodType>(of: T) => z.object({ train: of, val: of, test: of });
const base = {
  format: z.literal(FORMAT),
  fingerprint: z.string(),
  classes: z.array(z.string()),
  leftOut: z.array(z.object({ split: splitName, file: z.string(), why: z.string() })),
};
const image = z.tuple([z.string(), z.int().min(0), z.string().regex(/^[0-9a-f]{64}$/)]);
const schema = z.discriminatedUnion("kind", [
  z.object({
    ...base,
    kind: z.literal("rows"),
    content: z.string(),
    splits: each(z.object({ of: splitName, rows: z.string() })),
  }),
  z.object({
    ...base,
    kind: z.literal("files"),
    channels: z.int().min(1).nullable(),
    listed: z.int().min(0),
    splits: each(z.array(image)),
  }),
  z.object({
    ...base,
    kind: z.literal("given"),
    splits: each(z.object({ count: z.int(), images: z.string() })),
  }),
]);
type Parsed = z.infer<typeof schema>;

/** Writes a run's split into its folder, durably. */
export function writeSplit(dir: string, split: RecordedSplit): void {
  writeDurably(join(dir, FILE), toText(split), runPlace);
}

/**
 * The split that a run keeps; undefined for a run of an older version, which kept none.
 * @throws ThawError for a file that is damaged or of a newer version.
 */
export function readSplit(dir: string): RecordedSplit | undefined {
  const path = join(dir, FILE);
  if (!existsSync(path)) return undefined;
  const refuse = (what: string, cause?: unknown) =>
    new ThawError(`${path}: ${what}`, {
      hint: "the file was changed, or written by another version of Thaw: restore the original",
      cause,
    });
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw refuse((cause as Error).message, cause);
  }
  const format = (value as { format?: unknown } | null)?.format;
  if (format !== FORMAT) throw refuse(`its format is ${JSON.stringify(format)}, not "${FORMAT}"`);
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const { path: at, message } = parsed.error.issues[0]!;
    throw refuse(`${at.join(".")}: ${message}`);
  }
  const split = fromDocument(parsed.data, refuse);
  if (split.kind === "files") {
    const outside = splitNames
      .flatMap((name) => split.splits[name])
      .find(({ label }) => label >= split.classes.length);
    if (outside !== undefined) throw refuse(`${outside.file} has a class that is not listed`);
  }
  return split;
}

/** JSON; of images in files with a line for each, which a person can search and compare. */
function toText(split: RecordedSplit): string {
  const { kind, fingerprint, classes, leftOut } = split;
  const shared = { format: FORMAT, kind, fingerprint, classes, leftOut };
  const plain = (value: unknown) => JSON.stringify(value, null, 2);
  if (split.kind === "given") return `${plain({ ...shared, splits: split.splits })}\n`;
  if (split.kind === "rows") {
    const splits = ofEach((name) => {
      const { of, rows } = split.splits[name];
      return { of, rows: toRanges(rows) };
    });
    return `${plain({ ...shared, content: split.content, splits })}\n`;
  }
  const { channels, listed } = split;
  const head = plain({ ...shared, channels, listed }).slice(0, -2);
  const parts = splitNames.map((name) => {
    const lines = split.splits[name].map(
      ({ file, label, sha256 }) => `\n      ${JSON.stringify([file, label, sha256])}`,
    );
    return `    "${name}": [${lines.join(",")}${lines.length > 0 ? "\n    " : ""}]`;
  });
  return `${head},\n  "splits": {\n${parts.join(",\n")}\n  }\n}\n`;
}

function fromDocument(document: Parsed, refuse: (what: string) => ThawError): RecordedSplit {
  const { format: _, ...rest } = document;
  if (rest.kind === "given") return rest;
  if (rest.kind === "rows") {
    const splits = ofEach((name) => {
      const { of, rows } = rest.splits[name];
      const parsed = fromRanges(rows);
      if (parsed === undefined) throw refuse(`splits.${name}.rows is not a list of ranges`);
      return { of, rows: parsed };
    });
    return { ...rest, splits };
  }
  const splits = ofEach((name) =>
    rest.splits[name].map(([file, label, sha256]) => ({ file, label, sha256 })),
  );
  return { ...rest, splits };
}

/** Rows as `0-9,12,20-25`; their order counts, and splits are ascending. */
function toRanges(rows: Int32Array): string {
  const parts: string[] = [];
  for (let i = 0; i < rows.length; ) {
    const first = rows[i]!;
    let last = first;
    for (i++; i < rows.length && rows[i] === last + 1; i++) last++;
    parts.push(last === first ? `${first}` : `${first}-${last}`);
  }
  return parts.join(",");
}

/** More rows than any data set in memory has. */
const MOST_ROWS = 1e8;

function fromRanges(text: string): Int32Array | undefined {
  if (text === "") return new Int32Array();
  const ranges: [number, number][] = [];
  let count = 0;
  for (const part of text.split(",")) {
    const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part);
    if (match === null) return undefined;
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    count += last - first + 1;
    if (last < first || count > MOST_ROWS) return undefined;
    ranges.push([first, last]);
  }
  const rows = new Int32Array(count);
  let at = 0;
  for (const [first, last] of ranges) for (let row = first; row <= last; row++) rows[at++] = row;
  return rows;
}
