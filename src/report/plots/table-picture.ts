import { type Svg, svgLine, svgOf, svgRect, svgText } from "./svg.ts";
import { roles, shorten, textWidth } from "./theme.ts";

const [FONT, ROW, GAP, MARGIN] = [13, 30, 26, 18];

export interface TableCells {
  readonly title: string;
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Columns of numbers, which end in line. */
  readonly numeric: readonly boolean[];
}

/** A table as a picture, every column as wide as it needs. */
export function tablePicture({ title, heads, rows, numeric }: TableCells): Svg {
  const cut = (text: string) => shorten(text.replaceAll(/\s+/g, " "), 40);
  const texts = rows.map((row) => row.map(cut));
  const widths = heads.map((head, i) =>
    Math.max(textWidth(head, FONT) * 1.1, ...texts.map((row) => textWidth(row[i]!, FONT))),
  );
  const lefts = widths.map((_, i) =>
    widths.slice(0, i).reduce((x, width) => x + width + GAP, MARGIN),
  );
  const width = Math.max(lefts.at(-1)! + widths.at(-1)! + MARGIN, textWidth(title, 17) + 60);
  const parts = [svgText(MARGIN, 28, title, { size: 17 })];
  const cell = (text: string, i: number, y: number, head: boolean): string => {
    const right = numeric[i];
    const x = right ? lefts[i]! + widths[i]! : lefts[i]!;
    const fill = head ? roles.muted : roles.ink;
    const weight = head ? ("bold" as const) : ("normal" as const);
    return svgText(x, y, text, { size: FONT, anchor: right ? "end" : "start", fill, weight });
  };
  const top = 46;
  for (const [i, head] of heads.entries()) parts.push(cell(head, i, top + 20, true));
  parts.push(svgLine([MARGIN, top + ROW, width - MARGIN, top + ROW], roles.muted));
  for (const [r, row] of texts.entries()) {
    const y = top + (r + 1) * ROW;
    if (r % 2 === 1)
      parts.push(svgRect([MARGIN - 6, y + 1, width - 2 * MARGIN + 12, ROW - 1], "#f4f6f8"));
    for (const [i, text] of row.entries()) parts.push(cell(text, i, y + 20, false));
  }
  return svgOf(width, top + (rows.length + 1) * ROW + MARGIN, parts);
}
