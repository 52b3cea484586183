import { renderPng } from "./plots/render.ts";
import { fontFamily, roles } from "./plots/theme.ts";

/** A picture with a line below it. */
export interface Tile {
  /** Grey [height, width] or RGB [height, width, 3]. */
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly caption?: string;
}

export interface SheetSection {
  readonly title: string;
  readonly tiles: readonly Tile[];
  /** So many tiles stand close together, as 2 for pairs; default 1. */
  readonly group?: number;
}

const TILE = 64;
const GAP = 8;
const MARGIN = 16;
const CAPTION = 13;
const COLUMNS = 12;
const TITLE = 26;

/** Rows of pictures under titles, as PNG. Small pictures are enlarged by whole pixels. */
export async function contactSheet(sections: readonly SheetSection[]): Promise<Uint8Array> {
  const parts: string[] = [];
  const width = 2 * MARGIN + COLUMNS * (TILE + GAP) - GAP;
  let y = MARGIN;
  for (const { title, tiles, group = 1 } of sections) {
    parts.push(text(MARGIN, y + 14, 13, title, roles.ink));
    y += TITLE;
    const rowHeight = TILE + GAP + (tiles.some(({ caption }) => caption) ? CAPTION : 0);
    for (let i = 0; i < tiles.length; i++) {
      const column = i % COLUMNS;
      // The tiles of a group touch, and the room between them goes to the end of the group.
      const x = MARGIN + column * (TILE + GAP) - (i % group) * (GAP - 1);
      parts.push(await picture(tiles[i]!, x, y));
      const { caption } = tiles[i]!;
      if (caption) parts.push(text(x, y + TILE + CAPTION - 2, 8.5, caption, roles.ink));
      if (column === COLUMNS - 1 || i === tiles.length - 1) y += rowHeight;
    }
    y += GAP;
  }
  const height = y + MARGIN;
  return renderPng(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="${fontFamily}">${parts.join("")}</svg>`,
  );
}

async function picture(tile: Tile, x: number, y: number): Promise<string> {
  const { default: sharp } = await import("sharp");
  const { pixels, width, height } = tile;
  const channels = pixels.length === width * height ? 1 : 3;
  const scale = TILE / Math.max(width, height);
  const small = scale >= 1;
  const png = await sharp(pixels, { raw: { width, height, channels } })
    .resize({
      // The sheet is drawn at twice its size.
      width: Math.max(1, Math.round(2 * scale * width)),
      height: Math.max(1, Math.round(2 * scale * height)),
      fit: "fill",
      kernel: small ? "nearest" : "lanczos3",
    })
    .png()
    .toBuffer();
  const [w, h] = [scale * width, scale * height];
  const left = x + (TILE - w) / 2;
  return `<image x="${left}" y="${y + (TILE - h) / 2}" width="${w}" height="${h}" href="data:image/png;base64,${png.toString("base64")}"/>`;
}

function text(x: number, y: number, size: number, content: string, fill: string): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x}" y="${y}" font-size="${size}" fill="${fill}">${escaped}</text>`;
}
