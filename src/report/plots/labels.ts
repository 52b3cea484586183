import { textWidth } from "./theme.ts";

export interface LabelledPoint {
  readonly x: number;
  readonly y: number;
  readonly label: string;
}

/** Where a label stands: the middle of its line's height, and the end or middle that is anchored there. */
export interface PlacedLabel {
  readonly x: number;
  readonly y: number;
  readonly anchor: "start" | "middle" | "end";
  /** So far from its point that a line should lead there. */
  readonly far: boolean;
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

const GAP = 9;

/**
 * Places a label beside each point so that no two overlap, none covers a point and all stay inside `area`: the nearest free
 * place of rings around the point.
 */
export function placeLabels(
  points: readonly LabelledPoint[],
  area: { readonly width: number; readonly height: number },
  fontSize: number,
): PlacedLabel[] {
  const height = 1.25 * fontSize;
  const taken: Box[] = points.map(({ x, y }) => ({
    ...{ left: x - 6, right: x + 6, top: y - 6, bottom: y + 6 },
  }));
  return points.map(({ x, y, label }) => {
    const width = textWidth(label, fontSize);
    const boxes = candidates(x, y, width, height);
    const isInside = (box: Box) =>
      box.left >= 0 && box.right <= area.width && box.top >= 0 && box.bottom <= area.height;
    const isFree = (box: Box) => isInside(box) && !taken.some((other) => overlap(box, other));
    const at = boxes.findIndex(isFree);
    const box = boxes[at] ?? boxes.find(isInside) ?? boxes[0]!;
    taken.push(box);
    const [far, middle] = [at >= NEAR, (box.top + box.bottom) / 2];
    // The width is an estimate: the end that is beside the point stays where it is.
    if (box.left > x) return { x: box.left, y: middle, anchor: "start", far };
    if (box.right < x) return { x: box.right, y: middle, anchor: "end", far };
    return { x: (box.left + box.right) / 2, y: middle, anchor: "middle", far };
  });
}

/** The first ring's places touch the point. */
const NEAR = 6;

function candidates(x: number, y: number, width: number, height: number): Box[] {
  const box = (left: number, middle: number): Box => ({
    ...{ left, right: left + width },
    ...{ top: middle - height / 2, bottom: middle + height / 2 },
  });
  const boxes: Box[] = [];
  for (let ring = 0; ring < 30; ring++) {
    const dy = ring * height;
    const [right, left, middle] = [x + GAP, x - GAP - width, x - width / 2];
    for (const sign of ring === 0 ? [0] : [-1, 1]) {
      boxes.push(box(right, y + sign * dy), box(left, y + sign * dy));
      if (sign !== 0) boxes.push(box(middle, y + sign * (dy + GAP)));
    }
    if (ring === 0)
      for (const sign of [-1, 1]) boxes.push(box(middle, y + sign * (height / 2 + GAP)));
    if (ring === 0) boxes.push(box(right, y - height), box(right, y + height));
  }
  return boxes;
}

function overlap(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
