import { ThawError, UsageError } from "../../errors.ts";

/** RFC 4180 with LF, as pandas writes it: fields with a comma, quote, line break or outer blank are quoted. */
export function formatCsv(rows: Iterable<readonly (string | number)[]>): string {
  let text = "";
  for (const row of rows) text += `${row.map(formatField).join(",")}\n`;
  return text;
}

/**
 * Reads what `formatCsv` wrote.
 * @throws ThawError that names the line where a quote is left open, rows differ in length, or a field is too long.
 */
export function parseCsv(text: string, name: string): string[][] {
  return Array.from(csvRows(text, name, { delimiter: "," }), ({ fields }) => fields);
}

export interface CsvRow {
  /** Of its first letter, from 1. */
  readonly line: number;
  readonly fields: string[];
}

export interface CsvDialect {
  /** One letter. */
  readonly delimiter: string;
  /**
   * As people and spreadsheets write: blanks around fields and quotes, blank lines and empty fields at a row's end are
   * nothing, and a quote within a field is a letter.
   */
  readonly isLoose?: boolean;
}

/** Longest field, in letters. One open quote would make a field of the rest of the file. */
const MAX_FIELD = 2 ** 16;
const MAX_COLUMNS = 100_000;

/**
 * The rows of a CSV, of as many fields as the first one, one after the other. Lines end with LF, CRLF or CR.
 * @throws ThawError, for a loose CSV UsageError, that names the line of what is no CSV.
 */
export function* csvRows(
  text: string,
  name: string,
  { delimiter, isLoose = false }: CsvDialect,
): Generator<CsvRow> {
  const special = delimiter === "\t" ? "\\t" : `\\${delimiter}`;
  const plain = new RegExp(isLoose ? `[^${special}\\r\\n]*` : `[^"${special}\\r\\n]*`, "y");
  const blanks = delimiter === "\t" ? / */y : /[ \t]*/y;
  const skip = (pattern: RegExp, from: number) => {
    pattern.lastIndex = from;
    pattern.test(text);
    return pattern.lastIndex;
  };
  const Wrong = isLoose ? UsageError : ThawError;
  let at = 0;
  let line = 1;
  let width: number | undefined;
  while (at < text.length) {
    const row: CsvRow = { line, fields: [] };
    const wrong = (what: string) => new Wrong(`${name}: line ${line}: ${what}`);
    for (;;) {
      const from = isLoose ? skip(blanks, at) : at;
      let field: string;
      if (text[from] === '"') {
        let end = from;
        field = "";
        do {
          const close = text.indexOf('"', end + 1);
          if (close < 0) throw wrong("a quote is opened here and never closed");
          field += (end === from ? "" : '"') + text.slice(end + 1, close);
          end = close + 1;
          if (field.length > MAX_FIELD) throw wrong(tooLong);
        } while (text[end] === '"');
        line += field.match(/\r\n|\r|\n/g)?.length ?? 0;
        at = isLoose ? skip(blanks, end) : end;
      } else {
        at = skip(plain, from);
        field = text.slice(from, at);
        if (isLoose) field = field.trimEnd();
        if (field.length > MAX_FIELD) throw wrong(tooLong);
      }
      row.fields.push(field);
      if (row.fields.length > MAX_COLUMNS) throw wrong(`has more than ${MAX_COLUMNS} fields`);
      if (text[at] !== delimiter) break;
      at++;
    }
    if (at < text.length && text[at] !== "\r" && text[at] !== "\n") {
      throw wrong(`found ${JSON.stringify(text[at])} where a field should end`);
    }
    at += text[at] === "\r" && text[at + 1] === "\n" ? 2 : 1;
    line++;
    if (isLoose && row.fields.every((field) => field === "")) continue;
    width ??= row.fields.length;
    while (isLoose && row.fields.length > width && row.fields.at(-1) === "") row.fields.pop();
    if (row.fields.length !== width) {
      const { line: first, fields } = row;
      throw new Wrong(`${name}: line ${first} has ${fields.length} fields, the first row ${width}`);
    }
    yield row;
  }
}

const tooLong = `a field has more than ${MAX_FIELD} characters; is a closing quote missing?`;

function formatField(value: string | number): string {
  const text = String(value);
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
