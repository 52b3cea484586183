/** What a spreadsheet takes for a formula, behind any number of the quotes that `toCell` puts before it. */
const FORMULA = /^'*[=+\-@\t\r]/;

/**
 * A text as a cell that no spreadsheet computes: an apostrophe stands before `=cmd`, so that a folder of that name runs
 * nothing on the machine of whoever opens the file. (OWASP, CSV injection)
 */
export function toCell(text: string): string {
  return FORMULA.test(text) ? `'${text}` : text;
}

/** The text that `toCell` was given. */
export function fromCell(cell: string): string {
  return cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell;
}
