import { ThawError } from "../../errors.ts";

/** RFC 4180 with LF, as pandas writes it: fields with a comma, quote or line break are quoted. */
export function formatCsv(rows: Iterable<readonly (string | number)[]>): string {
  let text = "";
  for (const row of rows) text += `${row.map(formatField).join(",")}\n`;
  return text;
}

/** Reads what `formatCsv` or a spreadsheet wrote. @throws ThawError where a quote is left open or rows differ in length. */
export function parseCsv(text: string, name: string): string[][] {
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  const rows: string[][] = [];
  let row: string[] = [];
  while (field.lastIndex < text.length || row.length > 0) {
    const match = field.exec(text);
    if (match === null) throw new ThawError(`${name}: row ${rows.length + 1} is not valid CSV`);
    const [, quoted, plain, separator] = match;
    row.push(quoted === undefined ? plain! : quoted.replaceAll('""', '"'));
    if (separator === ",") continue;
    rows.push(row);
    if (row.length !== rows[0]!.length) {
      throw new ThawError(
        `${name}: row ${rows.length} has ${row.length} fields, the first ${rows[0]!.length}`,
      );
    }
    row = [];
  }
  return rows;
}

function formatField(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
