import type { PreviewImage, PreviewRow } from "../data/preview.ts";
import { renderPng } from "./plots/render.ts";
import { fontFamily, roles, shorten, textWidth } from "./plots/theme.ts";

const MARGIN = 16;
const GAP = 8;
const TITLE = 28;
const FONT = 22;
/** Small images are enlarged by whole pixels up to this side. */
const SIDE = 112;

/** Where a sheet's cells are, in its pixels. */
export interface SheetLayout {
  readonly width: number;
  readonly height: number;
  /** Each pixel of an image is a square of so many. */
  readonly scale: number;
  /** Column 0 is the original. */
  cell(row: number, column: number): { readonly left: number; readonly top: number };
}

/** Rows of images: their class, the image as it is, then its draws. */
export function sheetLayout(rows: readonly PreviewRow[]): SheetLayout {
  const { width, height } = rows[0]!.original;
  const scale = Math.max(1, Math.floor(SIDE / Math.max(width, height)));
  const [across, down] = [width * scale + GAP, height * scale + GAP];
  const labels = Math.max(...rows.map(({ className }) => textWidth(labelOf(className), FONT)));
  const left = MARGIN + Math.ceil(labels) + GAP;
  const top = MARGIN + TITLE;
  const columns = 1 + rows[0]!.draws.length;
  return {
    // Even, since text is drawn at half the size.
    width: even(left + columns * across + MARGIN),
    height: even(top + rows.length * down + MARGIN),
    scale,
    cell: (row, column) => ({ left: left + column * across, top: top + row * down }),
  };
}

/** The sheet as PNG; its cells are the images' own pixels. `epoch` is that of the first draw. */
export async function augmentationSheet(
  rows: readonly PreviewRow[],
  epoch: number,
): Promise<Uint8Array> {
  const layout = sheetLayout(rows);
  const { width, height, scale } = layout;
  const { default: sharp } = await import("sharp");
  const side = rows[0]!.original;
  const cells = rows.flatMap(({ original, draws }, row) =>
    [original, ...draws].map((image, column) => ({
      input: Buffer.from(enlarged(image, scale).buffer),
      raw: { width: side.width * scale, height: side.height * scale, channels: 3 as const },
      ...layout.cell(row, column),
    })),
  );
  const texts = rows.map(({ className }, row) => {
    const { left, top } = layout.cell(row, 0);
    const middle = top + (side.height * scale) / 2 + FONT / 3;
    return text(left - GAP, middle, "end", labelOf(className));
  });
  const titles = ["original", ...rows[0]!.draws.map((_, i) => titleOf(epoch + i, i))];
  for (const [column, title] of titles.entries()) {
    const { left, top } = layout.cell(0, column);
    texts.push(text(left, top - GAP, "start", title));
  }
  const paper = await renderPng(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width / 2}" height="${height / 2}" font-family="${fontFamily}">${texts.join("")}</svg>`,
  );
  return await sharp(paper).composite(cells).removeAlpha().png().toBuffer();
}

const titleOf = (epoch: number, i: number): string => (i === 0 ? `epoch ${epoch}` : `${epoch}`);
const labelOf = (className: string): string => shorten(className, 20);
const even = (length: number): number => 2 * Math.ceil(length / 2);

/** RGB, each pixel a square of `scale`. */
function enlarged({ pixels, width, height }: PreviewImage, scale: number): Uint8Array<ArrayBuffer> {
  const channels = pixels.length / (width * height);
  const result = new Uint8Array(width * height * scale * scale * 3);
  let at = 0;
  for (let y = 0; y < height * scale; y++) {
    const row = Math.floor(y / scale) * width;
    for (let x = 0; x < width * scale; x++) {
      const from = (row + Math.floor(x / scale)) * channels;
      for (let c = 0; c < 3; c++) result[at++] = pixels[from + (c % channels)]!;
    }
  }
  return result;
}

function text(x: number, y: number, anchor: "start" | "end", content: string): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x / 2}" y="${y / 2}" font-size="${FONT / 2}" text-anchor="${anchor}" fill="${roles.ink}">${escaped}</text>`;
}
