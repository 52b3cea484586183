import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { createModel, freeze, type ModelName } from "../models/index.ts";
import { withoutInit } from "../nn/index.ts";
import { Generator, hasOperator } from "../tensor/index.ts";
import type { Graph } from "./graph.ts";
import { halved } from "./half.ts";
import { lower } from "./lower/lower.ts";
import { encodeModel } from "./onnx/encode.ts";
import { pictureFront, pixelFront, withFront } from "./preprocessing.ts";
import { planQuantization } from "./quantize/plan.ts";
import { quantize } from "./quantize/quantize.ts";
import { type Trace, traceForward } from "./trace/symbolic.ts";

expectNoLeaks();

/** One of each family. */
const families: readonly (readonly [ModelName, number])[] = [
  ["simple_cnn", 32],
  ["resnet20_cifar", 32],
  ["resnet18", 64],
  ["efficientnet_b0", 64],
  ["efficientnet_lite0", 64],
  ["mobilenetv3_small_100", 64],
  ["convnext_tiny", 64],
  ["vit_tiny_patch16_224", 64],
  ["swin_tiny_patch4_window7_224", 64],
];
const opsets = [14, 17, 18, 20, 21];

/** What test/oracle/onnx_check.py said of the very same graphs. */
const verdicts = JSON.parse(
  readFileSync(new URL("../../test/fixtures/onnx-check.json", import.meta.url), "utf8"),
) as {
  readonly onnx: string;
  readonly files: Readonly<Record<string, { digest: string; said: string }>>;
};

/** With THAW_ONNX_OUT, the folder that the files are written to for the script. */
const folder = process.env["THAW_ONNX_OUT"];
// libtorch 2 has attention as one operator, whose graph is another.
const isOldest = !hasOperator("aten::scaled_dot_product_attention");

describe("onnx's checker", () => {
  for (const [name, size] of families) {
    it.skipIf(!isOldest && /vit|swin/.test(name))(`takes ${name} in every opset and form`, () => {
      const forms = formsOf(name, size);
      expect(forms.size).toBe(opsets.length + 4);
      for (const [form, graph] of forms) {
        const file = `${name}-${form}`;
        const digest = digestOf(graph);
        if (folder !== undefined) write(file, graph, digest);
        else expect({ file, ...verdicts.files[file] }).toEqual({ file, digest, said: "ok" });
      }
    });
  }
});

function formsOf(name: ModelName, size: number): Map<string, Graph> {
  const trace = traceOf(name, size);
  const plain = lower(trace);
  const three = [0.5, 0.5, 0.5];
  const input = { channels: 3, height: size, width: size, mean: three, std: three };
  const fitted = { ...input, interpolation: "bicubic", cropPct: 0.875 } as const;
  const plan = planQuantization(plain, new Set());
  const ranges = new Map(plan.values.map((value) => [value, { min: -1, max: 1 }]));
  return new Map([
    ...opsets.map((opset) => [`opset${opset}`, lower(trace, { opset })] as const),
    ["half", halved(plain)],
    ["int8", quantize(plain, plan, ranges)],
    ["pixels", withFront(plain, pixelFront(input), "pixels")],
    ["pictures", withFront(lower(trace, { opset: 18 }), pictureFront(fitted), "pictures")],
  ]);
}

function traceOf(name: ModelName, size: number): Trace {
  using random = new Generator(1);
  using model = withoutInit(() =>
    createModel(name, {
      classes: 7,
      inChannels: 3,
      imageSize: [size, size],
      random: { init: random, dropout: random },
    }),
  );
  freeze(model, [3, size, size], {
    device: "cpu",
    precision: "fp32",
    autocast: null,
    memoryFormat: "channels_last",
    reason: "",
  });
  return traceForward(model, (x) => model.forward(x), [3, size, size]);
}

/** Of all that the checker judges: everything but the weights' values. */
function digestOf({ opset, nodes, initializers, inputs, outputs }: Graph): string {
  const tensors = [...initializers].map(([name, { type, shape }]) => [name, type, shape]);
  const document = [opset, nodes, tensors, [...inputs], [...outputs]];
  return createHash("sha256").update(JSON.stringify(document)).digest("hex").slice(0, 16);
}

function write(file: string, graph: Graph, digest: string): void {
  const { model } = encodeModel(graph, {
    producerVersion: "0",
    metadata: { digest },
    externalName: "",
  });
  const path = join(folder!, `${file}.onnx`);
  if (!existsSync(path)) writeFileSync(path, Buffer.concat(model));
}
