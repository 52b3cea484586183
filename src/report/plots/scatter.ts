import { placeLabels } from "./labels.ts";
import { type Svg, svgLine, svgOf, svgText } from "./svg.ts";
import { palette, roles, shorten } from "./theme.ts";

export interface ScatterPoint {
  readonly label: string;
  /** Positive: the axis is logarithmic. */
  readonly x: number;
  /** A share. */
  readonly accuracy: number;
}

export interface ScatterAxis {
  readonly title: string;
  /** Name of the x axis, with its unit. */
  readonly axis: string;
  readonly format: (value: number) => string;
}

const [LEFT, TOP, WIDTH, HEIGHT] = [76, 56, 720, 420];
const FONT = 13;

/** Test accuracy against what it costs. Up and to the left is better; points that no other beats in both are joined. */
export function accuracyScatter(points: readonly ScatterPoint[], axis: ScatterAxis): Svg {
  const across = logScale(points.map(({ x }) => x));
  const up = linearScale(points.map(({ accuracy }) => 100 * accuracy));
  const at = ({ x, accuracy }: ScatterPoint) => ({
    x: WIDTH * across.share(x),
    y: HEIGHT * (1 - up.share(100 * accuracy)),
  });
  const placed = points.map((point) => ({ ...at(point), label: shorten(point.label, 32) }));
  const labels = placeLabels(placed, { width: WIDTH, height: HEIGHT }, FONT);
  const parts: string[] = [svgText(16, 28, axis.title, { size: 17 })];
  for (const tick of up.ticks) {
    const y = TOP + HEIGHT * (1 - up.share(tick));
    parts.push(svgLine([LEFT, y, LEFT + WIDTH, y], roles.grid));
    parts.push(svgText(LEFT - 8, y + 4, `${tick}`, { size: 12, fill: roles.muted, anchor: "end" }));
  }
  for (const tick of across.ticks) {
    const x = LEFT + WIDTH * across.share(tick);
    parts.push(svgLine([x, TOP, x, TOP + HEIGHT], roles.grid));
    const look = { size: 12, fill: roles.muted, anchor: "middle" as const };
    parts.push(svgText(x, TOP + HEIGHT + 18, axis.format(tick), look));
  }
  const name = { size: 13, fill: roles.muted, anchor: "middle" as const };
  parts.push(svgText(LEFT + WIDTH / 2, TOP + HEIGHT + 42, axis.axis, name));
  const [x, y] = [22, TOP + HEIGHT / 2];
  const turned = svgText(x, y, "test accuracy (%)", name);
  parts.push(`<g transform="rotate(-90 ${x} ${y})">${turned}</g>`);
  const front = paretoFront(points).map((point) => at(point));
  const path = front.map((p) => `${(LEFT + p.x).toFixed(1)},${(TOP + p.y).toFixed(1)}`).join(" ");
  parts.push(
    `<polyline points="${path}" fill="none" stroke="${palette[1]}" stroke-width="1.6" stroke-dasharray="6 4"/>`,
  );
  for (const [i, { x: px, y: py, label }] of placed.entries()) {
    const own = labels[i]!;
    if (own.far) {
      parts.push(svgLine([LEFT + px, TOP + py, LEFT + own.x, TOP + own.y], roles.muted));
    }
    parts.push(
      `<circle cx="${(LEFT + px).toFixed(1)}" cy="${(TOP + py).toFixed(1)}" r="5.5" fill="${palette[0]}"/>`,
    );
    const look = { size: FONT, anchor: own.anchor, halo: true };
    parts.push(svgText(LEFT + own.x, TOP + own.y + 4.5, label, look));
  }
  return svgOf(LEFT + WIDTH + 28, TOP + HEIGHT + 60, parts);
}

/** Those that none is both better and cheaper than, from left to right. */
export function paretoFront(points: readonly ScatterPoint[]): ScatterPoint[] {
  const byCost = [...points].sort((a, b) => a.x - b.x || b.accuracy - a.accuracy);
  let best = Number.NEGATIVE_INFINITY;
  return byCost.filter(({ accuracy }) => {
    const isBetter = accuracy > best;
    best = Math.max(best, accuracy);
    return isBetter;
  });
}

interface Scale {
  readonly share: (value: number) => number;
  readonly ticks: readonly number[];
}

/** With a tenth of room at both ends. */
function logScale(values: readonly number[]): Scale {
  const logs = values.map(Math.log10);
  const [lo, hi] = [Math.min(...logs), Math.max(...logs)];
  const room = Math.max(0.15, 0.1 * (hi - lo));
  const [from, to] = [lo - room, hi + room];
  const steps = to - from > 2.5 ? [1] : to - from > 1 ? [1, 3] : [1, 1.5, 2, 3, 5, 7];
  const ticks: number[] = [];
  for (let power = Math.floor(from); power <= to; power++) {
    for (const step of steps) ticks.push(step * 10 ** power);
  }
  return {
    share: (value) => (Math.log10(value) - from) / (to - from),
    ticks: ticks.filter((tick) => Math.log10(tick) >= from && Math.log10(tick) <= to),
  };
}

function linearScale(values: readonly number[]): Scale {
  const [lo, hi] = [Math.min(...values), Math.max(...values)];
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20].find((s) => s >= (hi - lo) / 5) ?? 20;
  const from = Math.floor((lo - step / 2) / step) * step;
  const to = Math.ceil((hi + step / 2) / step) * step;
  const count = Math.round((to - from) / step);
  return {
    share: (value) => (value - from) / (to - from),
    ticks: Array.from({ length: count + 1 }, (_, i) => Number((from + i * step).toFixed(1))),
  };
}
