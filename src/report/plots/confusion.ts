import type { NamedConfusionMatrix } from "../../run/results.ts";
import { type Svg, svgOf, svgRect, svgText, type TextLook } from "./svg.ts";
import { palette, roles, shorten, textWidth } from "./theme.ts";

const LABEL_LENGTH = 24;
const FONT = 13;

/** Up to so many classes each has its label. */
const ALL_LABELLED = 100;

/**
 * A confusion matrix: numbers are images, or of `normalised` ones percent of the true class; colour is the share of the
 * true class (row), so that a rare class is as readable as a frequent one.
 */
export function confusionPlot(
  name: string,
  matrix: NamedConfusionMatrix,
  options: { readonly normalised?: boolean } = {},
): Svg {
  const { normalised = false } = options;
  const { names, classes: n, counts } = matrix;
  const font = n > 50 ? FONT - 1 : FONT;
  const labels = names.map((label) => shorten(label, LABEL_LENGTH));
  const widest = Math.max(...labels.map((label) => textWidth(label, font)));
  const smallest = n > ALL_LABELLED ? 10 : font + 3;
  const cell = n <= 6 ? 76 : n <= 10 ? 58 : n <= 20 ? 44 : Math.max(smallest, Math.floor(900 / n));
  const isTurned = widest > cell - 8;
  // At 45° labels of narrow columns would touch. So turned they take 0.71 of their length in both directions.
  const turn = !isTurned ? 0 : cell < 30 ? 90 : 45;
  const below = { 0: 0, 45: 0.71 * widest, 90: widest }[turn] + 52;
  const left = widest + 52;
  const top = 76;
  // Very many classes: a label each would overlap.
  const everyLabel = Math.max(1, Math.ceil((font + 3) / cell));
  const rows = Array.from({ length: n }, (_, t) => counts.subarray(t * n, (t + 1) * n));
  const totals = rows.map((row) => row.reduce((sum, count) => sum + count, 0));
  const total = totals.reduce((sum, count) => sum + count, 0);
  const width = left + n * cell + Math.max(24, 460 - left - n * cell);
  const about = normalised
    ? `${total} test images; percent of the true class`
    : `${total} test images; colour: share of the true class`;
  const parts = [
    svgText(16, 25, shorten(`Confusion matrix of ${name}`, Math.floor(width / 10)), { size: 17 }),
    svgText(16, 46, shorten(about, Math.floor(width / 7)), { size: 12, fill: roles.muted }),
  ];
  const turned = (degrees: number, x: number, y: number, text: string, look: TextLook) =>
    parts.push(`<g transform="rotate(${-degrees} ${x} ${y})">${svgText(x, y, text, look)}</g>`);
  const bottom = top + n * cell;
  const named = { size: 14, fill: roles.muted, anchor: "middle" as const };
  parts.push(svgText(left + (n * cell) / 2, bottom + below - 12, "predicted class", named));
  turned(90, left - widest - 24, top + (n * cell) / 2, "true class", named);
  for (let c = 0; c < n; c += everyLabel) {
    const [text, middle, look] = [labels[c]!, (c + 0.5) * cell, { size: font }];
    parts.push(svgText(left - 8, top + middle + 0.35 * font, text, { ...look, anchor: "end" }));
    const [x, y] = [left + middle, bottom + 10];
    if (turn === 0) parts.push(svgText(x, y + 0.8 * font, text, { ...look, anchor: "middle" }));
    else
      turned(turn, x + 0.35 * font, y + (turn === 45 ? 0.35 * font : 0), text, {
        ...look,
        anchor: "end",
      });
  }
  const stroke = ` stroke="${roles.grid}" stroke-width="${n > 30 ? 0.3 : 1}"`;
  for (const [t, row] of rows.entries()) {
    for (const [p, count] of row.entries()) {
      const [x, y] = [left + p * cell, top + t * cell];
      const share = totals[t] === 0 ? 0 : count / totals[t]!;
      // Transparent where nothing is: the page shows through, dark or light. The root makes a share of 2 %, which is what
      // one looks for, visible.
      const opacity = ` fill-opacity="${Number(Math.sqrt(share).toFixed(3))}"`;
      parts.push(svgRect([x, y, cell, cell], palette[0]!, opacity + stroke));
      if (cell < 24) continue;
      const text = normalised ? shareText(share) : String(count);
      const size = Number(Math.min(15, cell / 2.9 / Math.max(1, text.length / 4)).toFixed(1));
      const fill = share > 0.25 ? "#ffffff" : count === 0 ? roles.muted : roles.ink;
      const look = { size, fill, anchor: "middle" as const };
      parts.push(svgText(x + cell / 2, y + cell / 2 + 0.36 * size, text, look));
    }
  }
  return svgOf(width, bottom + below, parts);
}

/** Percent, with a decimal where it is small. */
function shareText(share: number): string {
  const percent = 100 * share;
  return percent === 0 || percent >= 9.95 ? percent.toFixed(0) : percent.toFixed(1);
}
