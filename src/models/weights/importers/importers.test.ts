import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { TensorData } from "../safetensors.ts";
import { importers } from "./registry.ts";

type Shapes = Readonly<Record<string, readonly number[]>>;
const fixture = new URL("../../../../test/fixtures/torchvision-layouts.json.gz", import.meta.url);
const { layouts } = JSON.parse(gunzipSync(readFileSync(fixture)).toString()) as {
  layouts: Record<string, { torchvision: Shapes; timmName: string; timm: Shapes }>;
};

/** The numbers of a tensor count through, so that it is known again under another name. */
function tensorsOf(shapes: Shapes): Map<string, TensorData> {
  return new Map(
    Object.entries(shapes).map(([key, shape], i) => {
      const dtype = key.endsWith("num_batches_tracked") ? "I64" : "F32";
      // Shapes are what counts here; one value stands for all of a tensor's.
      return [key, { dtype, shape, bytes: new Uint8Array(new Float32Array([i]).buffer) }];
    }),
  );
}

const shapesOf = (tensors: ReadonlyMap<string, TensorData>): Record<string, readonly number[]> =>
  Object.fromEntries([...tensors].map(([key, { shape }]) => [key, [...shape]]));

describe.each(Object.entries(layouts))("torchvision's %s", (name, { torchvision, timm }) => {
  const tensors = tensorsOf(torchvision);
  const matching = importers.filter(({ matches }) => matches(new Set(tensors.keys())));

  if (name.startsWith("resnet")) {
    it("has timm's keys already", () => {
      expect(matching).toEqual([]);
      expect(torchvision).toEqual(timm);
    });
    return;
  }

  it("is recognised by one importer, timm's own layout by none", () => {
    expect(matching).toHaveLength(1);
    expect(importers.filter(({ matches }) => matches(new Set(Object.keys(timm))))).toEqual([]);
  });

  it("becomes timm's keys and shapes, all of them and no others", () => {
    expect(shapesOf(matching[0]!.convert(tensors))).toEqual(timm);
  });

  it("keeps the order of the layers, and with it what each tensor is", () => {
    const converted = [...matching[0]!.convert(tensors)];
    const kept = [...tensors.values()].filter(
      (_, i) => !Object.keys(torchvision)[i]!.endsWith("relative_position_index"),
    );
    converted.forEach(([key, { bytes }], i) => {
      if (!key.endsWith("running_var")) expect(bytes).toBe(kept[i]!.bytes);
    });
  });
});

it("MobileNetV3's running variances carry the difference of the epsilons", () => {
  const tensors = tensorsOf(layouts["mobilenet_v3_small"]!.torchvision);
  const importer = importers.find(({ matches }) => matches(new Set(tensors.keys())))!;
  const { bytes } = importer.convert(tensors).get("bn1.running_var")!;
  const before = tensors.get("features.0.1.running_var")!.bytes;
  const value = (of: Uint8Array) => new Float32Array(of.slice().buffer)[0]!;
  expect(value(bytes) + 1e-5).toBeCloseTo(value(before) + 1e-3, 6);
});
