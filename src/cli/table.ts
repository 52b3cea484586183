import { printableLine } from "../platform/printable.ts";

/** Rows of counts under column names, a total below: `{beagle: {train: 3, test: 1}}`. */
export function countTable(
  columns: readonly string[],
  rows: Readonly<Record<string, Readonly<Record<string, number>>>>,
): string {
  const total = Object.fromEntries(
    columns.map((name) => [
      name,
      Object.values(rows).reduce((sum, row) => sum + (row[name] ?? 0), 0),
    ]),
  );
  const lines = [
    ["class", ...columns],
    ...Object.entries({ ...rows, total }).map(([name, row]) => [
      printableLine(name),
      ...columns.map((column) => (row[column] ?? 0).toLocaleString("en")),
    ]),
  ];
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  return lines
    .map((line) =>
      line
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join("  "),
    )
    .join("\n");
}
