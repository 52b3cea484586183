import { rmSync } from "node:fs";
import { join } from "node:path";
import type { SplitSet } from "../data/imageset.ts";
import { type PreviewImage, picturesOf } from "../data/preview.ts";
import { evaluationFit, type ImageShape } from "../run/input.ts";
import { readJudgements, surestMistakes } from "../run/judgements.ts";
import { readRun } from "../run/read.ts";
import { type GalleryTile, gallery } from "./plots/gallery.ts";
import { heatOver } from "./plots/heat.ts";
import { writeSvg } from "./plots/render.ts";

const MOST = 24;

/**
 * Draws `misclassified.svg|png` into a run's folder: the mistakes that its model was surest of. Returns the files; none
 * where the model makes no mistake, or its predictions are not of this test set.
 */
export async function writeMisclassified(
  dir: string,
  name: string,
  test: SplitSet,
  input: ImageShape,
): Promise<string[]> {
  const files = ["misclassified.svg", "misclassified.png"];
  // Of an earlier evaluation.
  for (const file of files) rmSync(join(dir, file), { force: true });
  const { summary, calibration } = readRun(dir);
  const { classes = [] } = summary ?? {};
  const said = readJudgements(dir, classes);
  if (said === undefined || said.labels.length !== test.count) return [];
  const rows = surestMistakes(said, MOST);
  if (rows.length === 0) return [];
  const { labels, predicted, confidence } = said;
  const pictures = await readPictures(test, rows, input);
  const tiles = rows.map(
    (row, i): GalleryTile => ({
      ...{ pictures: [pictures[i]!], truth: classes[labels[row]!]! },
      predicted: classes[predicted[row]!]!,
      // There is none where confidences only rank.
      ...(calibration !== undefined && { probability: confidence[row]! }),
    }),
  );
  const wrong = labels.filter((label, i) => label !== predicted[i]).length;
  const subtitle = `${rows.length} of ${wrong} mistakes on ${test.count} test images, the surest first`;
  const drawn = await gallery(`What ${name} gets wrong`, tiles, { subtitle });
  await writeSvg(drawn.svg, join(dir, "misclassified"));
  return files;
}

/** What `explainRun` says of an image. */
interface Explained {
  readonly row: number;
  readonly truth: string;
  readonly predicted: string;
  readonly probability: number;
  readonly map: Float32Array;
}

/** Draws `explain.svg|png` into a run's folder: images beside where the model looks in them. Returns the files. */
export async function writeExplanations(
  dir: string,
  name: string,
  test: SplitSet,
  explained: {
    readonly method: string;
    readonly input: ImageShape;
    readonly images: readonly Explained[];
  },
): Promise<string[]> {
  const { images, input, method } = explained;
  const rows = images.map(({ row }) => row);
  const pictures = await readPictures(test, rows, input);
  const tiles = images.map(
    ({ map, ...said }, i): GalleryTile => ({
      ...said,
      pictures: [pictures[i]!, heatOver(pictures[i]!, map)],
      ...(map.every((value) => value === 0) && { remark: "nothing speaks for it" }),
    }),
  );
  const yellow =
    method === "Grad-CAM" ? "what counts most for the class it says" : "what it takes most from";
  const subtitle = `${method}; yellow: ${yellow}`;
  const drawn = await gallery(`Where ${name} looks`, tiles, { subtitle });
  return writeSvg(drawn.svg, join(dir, "explain"));
}

function readPictures(
  test: SplitSet,
  rows: readonly number[],
  input: ImageShape,
): Promise<PreviewImage[]> {
  const each = (value: number) => Array.from({ length: input.channels }, () => value);
  const fit = evaluationFit(input, test);
  return picturesOf(test, Int32Array.from(rows), { mean: each(0), std: each(1), fit });
}
