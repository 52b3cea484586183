import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formulaInput } from "../../test/formula.ts";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { autocast, Generator, inference, ops, scope, Tensor } from "../tensor/index.ts";
import { type Classifier, createModel } from "./index.ts";
import { readSafetensors } from "./weights/safetensors.ts";
import { fromTensorData } from "./weights/tensors.ts";

const mirror = process.env.THAW_MIRROR ?? resolve(import.meta.dirname, "../../../shared/data");
const archive = join(mirror, "weights-deit-tiny-safetensors.tar.gz");
const missing = !existsSync(archive);
if (missing) console.log(`skipped: DeiT-Tiny's real weights are not at ${archive} (THAW_MIRROR)`);

expectNoLeaks();

describe.skipIf(missing)("DeiT-Tiny's published weights", () => {
  const folder = mkdtempSync(join(tmpdir(), "thaw-deit-"));
  beforeAll(() => {
    execFileSync("tar", ["-xf", archive, "-C", folder, "--strip-components=1"]);
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  function withModel(body: (model: Classifier) => void): void {
    using init = new Generator(1);
    using dropout = new Generator(2);
    using model = createModel("deit_tiny_patch16_224", {
      classes: 1000,
      inChannels: 3,
      imageSize: [224, 224],
      random: { init, dropout },
    });
    const { tensors } = readSafetensors(join(folder, "deit_tiny_patch16_224.safetensors"));
    scope(() => {
      model.loadStateDict(new Map([...tensors].map(([key, t]) => [key, fromTensorData(t)])));
    });
    scope(() => body(model.eval()));
  }

  it("load as they are, and give bf16 features that point where those of fp32 do", () => {
    withModel((model) => {
      inference(() => {
        const shape = [2, 3, 224, 224];
        const x = Tensor.from(formulaInput(shape), shape);
        const full = model.embed(x);
        const half = autocast({ device: "cpu", dtype: "bfloat16" }, () => model.embed(x));
        const again = ops.toDtype(half, "float32");
        const product = ops.sumDim(ops.mul(full, again), { dim: 1 });
        const lengths = ops.mul(ops.normDim(full, 1), ops.normDim(again, 1));
        const cosines = ops.div(product, lengths).toArray("float32");
        expect(Math.min(...cosines)).toBeGreaterThan(0.999);
        const spread = ops.stdDim(model.head.forward(full), { dim: 1 }).toArray("float32");
        expect(Math.min(...spread)).toBeGreaterThan(0.1);
      });
    });
  });
});
