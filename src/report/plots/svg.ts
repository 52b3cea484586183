import { printable } from "../../platform/printable.ts";
import { escapeHtml } from "../format.ts";
import { fontFamily, roles } from "./theme.ts";

/** A picture before it is rasterised; sizes in CSS pixels. */
export interface Svg {
  readonly svg: string;
  readonly width: number;
  readonly height: number;
}

export interface TextLook {
  readonly size?: number;
  readonly fill?: string;
  readonly anchor?: "start" | "middle" | "end";
  readonly weight?: "normal" | "bold";
  /** Paper around the letters, over lines behind them. */
  readonly halo?: boolean;
}

export function svgOf(width: number, height: number, parts: readonly string[]): Svg {
  const [w, h] = [Math.ceil(width), Math.ceil(height)];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}" font-family="${fontFamily}">${legalXml(parts.join(""))}</svg>`;
  return { svg, width: w, height: h };
}

/** A line of text whose baseline begins at (x, y). */
export function svgText(x: number, y: number, content: string, look: TextLook = {}): string {
  const { size = 13, fill = roles.ink, anchor = "start", weight = "normal" } = look;
  const bold = weight === "bold" ? ' font-weight="bold"' : "";
  const around = look.halo
    ? ` stroke="${roles.paper}" stroke-width="3.5" stroke-linejoin="round" paint-order="stroke"`
    : "";
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" fill="${fill}" text-anchor="${anchor}"${bold}${around}>${escapeHtml(content)}</text>`;
}

export function svgRect(
  [x, y, width, height]: readonly [number, number, number, number],
  fill: string,
  more = "",
): string {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" fill="${fill}"${more}/>`;
}

export function svgLine(
  [x1, y1, x2, y2]: readonly [number, number, number, number],
  stroke: string,
  more = "",
): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${stroke}"${more}/>`;
}

/** RGB [height, width, 3] or grey [height, width] of 8 bits as a picture of `w` × `h`, its pixels seen where it is enlarged. */
export async function svgImage(
  picture: { readonly pixels: Uint8Array; readonly width: number; readonly height: number },
  [x, y, w, h]: readonly [number, number, number, number],
): Promise<string> {
  const { default: sharp } = await import("sharp");
  const { pixels, width, height } = picture;
  const channels = pixels.length === width * height ? 1 : 3;
  const png = await sharp(pixels, { raw: { width, height, channels } })
    // Twice, as the picture is rasterised.
    .resize({
      ...{ width: Math.round(2 * w), height: Math.round(2 * h), fit: "fill" },
      kernel: w >= width ? "nearest" : "lanczos3",
    })
    .png()
    .toBuffer();
  return `<image x="${round(x)}" y="${round(y)}" width="${round(w)}" height="${round(h)}" href="data:image/png;base64,${png.toString("base64")}"/>`;
}

/** Without the characters that no XML may hold, and without those that change the order of letters. */
export function legalXml(svg: string): string {
  return printable(svg).replaceAll(/[\ufffe\uffff]|\p{Cs}/gu, "�");
}

const round = (value: number): number => Math.round(100 * value) / 100;
