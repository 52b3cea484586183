import { type Svg, svgImage, svgOf, svgText } from "./svg.ts";
import { palette, roles, shorten } from "./theme.ts";

/** A picture of 8 bits: RGB [height, width, 3] or grey [height, width]. */
export interface GalleryPicture {
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
}

export interface GalleryTile {
  /** Side by side, of one size. */
  readonly pictures: readonly GalleryPicture[];
  readonly truth: string;
  readonly predicted: string;
  /** Of the predicted class; absent where the model gives none. */
  readonly probability?: number;
  /** Beside the probability. */
  readonly remark?: string;
}

const [SIDE, GAP, MARGIN, CAPTION, FONT] = [132, 16, 18, 54, 11.5];

/** Images with their true class, the predicted one and its probability. */
export async function gallery(
  title: string,
  tiles: readonly GalleryTile[],
  options: { readonly subtitle?: string; readonly columns?: number } = {},
): Promise<Svg> {
  const across = Math.max(1, ...tiles.map(({ pictures }) => pictures.length));
  const { subtitle = "", columns = Math.max(1, Math.floor(6 / across)) } = options;
  const width = across * SIDE + (across - 1) * 4;
  const top = 62;
  const parts = [svgText(MARGIN, 28, shorten(title, 80), { size: 17 })];
  parts.push(svgText(MARGIN, 48, subtitle, { size: 12, fill: roles.muted }));
  for (const [i, tile] of tiles.entries()) {
    const x = MARGIN + (i % columns) * (width + GAP);
    const y = top + Math.floor(i / columns) * (SIDE + CAPTION + GAP);
    for (const [p, picture] of tile.pictures.entries()) {
      const scale = SIDE / Math.max(picture.width, picture.height);
      const [w, h] = [scale * picture.width, scale * picture.height];
      const left = x + p * (SIDE + 4) + (SIDE - w) / 2;
      parts.push(await svgImage(picture, [left, y + (SIDE - h) / 2, w, h]));
    }
    const isRight = tile.truth === tile.predicted;
    // Told by words as well as by colour.
    const fill = isRight ? palette[2] : palette[1];
    const room = Math.floor(width / (0.62 * FONT)) - 6;
    const line = (n: number, text: string, look: object = {}) =>
      parts.push(svgText(x, y + SIDE + 15 * n, text, { size: FONT, ...look }));
    line(1, `true: ${shorten(tile.truth, room)}`);
    line(2, `said: ${shorten(tile.predicted, room)}`, { fill });
    const said = isRight ? "right" : "wrong";
    const remark = tile.remark === undefined ? "" : `; ${tile.remark}`;
    const { probability } = tile;
    const sure = probability === undefined ? "" : `, ${(100 * probability).toFixed(1)} % sure`;
    line(3, `${said}${sure}${remark}`, { fill: roles.muted });
  }
  const rows = Math.ceil(tiles.length / columns);
  const shown = Math.min(columns, Math.max(1, tiles.length));
  return svgOf(
    Math.max(2 * MARGIN + shown * (width + GAP) - GAP, 560),
    top + rows * (SIDE + CAPTION + GAP),
    parts,
  );
}
