import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dogBreeds } from "../../test/support/dog-photographs.ts";
import { mirrorWith } from "../../test/support/mirror.ts";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { fitPicture } from "../data/files/fit.ts";
import { decodeImage } from "../data/images/decode.ts";
import { Generator, inference, scope, Tensor } from "../tensor/index.ts";
import { createModel, type ModelName } from "./index.ts";
import { pretrainedReference, resolveWeights } from "./weights/hub/index.ts";
import { loadWeights, readWeights } from "./weights/index.ts";

const [SIZE, CLASSES, WIDTH, BATCH] = [224, 1000, 1280, 24];
const name: ModelName = "tf_efficientnet_lite0";

interface Reference {
  readonly file: string;
  readonly top5: readonly (readonly [label: number, logit: number])[];
  readonly embedding_first8: readonly number[];
}

const needed = [
  "weights-efficientnet-lite0-pytorch.tar.gz",
  "stanford-dogs-5.tar.gz",
  "reference-outputs-lite0.json",
];
const mirrors = needed.map(mirrorWith);
const mirror = mirrors.includes(undefined) ? undefined : mirrors[0];

expectNoLeaks();

describe.skipIf(mirror === undefined)("EfficientNet-Lite0's published weights", () => {
  const folder = mkdtempSync(join(tmpdir(), "thaw-lite0-"));
  let path: string;
  beforeAll(async () => {
    execFileSync("tar", ["-xf", join(mirror!, needed[1]!), "-C", folder, "--strip-components=1"]);
    const env = { THAW_HOME: join(folder, "home"), THAW_MIRROR: mirror };
    const found = await resolveWeights(pretrainedReference(name), { env, offline: true });
    expect(found.preprocessing).toMatchObject({ crop: 0.875, mean: [0.5, 0.5, 0.5] });
    path = found.path;
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("give timm's logits and features of ten photographs, and know 102 of 120 dogs as timm does", async () => {
    const { pictures, top1_of_first_24_of_each_breed: counted } = JSON.parse(
      readFileSync(join(mirror!, needed[2]!), "utf8"),
    ) as { pictures: Reference[]; top1_of_first_24_of_each_breed: { right: number; of: number } };
    using network = pretrained(name);
    const ten = await network.outputs(pictures.map(({ file }) => file));
    expect(pictures).toHaveLength(10);
    pictures.forEach(({ file, top5, embedding_first8 }, i) => {
      const { logits, features } = ten[i]!;
      const highest = [...logits.keys()].sort((x, y) => logits[y]! - logits[x]!).slice(0, 5);
      expect(highest, file).toEqual(top5.map(([label]) => label));
      for (const [label, logit] of top5) {
        expect(Math.abs(logits[label]! / logit - 1), `${file} ${label}`).toBeLessThan(1e-3);
      }
      embedding_first8.forEach((value, j) => {
        expect(Math.abs(features[j]! - value), file).toBeLessThan(2e-3);
      });
    });

    let [right, seen] = [0, 0];
    for (const [breed, label] of Object.entries(dogBreeds)) {
      const files = readdirSync(join(folder, breed)).sort().slice(0, BATCH);
      for (const { logits } of await network.outputs(files.map((file) => `${breed}/${file}`))) {
        if (logits.indexOf(Math.max(...logits)) === label) right++;
        seen++;
      }
    }
    expect({ right, of: seen }).toEqual({ right: counted.right, of: counted.of });
  });

  it("fit no network with PyTorch's padding, in which the same names compute something else", () => {
    expect(() => pretrained("efficientnet_lite0")).toThrow(
      /trained with TensorFlow's padding and batch norms; efficientnet_lite0 has PyTorch's/,
    );
  });

  function pretrained(model: ModelName) {
    using random = new Generator(1);
    const network = createModel(model, {
      ...{ classes: CLASSES, inChannels: 3, imageSize: [SIZE, SIZE] },
      random: { init: random, dropout: random },
    }).eval();
    const file = readWeights(path);
    expect(file.layout).toBe("efficientnet-pytorch");
    try {
      const report = loadWeights(network, file.tensors, { file, model });
      expect(report).toMatchObject({ adapted: [], reinitialized: [] });
    } catch (error) {
      network[Symbol.dispose]();
      throw error;
    }
    return {
      /** Logits [1000] and features [1280] of each photograph. */
      outputs: async (files: readonly string[]) => {
        const images = await prepared(files);
        return inference(() =>
          scope(() => {
            const x = Tensor.from(images, [files.length, 3, SIZE, SIZE]);
            const embedding = network.embed(x);
            const [features, logits] = [embedding, network.head.forward(embedding)].map((t) =>
              t.toArray("float32"),
            ) as [Float32Array, Float32Array];
            return files.map((_, i) => ({
              features: features.subarray(i * WIDTH, (i + 1) * WIDTH),
              logits: logits.subarray(i * CLASSES, (i + 1) * CLASSES),
            }));
          }),
        );
      },
      [Symbol.dispose]: () => network[Symbol.dispose](),
    };
  }

  /** [N, 3, 224, 224], resized to 256, cropped, and normalised to -1..1. */
  async function prepared(files: readonly string[]): Promise<Float32Array> {
    const plane = SIZE * SIZE;
    const values = new Float32Array(files.length * 3 * plane);
    const rgb = new Uint8Array(3 * plane);
    const crop = { kind: "center", pct: 0.875 } as const;
    for (const [n, file] of files.entries()) {
      const picture = await decodeImage(readFileSync(join(folder, file)), file);
      const fit = { size: [SIZE, SIZE], interpolation: "bicubic", crop } as const;
      fitPicture(picture, fit, rgb, () => {
        throw new Error("evaluation draws nothing");
      });
      for (let c = 0; c < 3; c++) {
        for (let i = 0; i < plane; i++) {
          values[(3 * n + c) * plane + i] = rgb[3 * i + c]! / 127.5 - 1;
        }
      }
    }
    return values;
  }
});
