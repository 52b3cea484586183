import { type CalibrationBin, calibrationErrorOf } from "../../metrics/index.ts";
import { count, percent } from "../format.ts";
import { type Svg, svgLine, svgOf, svgRect, svgText } from "./svg.ts";
import { palette, roles, shorten } from "./theme.ts";

const [SIDE, LEFT, TOP] = [420, 72, 72];
/** Of the lower panel. */
const [SHARES, BETWEEN] = [90, 24];

/** Accuracy against confidence, and below how many images each bin has. On the diagonal a model is as sure as it is right. */
export function reliabilityPlot(name: string, bins: readonly CalibrationBin[]): Svg {
  const total = bins.reduce((sum, bin) => sum + bin.count, 0);
  const full = bins.filter((bin) => bin.count > 0);
  const about = `${count(total)} test images; expected calibration error ${percent(calibrationErrorOf(bins))}`;
  const muted = { size: 12, fill: roles.muted };
  const parts = [
    svgText(16, 25, shorten(`Reliability of ${name}`, 48), { size: 17 }),
    svgText(16, 46, about, muted),
  ];
  const lower = TOP + SIDE + BETWEEN;
  const x = (share: number) => LEFT + share * SIDE;
  const panel = (top: number, height: number, ticks: readonly number[], axis: string) => {
    for (const tick of [0, 20, 40, 60, 80, 100]) {
      parts.push(svgLine([x(tick / 100), top, x(tick / 100), top + height], roles.grid));
    }
    for (const tick of ticks) {
      const y = top + height * (1 - tick / 100);
      parts.push(svgLine([LEFT, y, LEFT + SIDE, y], tick === 0 ? roles.muted : roles.grid));
      parts.push(svgText(LEFT - 8, y + 4, `${tick}`, { ...muted, anchor: "end" }));
    }
    const [at, middle] = [22, top + height / 2];
    const label = svgText(at, middle, axis, { ...muted, size: 13, anchor: "middle" });
    parts.push(`<g transform="rotate(-90 ${at} ${middle})">${label}</g>`);
  };
  panel(TOP, SIDE, [0, 20, 40, 60, 80, 100], "accuracy (%)");
  panel(lower, SHARES, [0, 50, 100], "images (%)");
  for (const { lo, hi, accuracy, count: images } of full) {
    const [left, width] = [x(lo + 0.04 * (hi - lo)), 0.92 * (hi - lo) * SIDE];
    const bar = (bottom: number, height: number, color: string) =>
      parts.push(svgRect([left, bottom - height, width, height], color));
    bar(TOP + SIDE, SIDE * accuracy!, palette[0]!);
    bar(lower + SHARES, (SHARES * images) / total, palette[5]!);
  }
  const dashed = ' stroke-width="2" stroke-dasharray="6 4"';
  parts.push(svgLine([LEFT, TOP + SIDE, LEFT + SIDE, TOP], palette[1]!, dashed));
  for (const tick of [0, 20, 40, 60, 80, 100]) {
    const look = { ...muted, anchor: "middle" as const };
    parts.push(svgText(x(tick / 100), lower + SHARES + 17, `${tick}`, look));
  }
  const end = lower + SHARES;
  const centred = { ...muted, size: 13, anchor: "middle" as const };
  parts.push(svgText(LEFT + SIDE / 2, end + 38, "confidence (%)", centred));
  parts.push(svgRect([LEFT + 66, end + 53, 22, 12], palette[0]!));
  parts.push(svgText(LEFT + 94, end + 64, "accuracy"));
  parts.push(svgLine([LEFT + 176, end + 59, LEFT + 202, end + 59], palette[1]!, dashed));
  parts.push(svgText(LEFT + 208, end + 64, "as sure as right"));
  return svgOf(LEFT + SIDE + 28, end + 78, parts);
}
