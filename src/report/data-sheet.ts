import { readFile } from "node:fs/promises";
import { decodeImage } from "../data/images/decode.ts";
import { imageBytes } from "../data/imageset.ts";
import type { Examination } from "../data/info/report.ts";
import type { Survey, SurveyedImage } from "../data/info/survey.ts";
import { contactSheet, type SheetSection, type Tile } from "./contact-sheet.ts";
import { shorten } from "./plots/theme.ts";

const PER_CLASS = 12;
const CLASSES = 24;
const PAIRS = 36;

/** A contact sheet of a data set: near duplicates side by side, then samples of each class. PNG. */
export async function dataSheet(
  survey: Survey,
  { report, nearRows }: Examination,
): Promise<Uint8Array> {
  const { images } = survey;
  const sections: SheetSection[] = [];
  const { near } = report;
  const pairs = nearRows.slice(0, PAIRS);
  if (pairs.length > 0) {
    const tiles: Tile[] = [];
    for (const [a, b, distance] of pairs) {
      const [left, right] = [images[a]!, images[b]!];
      const where = left.split === right.split ? "" : `${left.split}, ${right.split}`;
      tiles.push(await tileOf(left, distance.toFixed(5)), await tileOf(right, where));
    }
    const title = `${near.pairs.toLocaleString("en")} pairs of near duplicates, ${near.acrossSplits} across splits (shown first); distance ${near.measure}, up to ${near.threshold}`;
    sections.push({ title, tiles, group: 2 });
  }
  for (const name of survey.classes.slice(0, CLASSES)) {
    const own = images.filter(({ className }) => className === name);
    const step = Math.max(1, Math.floor(own.length / PER_CLASS));
    const tiles: Tile[] = [];
    for (let i = 0; i < own.length && tiles.length < PER_CLASS; i += step) {
      tiles.push(await tileOf(own[i]!));
    }
    sections.push({ title: `${name} (${own.length.toLocaleString("en")})`, tiles });
  }
  return contactSheet(sections);
}

async function tileOf(image: SurveyedImage, caption = ""): Promise<Tile> {
  const text = caption === "" ? {} : { caption: shorten(caption, 14) };
  if ("path" in image.at) {
    const { pixels, width, height } = await decodeImage(
      await readFile(image.at.path),
      image.at.path,
      { pixelRange: "extent" },
    );
    return { pixels, width, height, ...text };
  }
  const { set, row } = image.at;
  const { width, height, channels } = set;
  const size = imageBytes(set);
  const planes = set.images.subarray(row * size, (row + 1) * size);
  if (channels === 1) return { pixels: planes, width, height, ...text };
  const plane = width * height;
  const pixels = new Uint8Array(size);
  for (let i = 0; i < size; i++) pixels[i] = planes[(i % 3) * plane + Math.floor(i / 3)]!;
  return { pixels, width, height, ...text };
}
