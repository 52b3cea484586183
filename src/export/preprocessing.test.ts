import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { fitPicture } from "../data/files/fit.ts";
import type { NetworkInput } from "../run/input.ts";
import { GraphBuilder } from "./graph.ts";
import { frontGraph, pictureFront, pixelFront, withFront } from "./preprocessing.ts";
import { bytesOf } from "./quantize/calibrate.ts";
import { OnnxSession } from "./session.ts";

expectNoLeaks();

// What comes out are grey levels.
const each = { channels: 3, mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] };
const inputs = [
  { ...each, height: 48, width: 48, interpolation: "bilinear", cropPct: 0.875 },
  { ...each, height: 48, width: 48, interpolation: "bicubic", cropPct: 1 },
  { ...each, height: 40, width: 64, interpolation: "bicubic", cropPct: 0.95 },
] as const satisfies readonly NetworkInput[];

/** [height, width]: reduced, as they are, narrow, and with halves to round. */
const reduced = [
  [375, 500],
  [500, 333],
  [64, 201],
  [601, 97],
  [127, 131],
] as const;
const enlarged = [
  [30, 44],
  [48, 48],
  [48, 51],
  [49, 48],
  [90, 20],
] as const;

/** Smooth with edges, as photographs are. */
function picture(height: number, width: number): Uint8Array {
  return Uint8Array.from({ length: height * width * 3 }, (_, i) => {
    const [x, y, c] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3];
    const edges = (((x >> 3) + (y >> 4)) % 2) * 60 + ((i * 7919) % 23);
    const value = 128 + 90 * Math.sin(x / (5 + c)) * Math.cos(y / 7) + edges;
    return Math.max(0, Math.min(255, value));
  });
}

describe("a picture of any size", () => {
  for (const input of inputs) {
    const { height, width, interpolation, cropPct } = input;
    const crop = { kind: "center", pct: cropPct } as const;
    const fit = { size: [height, width], interpolation, crop } as const;
    it(`becomes in the graph what training makes of it: ${interpolation} to ${height}×${width}`, async () => {
      await using session = await OnnxSession.open(bytesOf(frontGraph(pictureFront(input), input)));
      const levels = async (h: number, w: number) => {
        const pixels = picture(h, w);
        const ours = new Uint8Array(height * width * 3);
        fitPicture({ height: h, width: w, pixels }, fit, ours, () => {
          throw new Error("nothing is drawn");
        });
        const { data, shape } = await session.first({ data: pixels, shape: [1, h, w, 3] });
        expect(shape).toEqual([1, 3, height, width]);
        const apart = Array.from(ours, (value, i) =>
          Math.abs(value - data[(i % 3) * height * width + Math.floor(i / 3)]!),
        );
        const largest = Math.round(Math.max(...apart));
        return { largest, mean: apart.reduce((sum, value) => sum + value, 0) / apart.length };
      };
      for (const [h, w] of reduced) {
        const { largest, mean } = await levels(h, w);
        expect(largest).toBeLessThanOrEqual(1);
        expect(mean).toBeLessThan(0.01);
      }
      for (const [h, w] of enlarged) {
        const { largest, mean } = await levels(h, w);
        expect(largest).toBeLessThanOrEqual(2);
        expect(mean).toBeLessThan(0.1);
      }
    });
  }
});

it("goes before a graph that has its input's name already", async () => {
  const input = { ...each, height: 1, width: 2 };
  const builder = new GraphBuilder(17);
  const said = builder.unique("pixels");
  builder.rename(builder.add("Neg", ["images"]), said);
  const ends = { type: "float32", shape: [{ perImage: 1 }, 3, 1, 2] } as const;
  const graph = builder.finish(new Map([["images", ends]]), new Map([[said, ends]]));
  await using session = await OnnxSession.open(
    bytesOf(withFront(graph, pixelFront(input), "pixels")),
  );
  expect([session.inputNames, session.outputNames]).toEqual([["pixels_1"], ["pixels"]]);
  const { data } = await session.first({
    data: Uint8Array.from([1, 2, 3, 4, 5, 6]),
    shape: [1, 1, 2, 3],
  });
  expect(Array.from(data, Math.round)).toEqual([-1, -4, -2, -5, -3, -6]);
});
