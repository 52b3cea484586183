import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { TensorData } from "../safetensors.ts";
import { importers } from "./registry.ts";

type Shapes = Readonly<Record<string, readonly number[]>>;
function layoutsIn<Key extends string>(fixture: string) {
  const url = new URL(`../../../../test/fixtures/${fixture}`, import.meta.url);
  type Layout = Record<Key | "timm", Shapes>;
  return (
    JSON.parse(gunzipSync(readFileSync(url)).toString()) as { layouts: Record<string, Layout> }
  ).layouts;
}
const layouts = layoutsIn<"torchvision">("torchvision-layouts.json.gz");
const others = layoutsIn<"theirs">("efficientnet-pytorch-layouts.json.gz");
const all = [
  ...Object.entries(layouts).map(([name, { torchvision, timm }]) => ({
    ...{ library: "torchvision", name, theirs: torchvision, timm },
  })),
  ...Object.entries(others).map(([name, { theirs, timm }]) => ({
    ...{ library: "efficientnet-pytorch", name, theirs, timm },
  })),
];

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

const importersOf = (tensors: ReadonlyMap<string, unknown>) =>
  importers.filter(({ marks }) => marks.every((mark) => tensors.has(mark)));

const shapesOf = (tensors: ReadonlyMap<string, TensorData>): Record<string, readonly number[]> =>
  Object.fromEntries([...tensors].map(([key, { shape }]) => [key, [...shape]]));

describe.each(all)("$library's $name", ({ name, theirs, timm }) => {
  const tensors = tensorsOf(theirs);
  const matching = importersOf(tensors);

  if (name.startsWith("resnet")) {
    it("has timm's keys already", () => {
      expect(matching).toEqual([]);
      expect(theirs).toEqual(timm);
    });
    return;
  }

  it("is recognised by one importer, timm's own layout by none", () => {
    expect(matching).toHaveLength(1);
    expect(importersOf(new Map(Object.entries(timm)))).toEqual([]);
  });

  it("becomes timm's keys and shapes, all of them and no others", () => {
    expect(shapesOf(matching[0]!.convert(tensors))).toEqual(timm);
  });

  it("keeps the order of the layers, and with it what each tensor is", () => {
    const converted = [...matching[0]!.convert(tensors)];
    const kept = [...tensors.values()].filter(
      (_, i) => !Object.keys(theirs)[i]!.endsWith("relative_position_index"),
    );
    converted.forEach(([key, { bytes }], i) => {
      if (!key.endsWith("running_var")) expect(bytes).toBe(kept[i]!.bytes);
    });
  });
});

it("a block without squeeze-and-excitation, as EfficientNet-Lite's, keeps its place", () => {
  const { theirs, timm } = others["efficientnet-b0"]!;
  const lite = (shapes: Shapes, squeeze: RegExp) =>
    Object.fromEntries(Object.entries(shapes).filter(([key]) => !squeeze.test(key)));
  const tensors = tensorsOf(lite(theirs, /_se_/));
  const importer = importersOf(tensors)[0]!;
  expect(shapesOf(importer.convert(tensors))).toEqual(lite(timm, /\.se\./));
});

it("MobileNetV3's running variances carry the difference of the epsilons", () => {
  const tensors = tensorsOf(layouts["mobilenet_v3_small"]!.torchvision);
  const importer = importersOf(tensors)[0]!;
  const { bytes } = importer.convert(tensors).get("bn1.running_var")!;
  const before = tensors.get("features.0.1.running_var")!.bytes;
  const value = (of: Uint8Array) => new Float32Array(of.slice().buffer)[0]!;
  expect(value(bytes) + 1e-5).toBeCloseTo(value(before) + 1e-3, 6);
});
