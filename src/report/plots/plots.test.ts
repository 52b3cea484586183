import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CalibrationBin } from "../../metrics/index.ts";
import { confusionPlot } from "./confusion.ts";
import { trainingCurves } from "./curves.ts";
import { gallery } from "./gallery.ts";
import { heatOver } from "./heat.ts";
import { type LabelledPoint, placeLabels } from "./labels.ts";
import { reliabilityPlot } from "./reliability.ts";
import { renderPng, renderSvg } from "./render.ts";
import { accuracyScatter, paretoFront } from "./scatter.ts";
import { tablePicture } from "./table-picture.ts";
import { palette, textWidth } from "./theme.ts";

const texts = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map((match) => match[1]!);
const evil = '<b onclick="x">&amp; \u0001\ud800 ]]></b>';
const area = { width: 720, height: 420 };

describe("labels", () => {
  const boxOf = ({ label }: LabelledPoint, placed: ReturnType<typeof placeLabels>[number]) => {
    const width = textWidth(label, 13);
    const left = placed.x - { start: 0, middle: width / 2, end: width }[placed.anchor];
    return { left, right: left + width, top: placed.y - 8.125, bottom: placed.y + 8.125 };
  };

  it("overlap neither each other nor a point, and stay inside", () => {
    const point = fc.record({
      x: fc.double({ min: 10, max: 710, noNaN: true }),
      y: fc.double({ min: 10, max: 410, noNaN: true }),
      label: fc.constantFrom("logreg", "resnet50", "swin_tiny_patch4_window7_224"),
    });
    fc.assert(
      fc.property(fc.array(point, { minLength: 1, maxLength: 12 }), (points) => {
        const boxes = placeLabels(points, area, 13).map((placed, i) => boxOf(points[i]!, placed));
        for (const [i, a] of boxes.entries()) {
          expect(a.left >= -1e-9 && a.right <= area.width + 1e-9).toBe(true);
          for (const b of boxes.slice(i + 1)) {
            const apart =
              a.right <= b.left + 1e-9 ||
              b.right <= a.left + 1e-9 ||
              a.bottom <= b.top + 1e-9 ||
              b.bottom <= a.top + 1e-9;
            expect(apart).toBe(true);
          }
          const covers = points.some(
            ({ x, y }) => x > a.left && x < a.right && y > a.top && y < a.bottom,
          );
          expect(covers).toBe(false);
        }
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it("of points in one place are led to by lines", () => {
    const same = Array.from({ length: 9 }, () => ({ x: 300, y: 200, label: "the same point" }));
    const placed = placeLabels(same, area, 13);
    expect(placed.filter(({ far }) => far).length).toBeGreaterThan(2);
    expect(new Set(placed.map(({ x, y }) => `${x} ${y}`)).size).toBe(9);
  });
});

describe("accuracy against cost", () => {
  const points = [
    { label: "slow", x: 100, accuracy: 0.9 },
    { label: "best", x: 10, accuracy: 0.95 },
    { label: "small", x: 1, accuracy: 0.5 },
    { label: "no use", x: 2, accuracy: 0.4 },
  ];
  it("joins those that none is both better and cheaper than", () => {
    expect(paretoFront(points).map(({ label }) => label)).toEqual(["small", "best"]);
  });

  it("has a point and a label for each, axes with names, and takes one point alone", () => {
    const look = { title: evil, axis: "parameters", format: String };
    const { svg } = accuracyScatter(points, look);
    expect(svg.match(/<circle /g)).toHaveLength(4);
    for (const { label } of points) expect(texts(svg)).toContain(label);
    expect(texts(svg)).toEqual(expect.arrayContaining(["parameters", "test accuracy (%)"]));
    const alone = accuracyScatter(points.slice(0, 1), look).svg;
    expect(alone).not.toMatch(/NaN|Infinity/);
  });
});

describe("the reliability diagram", () => {
  const bins: readonly CalibrationBin[] = [
    { lo: 0, hi: 0.5, count: 2, confidence: 0.45, accuracy: 0.5 },
    { lo: 0.5, hi: 0.75, count: 0, confidence: null, accuracy: null },
    { lo: 0.75, hi: 1, count: 2, confidence: 0.95, accuracy: 1 },
  ];

  it("draws a bar for each bin that has images", () => {
    const { svg } = reliabilityPlot("a", bins);
    const heights = (color: string | undefined) =>
      [...svg.matchAll(/height="([\d.]+)" fill="(#\w+)"/g)]
        .filter((match) => match[2] === color)
        .map((match) => Number(match[1]));
    // Half and all of them right; the third is the legend's. Below, half of the images each.
    expect(heights(palette[0])).toEqual([210, 420, 12]);
    expect(heights(palette[5])).toEqual([45, 45]);
    expect(texts(svg).join()).toContain("4 test images; expected calibration error 5.00 %");
  });
});

describe("the confusion matrix", () => {
  const matrix = (n: number, name = (i: number) => `class ${i}`) => ({
    ...{ classes: n, names: Array.from({ length: n }, (_, i) => name(i)) },
    counts: Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 8 : 0)),
  });

  it("says counts, or percent of the true class", async () => {
    const given = { ...matrix(2), counts: Float64Array.of(995, 5, 0, 0) };
    expect(texts(await renderSvg(confusionPlot("a", given)))).toContain("995");
    const shares = texts(await renderSvg(confusionPlot("a", given, { normalised: true })));
    expect(shares).toEqual(expect.arrayContaining(["100", "0.5", "0"]));
    expect(shares).not.toContain("995");
  });

  it("has a label for each of a hundred classes, on both axes", async () => {
    const svg = await renderSvg(confusionPlot("a", matrix(100)));
    for (const label of ["class 0", "class 57", "class 99"]) {
      expect(texts(svg).filter((text) => text === label)).toHaveLength(2);
    }
  });

  it("takes whatever a class is called", async () => {
    const svg = await renderSvg(
      confusionPlot(
        evil,
        matrix(3, (i) => `${evil}${"long ".repeat(99)}${i}`),
      ),
    );
    expect(svg).not.toContain("<b");
    expect((await renderPng(svg)).length).toBeGreaterThan(1000);
  });
});

describe("curves", () => {
  const line = (epoch: number, loss: number) => ({
    ...{ epoch, step: epoch, lr: 0.1, trainLoss: loss, trainAccuracy: 0.5 },
    ...{ valLoss: loss, valAccuracy: 0.5 },
  });

  it("have gaps where there is no number", async () => {
    const losses = [3, 2, Number.NaN, 1, Number.POSITIVE_INFINITY, 0.5];
    const epochs = losses.map((loss, i) => line(i + 1, loss));
    const { option } = trainingCurves("a", epochs);
    const series = option.series as { data: unknown[][] }[];
    expect(series[0]!.data.map(([, y]) => y)).toEqual([3, 2, "-", 1, "-", 0.5]);
    expect(await renderSvg(trainingCurves("a", epochs))).not.toMatch(/NaN|Infinity/);
  });

  it("have a panel for the gradient's norm where it is known", async () => {
    const epochs = [line(1, 2), line(2, 1)];
    const norms = new Map([[2, 1.5]]);
    expect(texts(await renderSvg(trainingCurves("a", epochs)))).not.toContain("Gradient norm");
    expect(texts(await renderSvg(trainingCurves("a", epochs, null, norms)))).toContain(
      "Gradient norm",
    );
  });
});

describe("pictures", () => {
  it("of a table keep every cell, cut long ones and escape", async () => {
    const rows = [
      [evil, "1"],
      ["x".repeat(100), "2"],
    ];
    const { svg } = tablePicture({ title: "t", heads: ["Run", "N"], rows, numeric: [false, true] });
    expect(svg).not.toContain("<b");
    expect(texts(svg)).toEqual(expect.arrayContaining(["Run", "N", "1", "2"]));
    expect(texts(svg).some((text) => text.includes("xx…xx") && text.length < 50)).toBe(true);
    expect((await renderPng(svg)).length).toBeGreaterThan(1000);
  });

  it("of a gallery say what is true, what was said and how surely", async () => {
    const picture = { pixels: new Uint8Array(12).fill(200), width: 2, height: 2 };
    const tile = { pictures: [picture], truth: evil, predicted: "cat", probability: 0.9876 };
    const { svg } = await gallery("g", [tile, { ...tile, truth: "cat" }]);
    expect(svg.match(/<image /g)).toHaveLength(2);
    const said = texts(svg);
    expect(said).toEqual(expect.arrayContaining(["said: cat", "true: cat"]));
    expect(said).toEqual(expect.arrayContaining(["wrong, 98.8 % sure", "right, 98.8 % sure"]));
    expect(svg).not.toContain("<b");
    expect((await renderPng(svg)).length).toBeGreaterThan(1000);
    expect(texts((await gallery("none", [])).svg)).toContain("none");
  });

  it("of heat are the picture in grey where the map is 0, and yellow where it is 1", () => {
    const { pixels } = heatOver({ pixels: Uint8Array.of(100, 100), width: 2, height: 1 }, [0, 1]);
    expect([...pixels.subarray(0, 3)]).toEqual([80, 80, 80]);
    expect([...pixels.subarray(3)]).toEqual([240, 228, 66].map((c) => Math.round(0.75 * c + 20)));
  });
});
