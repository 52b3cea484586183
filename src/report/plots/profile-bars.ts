import { type Svg, svgOf, svgRect, svgText } from "./svg.ts";
import { palette, roles, shorten, textWidth } from "./theme.ts";

/** A bar of parts one after the other. */
export interface StackedBar {
  readonly label: string;
  /** What stands at its end. */
  readonly total: string;
  /** A number a part, in the order of the parts; not all bars have the same sum. */
  readonly values: readonly number[];
}

const [TOP, ROW, BAR, WIDTH, FONT] = [92, 34, 22, 620, 13];

/** Bars on one scale, a colour a part; parts of a tenth and more of the longest bar have their share written in them. */
export function stackedBars(
  title: string,
  parts: readonly string[],
  bars: readonly StackedBar[],
): Svg {
  const sums = bars.map(({ values }) => values.reduce((sum, value) => sum + value, 0));
  const longest = Math.max(...sums);
  const labels = bars.map(({ label }) => shorten(label, 40));
  const left = 24 + Math.max(...labels.map((label) => textWidth(label, FONT)));
  const right = 24 + Math.max(...bars.map(({ total }) => textWidth(total, FONT)));
  const drawn: string[] = [
    svgText(16, 28, title, { size: 17 }),
    ...legend(parts, left + WIDTH + right),
  ];
  for (const [row, { values, total }] of bars.entries()) {
    const y = TOP + row * ROW;
    drawn.push(svgText(left - 10, y + BAR / 2 + 4.5, labels[row]!, { size: FONT, anchor: "end" }));
    let x = left;
    for (const [i, value] of values.entries()) {
      const width = longest === 0 ? 0 : (WIDTH * value) / longest;
      if (width === 0) continue;
      drawn.push(svgRect([x, y, width, BAR], colorOf(i)));
      const text = `${Math.round((100 * value) / sums[row]!)} %`;
      if (width > textWidth(text, 12) + 8) {
        const look = { size: 12, anchor: "middle" as const, fill: "#000000", halo: true };
        drawn.push(svgText(x + width / 2, y + BAR / 2 + 4.5, text, look));
      }
      x += width;
    }
    drawn.push(svgText(x + 8, y + BAR / 2 + 4.5, total, { size: FONT, fill: roles.muted }));
  }
  return svgOf(left + WIDTH + right, TOP + bars.length * ROW + 12, drawn);
}

function legend(parts: readonly string[], width: number): string[] {
  const drawn: string[] = [];
  let [x, y] = [16, 52];
  for (const [i, part] of parts.entries()) {
    const room = 26 + textWidth(part, 12) + 14;
    if (x + room > width) [x, y] = [16, y + 20];
    drawn.push(svgRect([x, y - 10, 14, 12], colorOf(i)));
    drawn.push(svgText(x + 20, y, part, { size: 12 }));
    x += room;
  }
  return drawn;
}

/** Beyond the palette: greys. */
function colorOf(part: number): string {
  return [...palette, "#8a8f98", "#c3c8cf"][part] ?? "#e3e6ea";
}
