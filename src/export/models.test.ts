import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import {
  createModel,
  freeze,
  type ModelName,
  type ModelOptions,
  modelNames,
} from "../models/index.ts";
import { withoutInit } from "../nn/index.ts";
import { Generator, inference, ops, scope } from "../tensor/index.ts";
import type { Graph } from "./graph.ts";
import { lower } from "./lower/lower.ts";
import { encodeModel } from "./onnx/encode.ts";
import { OnnxSession } from "./session.ts";
import { traceForward } from "./trace/symbolic.ts";

expectNoLeaks();

const compute = {
  device: "cpu",
  precision: "fp32",
  autocast: null,
  memoryFormat: "channels_last",
  reason: "",
} as const;

/** Too large to be run in seconds: the same operators as a smaller one, in the same order. */
const largeAs: Partial<Record<ModelName, ModelName>> = {
  vit_base_patch16_224: "vit_small_patch16_224",
  vit_base_patch32_224: "vit_small_patch32_224",
};

describe("every registered model", () => {
  for (const name of modelNames) {
    const smaller = largeAs[name];
    if (smaller !== undefined) {
      it(`${name} has the graph of ${smaller}`, () => {
        expect(graphOf(name, 64).nodes.map(({ op }) => op)).toEqual(
          graphOf(smaller, 64).nodes.map(({ op }) => op),
        );
      });
      continue;
    }
    it(`${name} says the same in ONNX Runtime, for batches of any size`, async () => {
      const size = name.includes("cifar") || name === "simple_cnn" ? 32 : 64;
      const made = exported(name, size);
      await expectSameInOnnxRuntime(made, size);
      expect(made.ops).not.toContain("BatchNormalization");
      expect(made.ops).not.toContain("Identity");
    });
  }
});

// Of even sides TensorFlow's padding is a zero at one end, which an ONNX node adds; of odd ones a zero at each, which Conv has.
it.each([
  [64, 5],
  [65, 0],
  [75, 2],
])("tf_efficientnet_lite0 of %d pixels says the same with %d Pad nodes", async (size, pads) => {
  const made = exported("tf_efficientnet_lite0", size);
  await expectSameInOnnxRuntime(made, size);
  expect(made.ops.filter((op) => op === "Pad")).toHaveLength(pads);
});

it.each(["simple_cnn", "resnet20_cifar"] as const)(
  "%s whose batch norms are not folded says the same in ONNX Runtime",
  async (name) => {
    const made = exported(name, 32, { folded: false });
    await expectSameInOnnxRuntime(made, 32);
    expect(made.ops).toContain("BatchNormalization");
  },
);

async function expectSameInOnnxRuntime(
  { file, images, logits }: ReturnType<typeof exported>,
  size: number,
): Promise<void> {
  await using session = await OnnxSession.open(file);
  const answer = await session.first({ data: images, shape: [5, 3, size, size] });
  expect(answer.shape).toEqual([5, 7]);
  const scale = Math.max(...logits.map(Math.abs));
  expect(scale).toBeGreaterThan(0);
  const worst = Math.max(...logits.map((v, i) => Math.abs(v - answer.data[i]!)));
  expect(worst / Math.max(1, scale)).toBeLessThan(1e-4);
}

function graphOf(name: ModelName, size: number): Graph {
  using random = new Generator(1);
  using model = withoutInit(() => createModel(name, optionsOf(size, random)));
  freeze(model, [3, size, size], compute);
  return lower(traceForward(model, (x) => model.forward(x), [3, size, size]));
}

const optionsOf = (size: number, random: Generator): ModelOptions => ({
  classes: 7,
  inChannels: 3,
  imageSize: [size, size],
  random: { init: random, dropout: random },
});

function exported(name: ModelName, size: number, { folded = true } = {}) {
  using random = new Generator(1);
  using model = createModel(name, optionsOf(size, random));
  model.to({ memoryFormat: "channels_last" });
  if (folded) freeze(model, [3, size, size], compute);
  else {
    // A pass in training, so that the running statistics are some batch's.
    inference(() =>
      scope(() => {
        model.forward(ops.randn([5, 3, size, size], { generator: random }));
      }),
    );
    model.eval();
  }
  const trace = traceForward(model, (x) => model.forward(x), [3, size, size]);
  const graph = lower(trace);
  const { model: chunks } = encodeModel(graph, {
    producerVersion: "0",
    metadata: {},
    externalName: "model.onnx.data",
  });
  return inference(() =>
    scope(() => {
      const images = ops.randn([5, 3, size, size], { generator: random });
      const logits = model.forward(images);
      return {
        file: Buffer.concat(chunks),
        images: images.toArray("float32"),
        logits: [...logits.toArray("float32")],
        ops: graph.nodes.map(({ op }) => op),
      };
    }),
  );
}
