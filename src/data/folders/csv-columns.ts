import { nearest, UsageError } from "../../errors.ts";
import { isImageName } from "./names.ts";
import { splitOfWord } from "./split-names.ts";

/** Which columns of a CSV mean what, where their names do not say so. */
export interface CsvOptions {
  readonly pathColumn?: string | undefined;
  readonly labelColumn?: string | undefined;
  readonly splitColumn?: string | undefined;
  /** Folder that the paths are from, from the CSV's own or from the working directory. */
  readonly imageFolder?: string | undefined;
}

/** The options that are given among other keys; undefined where none is. */
export function csvOptionsOf({
  pathColumn,
  labelColumn,
  splitColumn,
  imageFolder,
}: CsvOptions): CsvOptions | undefined {
  const options = { pathColumn, labelColumn, splitColumn, imageFolder };
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return given.length === 0 ? undefined : Object.fromEntries(given);
}

export interface Columns {
  readonly path: number;
  readonly label:
    | { readonly kind: "column"; readonly at: number }
    /** A column for each class, 1 in that of the image's own. */
    | { readonly kind: "one-hot"; readonly columns: readonly { name: string; at: number }[] };
  readonly split: number | undefined;
  readonly notes: readonly string[];
}

/** In the order of preference; without blanks, dashes and underscores. */
const pathNames = [
  ...["path", "filepath", "imagepath", "imgpath", "filename", "file", "fname"],
  ...["imagefile", "imagefilename", "imagename", "imgname", "image", "img"],
  ...["imageid", "imgid", "idcode", "id"],
];
const labelNames = [
  ...["label", "class", "category", "target", "labels"],
  ...["classname", "labelname", "categoryname", "classid", "labelid", "categoryid"],
  // Thaw's predictions.csv.
  "true",
];
const splitColumns = ["split", "subset", "partition"];

const folded = (name: string) => name.toLowerCase().replaceAll(/[\s_-]/g, "");

/**
 * Finds the columns of paths, labels and splits by the options, else by the names that people give them.
 * @param first The first row below the header, where there is one.
 * @throws UsageError where a column is missing, is there twice, or could be two.
 */
export function findColumns(
  file: string,
  header: readonly string[],
  first: readonly string[] | undefined,
  options: CsvOptions,
): Columns {
  const names = header.map(folded);
  const finder = new Finder(file, header, names);
  const path =
    finder.given("--path-column", options.pathColumn) ??
    finder.only(pathNames.find((name) => names.includes(name)));
  if (path === undefined) throw finder.withoutPath();
  const split =
    finder.given("--split-column", options.splitColumn) ??
    finder.only(
      splitColumns.find((name) => {
        const value = first?.[names.indexOf(name)];
        return name === "split" ? names.includes(name) : value && splitOfWord(value) !== undefined;
      }),
    );
  const label = finder.given("--label-column", options.labelColumn) ?? finder.label(path, split);
  const notes: string[] = [];
  if (label !== undefined) {
    const isUsual = names[path] === "path" && names[label] === "label";
    if (!isUsual && (options.pathColumn === undefined || options.labelColumn === undefined)) {
      notes.push(
        `paths are in the column ${quoted(header[path]!)}, labels in ${quoted(header[label]!)}`,
      );
    }
    return { path, label: { kind: "column", at: label }, split, notes };
  }
  const columns = header.flatMap((name, at) =>
    at !== path && at !== split && isFlag(first?.[at]) ? [{ name, at }] : [],
  );
  if (columns.length < 2) throw finder.withoutLabel();
  const twice = columns.find(({ name }, i) => columns.findIndex((c) => c.name === name) !== i);
  if (twice !== undefined) throw finder.twice(twice.name);
  const classes = columns.map(({ name }) => name).join(", ");
  notes.push(`labels are one-hot: the column that is 1, of ${classes}`);
  return { path, label: { kind: "one-hot", columns }, split, notes };
}

/** The class of a row with a column for each, or what is wrong. */
export function oneHotClass(
  row: readonly string[],
  columns: readonly { readonly name: string; readonly at: number }[],
): { readonly className: string } | { readonly wrong: string } {
  const odd = columns.find(({ at }) => !isFlag(row[at]));
  if (odd !== undefined) {
    return {
      wrong: `${quoted(row[odd.at]!)} in the column ${quoted(odd.name)} is neither 0 nor 1`,
    };
  }
  const ones = columns.filter(({ at }) => Number(row[at]) === 1).map(({ name }) => name);
  if (ones.length === 1) return { className: ones[0]! };
  const of = columns.map(({ name }) => name).join(", ");
  return {
    wrong:
      ones.length === 0
        ? `none of the columns ${of} is 1, so the image has no class`
        : `${ones.join(" and ")} are both 1, but an image can have only one class`,
  };
}

function isFlag(cell: string | undefined): boolean {
  return cell !== undefined && /^[01](\.0+)?$/.test(cell);
}

class Finder {
  readonly #file: string;
  readonly #header: readonly string[];
  readonly #names: readonly string[];

  constructor(file: string, header: readonly string[], names: readonly string[]) {
    this.#file = file;
    this.#header = header;
    this.#names = names;
  }

  /** The column that a flag names, by its exact name or else by one that is like it. */
  given(flag: string, name: string | undefined): number | undefined {
    if (name === undefined) return undefined;
    const exact = this.#header.indexOf(name.trim());
    if (exact >= 0 && this.#header.lastIndexOf(name.trim()) === exact) return exact;
    const like = this.only(this.#names.find((own) => own === folded(name)));
    if (like !== undefined) return like;
    const near = nearest(name, this.#header);
    throw new UsageError(`${flag}: ${this.#file} has no column ${quoted(name)}`, {
      hint: `${near === undefined ? "" : `did you mean ${quoted(near)}? `}its columns are ${this.#listed()}`,
    });
  }

  /** The column of a folded name. */
  only(name: string | undefined): number | undefined {
    if (name === undefined) return undefined;
    const at = this.#names.indexOf(name);
    if (this.#names.lastIndexOf(name) !== at) throw this.twice(this.#header[at]!);
    return at;
  }

  label(path: number, split: number | undefined): number | undefined {
    const known = [...new Set(this.#names.filter((name) => labelNames.includes(name)))];
    if (known.length > 1 && !known.includes("label")) {
      const columns = known.map((name) => quoted(this.#header[this.#names.indexOf(name)]!));
      throw new UsageError(`${this.#file}: the labels could be in ${columns.join(" or ")}`, {
        hint: `choose with --label-column ${this.#header[this.#names.indexOf(known[0]!)]}`,
      });
    }
    const label = this.only(known.includes("label") ? "label" : known[0]);
    if (label !== undefined) return label;
    // Of two columns the other one.
    const others = this.#header.flatMap((_, at) => (at === path || at === split ? [] : [at]));
    return others.length === 1 ? others[0] : undefined;
  }

  withoutPath(): UsageError {
    const looksLikeData = this.#header.some((cell) => isImageName(cell));
    return new UsageError(this.#first(), {
      hint: looksLikeData
        ? "the first row is an image, not a header: add the line path,label above it"
        : "expected: path,label or path,label,split, then one row per image; for other column names use --path-column and --label-column",
    });
  }

  withoutLabel(): UsageError {
    return new UsageError(`${this.#first()}, in which no column is recognised as the labels`, {
      hint: "call it label or class, or name it with --label-column",
    });
  }

  twice(name: string): UsageError {
    const at = this.#names.flatMap((own, i) => (own === folded(name) ? [i + 1] : []));
    return new UsageError(
      `${this.#file}: the column ${quoted(name)} appears twice (columns ${at.join(" and ")})`,
      { hint: "remove or rename one of them" },
    );
  }

  #first(): string {
    return `${this.#file}: its first row is ${quoted(this.#header.join(","))}`;
  }

  #listed(): string {
    return this.#header.map(quoted).join(", ");
  }
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
