import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { everyFifthDog, photographs } from "../../test/support/dog-photographs.ts";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import {
  autocast,
  Generator,
  inference,
  inMemoryFormat,
  ops,
  scope,
  type Tensor,
} from "../tensor/index.ts";
import { chooseCompute, createModel, freeze } from "./index.ts";
import { loadWeights, readWeights } from "./weights/index.ts";

const mirror = process.env["THAW_MIRROR"] || resolve(import.meta.dirname, "../../../shared/data");
const needed = [
  "weights-deit-tiny-safetensors.tar.gz",
  "stanford-dogs-5.tar.gz",
  "reference-outputs.json",
];
const missing = needed.filter((file) => !existsSync(join(mirror, file)));
if (missing.length > 0) {
  console.log(`skipped: DeiT-Tiny's real weights, because ${mirror} lacks ${missing.join(", ")}`);
}

/** Of one photograph, computed in NumPy by code of others. */
interface Reference {
  readonly top5: readonly number[];
  readonly top5_logits: readonly number[];
  readonly features_first8: readonly number[];
}

const BATCH = 32;
const CLASSES = 1000;
const WIDTH = 192;

expectNoLeaks();

describe.skipIf(missing.length > 0)("DeiT-Tiny's published weights", () => {
  const folder = mkdtempSync(join(tmpdir(), "thaw-deit-"));
  beforeAll(() => {
    for (const archive of needed.slice(0, 2)) {
      execFileSync("tar", ["-xf", join(mirror, archive), "-C", folder, "--strip-components=1"]);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("give the outputs that NumPy gave for ten photographs", async () => {
    const file = JSON.parse(readFileSync(join(mirror, "reference-outputs.json"), "utf8")) as {
      imagenet: Record<string, { images: Record<string, Reference> }>;
    };
    const references = Object.entries(file.imagenet["deit_tiny_patch16_224"]!.images);
    expect(references).toHaveLength(10);
    using network = pretrained("fp32");
    using images = await photographs(
      folder,
      references.map(([name]) => name),
    );
    const { logits, features } = network.outputs(images);
    references.forEach(([name, { top5, top5_logits, features_first8 }], i) => {
      const highestFive = [...logits[i]!.keys()]
        .sort((x, y) => logits[i]![y]! - logits[i]![x]!)
        .slice(0, 5);
      expect(highestFive, name).toEqual(top5);
      // The file has three and four digits; a decoder that differs by a grey level moves the third.
      top5.forEach((label, j) => {
        expect(Math.abs(logits[i]![label]! - top5_logits[j]!), name).toBeLessThan(2e-3);
      });
      features_first8.forEach((value, j) => {
        expect(Math.abs(features[i]![j]! - value), name).toBeLessThan(5e-4);
      });
    });
  });

  it("know the dogs, in bf16 as in fp32", async () => {
    const dogs = everyFifthDog(folder);
    expect(dogs).toHaveLength(163);
    using full = pretrained("fp32");
    using half = pretrained("bf16");
    const cosines: number[] = [];
    let [right, same] = [0, 0];
    for (let start = 0; start < dogs.length; start += BATCH) {
      const batch = dogs.slice(start, start + BATCH);
      using images = await photographs(
        folder,
        batch.map(({ name }) => name),
      );
      const [a, b] = [full.outputs(images), half.outputs(images)];
      batch.forEach(({ label }, i) => {
        const answer = highest(a.logits[i]!);
        if (answer === label) right++;
        if (answer === highest(b.logits[i]!)) same++;
        cosines.push(cosine(a.features[i]!, b.features[i]!));
      });
    }
    // timm 1.0.15 with the same weights and Pillow's pixels: 123 right, 75.5 %.
    expect(Math.abs(right - 123)).toBeLessThanOrEqual(1);
    expect(same / dogs.length).toBeGreaterThanOrEqual(0.99);
    cosines.sort((x, y) => x - y);
    expect(cosines[cosines.length >> 1]).toBeGreaterThan(0.999);
  });

  /** DeiT-Tiny as the file has it, frozen. */
  function pretrained(precision: "fp32" | "bf16") {
    const compute = chooseCompute({ device: "cpu", precision });
    const { device, autocast: dtype, memoryFormat } = compute;
    using random = new Generator(1);
    const model = createModel("deit_tiny_patch16_224", {
      classes: CLASSES,
      inChannels: 3,
      imageSize: [224, 224],
      random: { init: random, dropout: random },
    });
    const { tensors } = readWeights(join(folder, "deit_tiny_patch16_224.safetensors"));
    expect(loadWeights(model, tensors)).toMatchObject({ adapted: [], reinitialized: [] });
    freeze(model.to(compute), [3, 224, 224], compute);
    return {
      /** Logits [1000] and features [192] of each image. */
      outputs: (images: Tensor) =>
        inference(() =>
          scope(() => {
            const embed = () => model.embed(inMemoryFormat(images, memoryFormat));
            const embedding = dtype === null ? embed() : autocast({ device, dtype }, embed);
            const seen = ops.toDtype(embedding, "float32");
            return {
              features: rows(seen.toArray("float32"), WIDTH),
              logits: rows(model.head.forward(seen).toArray("float32"), CLASSES),
            };
          }),
        ),
      [Symbol.dispose]: () => model[Symbol.dispose](),
    };
  }
});

function rows(flat: Float32Array, width: number): Float32Array[] {
  return Array.from({ length: flat.length / width }, (_, i) =>
    flat.subarray(i * width, (i + 1) * width),
  );
}

function highest(values: Float32Array): number {
  return values.indexOf(Math.max(...values));
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, v, i) => sum + v * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
