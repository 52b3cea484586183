import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromCell } from "../data/formats/spreadsheet.ts";
import { ThawError } from "../errors.ts";

/** What a model said of each test image. */
export interface Judgements {
  /** [N] file or index of each image. */
  readonly images: readonly string[];
  /** [N] indices into the given classes. */
  readonly labels: Int32Array;
  readonly predicted: Int32Array;
  /** [N] how sure it was of what it said: a probability where the model gives any. */
  readonly confidence: Float64Array;
}

/**
 * Reads a run's `predictions.csv`; undefined where there is none. The probabilities of the classes that were not said, most
 * of the file, are passed over: a report reads fifty of these.
 * @throws ThawError for a file that was cut or is not of these classes.
 */
export function readJudgements(dir: string, classes: readonly string[]): Judgements | undefined {
  const path = join(dir, "predictions.csv");
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, "utf8");
  if (!text.endsWith("\n")) throw new ThawError(`${path}: its last row is cut`);
  const head = /^(index|file),true,predicted,/.exec(text);
  if (head === null) throw new ThawError(`${path}: its columns are not index, true, predicted, …`);
  const index = new Map(classes.map((name, i) => [name, i]));
  const cells = new Cells(text);
  const column = new Map(cells.row().map((name, i) => [name, i]));
  const columns = classes.map((name) => column.get(`p(${name})`));
  const images: string[] = [];
  const labels: number[] = [];
  const predicted: number[] = [];
  const confidence: number[] = [];
  while (!cells.atEnd) {
    images.push(fromCell(cells.next()));
    const [label, said] = [cells.next(), cells.next()].map((cell) => index.get(fromCell(cell)));
    if (label === undefined || said === undefined) {
      throw new ThawError(
        `${path}: row ${images.length + 1} has a class that the run does not know`,
      );
    }
    labels.push(label);
    predicted.push(said);
    const sure = cells.number((columns[said] ?? Number.POSITIVE_INFINITY) - 3);
    if (!Number.isFinite(sure)) {
      throw new ThawError(`${path}: row ${images.length + 1} has no probability of what it says`);
    }
    confidence.push(sure);
    cells.skipRow();
  }
  return {
    images,
    labels: Int32Array.from(labels),
    predicted: Int32Array.from(predicted),
    confidence: Float64Array.from(confidence),
  };
}

/** Test images that the model is wrong about, the surest first. */
export function surestMistakes(
  { labels, predicted, confidence }: Judgements,
  most: number,
): number[] {
  return Array.from(labels, (_, i) => i)
    .filter((i) => labels[i] !== predicted[i])
    .sort((a, b) => confidence[b]! - confidence[a]! || a - b)
    .slice(0, most);
}

/** Walks over CSV without making a string of every cell. */
class Cells {
  readonly #text: string;
  #at = 0;
  /** The first quote from `#at` on: looked for again only when it was passed. */
  #quote = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** The next cell of this row; "" where the row has no more. */
  next(): string {
    const text = this.#text;
    if (text[this.#at] !== '"') {
      const start = this.#at;
      while (this.#at < text.length && text[this.#at] !== "," && text[this.#at] !== "\n")
        this.#at++;
      const cell = text.slice(start, this.#at);
      if (text[this.#at] === ",") this.#at++;
      return cell;
    }
    const start = ++this.#at;
    for (;;) {
      const quote = text.indexOf('"', this.#at);
      // A quote that is left open takes the rest of the file.
      if (quote === -1) {
        this.#at = text.length;
        return text.slice(start);
      }
      this.#at = quote + 1;
      if (text[this.#at] !== '"') break;
      this.#at++;
    }
    const cell = text.slice(start, this.#at - 1).replaceAll('""', '"');
    if (text[this.#at] === ",") this.#at++;
    return cell;
  }

  /** The cells of this row, to the row after it. */
  row(): string[] {
    const cells: string[] = [];
    for (;;) {
      cells.push(this.next());
      if (this.atEnd || this.#text[this.#at] === "\n") break;
    }
    this.skipRow();
    return cells;
  }

  /** The number `ahead` cells after this one, none of which has quotes; NaN where the row has no such cell. */
  number(ahead: number): number {
    const text = this.#text;
    const end = text.indexOf("\n", this.#at);
    let start = this.#at;
    for (let i = 0; i < ahead; i++) {
      start = text.indexOf(",", start) + 1;
      if (start === 0 || start > end) return Number.NaN;
    }
    const comma = text.indexOf(",", start);
    const cell = text.slice(start, comma === -1 || comma > end ? end : comma);
    return cell === "" ? Number.NaN : Number(cell);
  }

  /** To the row after this one; line breaks inside quotes do not end a row. */
  skipRow(): void {
    const text = this.#text;
    for (;;) {
      const end = text.indexOf("\n", this.#at);
      const quote = this.#nextQuote();
      if (quote === -1 || (end !== -1 && end < quote)) {
        this.#at = end === -1 ? text.length : end + 1;
        return;
      }
      this.#at = quote + 1;
      const close = text.indexOf('"', this.#at);
      this.#at = close === -1 ? text.length : close + 1;
    }
  }

  #nextQuote(): number {
    if (this.#quote !== -1 && this.#quote <= this.#at) {
      this.#quote = this.#text.indexOf('"', this.#at);
    }
    return this.#quote;
  }
}
