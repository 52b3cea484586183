import { join } from "node:path";
import type { EChartsOption } from "echarts";
import { writeDurably } from "../../platform/durable.ts";
import { legalXml, type Svg } from "./svg.ts";
import { fontFamily, roles, textWidth } from "./theme.ts";

/** A plot before it is drawn: echarts' options and its size in CSS pixels. */
export interface Plot {
  /** Prefix of the ids in its SVG; two plots of one page need different ones. */
  readonly id: string;
  readonly width: number;
  readonly height: number;
  readonly option: EChartsOption;
}

/** A plot, or a picture that is SVG already. */
export type Drawing = Plot | Svg;

/** Draws to SVG without a browser. The same plot always gives the same bytes. */
export async function renderSvg(drawing: Drawing): Promise<string> {
  if ("svg" in drawing) return drawing.svg;
  const { id, width, height, option } = drawing;
  // Slow to load, and most commands draw nothing. One file: the package's hundreds of modules take half a second more.
  const bundle = "echarts/dist/echarts.esm.min.mjs";
  const echarts = (await import(bundle)) as typeof import("echarts");
  echarts.setPlatformAPI({
    measureText: (text: string, font?: string) => ({
      width: textWidth(text, Number(/([\d.]+)px/.exec(font ?? "")?.[1] ?? 12)),
    }),
  });
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption({
      animation: false,
      textStyle: { fontFamily, color: roles.ink },
      ...option,
    });
    return (
      legalXml(chart.renderToSVGString())
        // What echarts' own script in a browser would need: half of the bytes.
        .replaceAll(/ ecmeta_\w+="[^"]*"/g, "")
        // Colours and a hand under the mouse, for clicks that lead nowhere.
        .replaceAll(/<style[^>]*>[\s\S]*?<\/style>| class="zr[^"]*"/g, "")
        // The report's policy lets no text of a page set a style: the same as attributes.
        .replaceAll(/ style="([^"]*)"/g, (_, declarations: string) => attributesOf(declarations))
        // zrender numbers its charts through the life of the process.
        .replaceAll(/zr\d+-/g, `${id}-`)
    );
  } finally {
    // A chart that is not disposed keeps Node from ending.
    chart.dispose();
  }
}

/** `font-size:13px;font-family:…` → ` font-size="13px" font-family="…"`. */
function attributesOf(declarations: string): string {
  return declarations.replaceAll(/([\w-]+)\s*:\s*([^;]*);?\s*/g, ' $1="$2"');
}

/** SVG → PNG at twice its size, on white, with the bundled font. It is drawn and compressed on other threads. */
export async function renderPng(svg: string): Promise<Uint8Array> {
  const { renderAsync } = await import("@resvg/resvg-js");
  const { default: sharp } = await import("sharp");
  const font = join(import.meta.dirname, "../../../assets/fonts/DejaVuSans.ttf");
  const { pixels, width, height } = await renderAsync(legalXml(svg), {
    background: "#ffffff",
    fitTo: { mode: "zoom", value: 2 },
    font: {
      fontFiles: [font],
      defaultFontFamily: "DejaVu Sans",
      // Searching the machine for fonts takes a while, and only scripts that DejaVu lacks need it.
      loadSystemFonts: /[\u0900-\u0dff\u2e80-\ud7ff\uf900-\ufaff]|[\u{1f000}-\u{3ffff}]/u.test(svg),
    },
  });
  const raw = { width, height, channels: 4 } as const;
  return sharp(pixels, { raw }).removeAlpha().png().toBuffer();
}

/** Draws a plot into `<base>.svg` and `<base>.png`; returns both. */
export async function writePlot(plot: Drawing, base: string): Promise<string[]> {
  return writeSvg(await renderSvg(plot), base);
}

/** The same for a picture that is SVG already. */
export async function writeSvg(svg: string, base: string): Promise<string[]> {
  const files = [`${base}.svg`, `${base}.png`] as const;
  writeDurably(files[0], svg);
  writeDurably(files[1], [await renderPng(svg)]);
  return [...files];
}
