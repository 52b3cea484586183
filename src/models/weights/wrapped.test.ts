import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../../test/support/no-leaks.ts";
import { type Picklable, writeTorchZip } from "../../../test/support/torch-checkpoint.ts";
import { withoutInit } from "../../nn/index.ts";
import { Generator } from "../../tensor/index.ts";
import { type Classifier, createModel, type ModelName } from "../index.ts";
import { loadWeights, outputsIn } from "./load.ts";
import { readWeights } from "./read.ts";
import type { TensorData } from "./safetensors.ts";
import { toTensorData } from "./tensors.ts";

expectNoLeaks();
const folder = mkdtempSync(join(tmpdir(), "thaw-wrapped-"));
afterAll(() => rmSync(folder, { recursive: true }));

type Tensors = Map<string, TensorData>;

function build(name: ModelName, classes = 4): Classifier {
  using random = new Generator(1);
  return createModel(name, {
    ...{ classes, inChannels: 3, imageSize: [32, 32] },
    random: { init: random, dropout: random },
  });
}

function weightsOf(name: ModelName, classes?: number): Tensors {
  using model = build(name, classes);
  return new Map([...model.stateDict()].map(([key, tensor]) => [key, toTensorData(tensor)]));
}

const net = weightsOf("resnet20_cifar");
const small: TensorData = { dtype: "F32", shape: [3], bytes: new Uint8Array(12) };
const under = (prefix: string, tensors: Tensors = net): Tensors =>
  new Map([...tensors].map(([key, tensor]) => [prefix + key, tensor]));
const zeros = (tensors: Tensors): Tensors =>
  new Map([...tensors].map(([k, t]) => [k, { ...t, bytes: new Uint8Array(t.bytes.length) }]));

/** What becomes of a file in a ResNet-20 of four classes: the report, and whether it is `net`'s weights. */
function load(tensors: ReadonlyMap<string, TensorData>, model: ModelName = "resnet20_cifar") {
  using network = withoutInit(() => build(model));
  const report = loadWeights(network, tensors, { from: "file", model });
  const own = toTensorData(network.stateDict().get("conv1.weight")!);
  const isNet = Buffer.compare(own.bytes, net.get("conv1.weight")!.bytes) === 0;
  return { ...report, isNet };
}

function saved(name: string, root: Picklable): string {
  const path = join(folder, name);
  writeFileSync(path, writeTorchZip(root));
  return path;
}

describe("a network under a prefix", () => {
  it.each(["model.", "net.", "module.", "_orig_mod.module.", "model.module.", "any.how.called.0."])(
    "%s, with keys beside that are left out and named",
    (prefix) => {
      const beside = { "criterion.weight": small, mean: small, "head2.fc.weight": small };
      const report = load(new Map([...under(prefix), ...Object.entries(beside)]));
      expect(report).toMatchObject({ prefix, leftOut: Object.keys(beside), isNet: true });
      expect(report.loaded).toHaveLength(net.size);
    },
  );

  it("none, with a loss and statistics beside", () => {
    const { prefix, leftOut, isNet } = load(new Map([...net, ["std", small], ["loss.w", small]]));
    expect({ prefix, leftOut, isNet }).toEqual({
      prefix: "",
      leftOut: ["std", "loss.w"],
      isNet: true,
    });
  });

  it("with a head for other classes, or none: its outputs are known, and it is left as it was built", () => {
    using model = build("resnet20_cifar");
    const other = under("net.", weightsOf("resnet20_cifar", 9));
    expect(outputsIn(other, model)).toBe(9);
    const head = ["linear.weight", "linear.bias"];
    expect(loadWeights(model, other, { newHead: true }).reinitialized).toEqual(head);
    for (const name of head) other.delete(`net.${name}`);
    expect(outputsIn(other, model)).toBeUndefined();
    expect(loadWeights(model, other, { newHead: true }).reinitialized).toEqual(head);
  });

  it("of another network says which, and the prefix", () => {
    expect(() => load(under("model.", weightsOf("resnet32_cifar")))).toThrow(
      "file does not fit resnet20_cifar: it looks like resnet32_cifar (names under model.)\n" +
        "  unexpected: model.layer1.3.conv1.weight, ",
    );
  });

  it("in another library's layout, with a loss beside", () => {
    const names = ["_conv_stem.weight", "_blocks.0._depthwise_conv.weight", "_fc.weight"];
    const tensors = new Map(names.map((name) => [`backbone.${name}`, small]));
    const path = saved("other.ckpt", new Map([...tensors, ["criterion.weight", small]]));
    const file = readWeights(path);
    expect([...file.tensors.keys()].sort()).toEqual(
      ["_blocks.0._depthwise_conv.weight", "classifier.weight", "conv_stem.weight"].sort(),
    );
    expect(file).toMatchObject({ layout: "efficientnet-pytorch", leftOut: ["criterion.weight"] });
  });
});

describe("several networks in a file", () => {
  it.each([
    ["student.", "teacher."],
    ["", "ema.module."],
  ])("of the same kind, under %j and %j, are refused with both names", (first, second) => {
    const both = new Map([...under(first), ...under(second, zeros(net))]);
    expect(() => load(both)).toThrow(
      `file: it contains the network 2 times, under ${first || "no prefix"} and ${second}`,
    );
  });

  it("of other kinds: the one that fits is taken, also where the other has all its names and more", () => {
    const both = new Map([...under("teacher.", weightsOf("resnet32_cifar")), ...under("student.")]);
    const { prefix, leftOut, isNet } = load(both);
    expect({ prefix, isNet }).toEqual({ prefix: "student.", isNet: true });
    expect(leftOut.every((name) => name.startsWith("teacher."))).toBe(true);
  });

  it("in another library's layout are refused with both names", () => {
    const names = ["_conv_stem.weight", "_blocks.0._depthwise_conv.weight"];
    const both = ["a.", "b."].flatMap((prefix) =>
      names.map((name) => [prefix + name, small] as const),
    );
    expect(() => readWeights(saved("twice.pt", new Map(both)))).toThrow(
      "it contains 2 networks of efficientnet-pytorch, under a. and b.",
    );
  });
});

describe("dicts of a checkpoint", () => {
  const optimizer: Picklable = new Map<string, Picklable>([
    ["state", new Map([["0", new Map([["exp_avg", small]])]])],
    ["param_groups", [new Map([["lr", 1]])]],
  ]);

  it("averaged weights are taken before the others, unless they are none", () => {
    const root = (ema: Picklable) =>
      new Map<string, Picklable>([
        ["epoch", 3],
        ["state_dict", under("model.", zeros(net))],
        ["state_dict_ema", ema],
        ["optimizer_states", [optimizer]],
      ]);
    const ema = readWeights(saved("ema.ckpt", root(under("module."))));
    expect(load(ema.tensors)).toMatchObject({ prefix: "module.", isNet: true, leftOut: [] });
    const none = readWeights(saved("no-ema.ckpt", root(new Map([["decay", 1]]))));
    expect(load(none.tensors)).toMatchObject({ prefix: "model.", isNet: false });
  });

  it.each([
    ["one of another name", new Map<string, Picklable>([["weights", net]]), ""],
    ["two levels deep", new Map([["ckpt", new Map<string, Picklable>([["network", net]])]]), ""],
    [
      "beside a discriminator",
      new Map<string, Picklable>([
        ["generator", net],
        ["discriminator", new Map([["w", small]])],
      ]),
      "generator.",
    ],
  ])("%s, and optimizers are ignored", (_, dicts, prefix) => {
    const root = new Map<string, Picklable>([["optimizer", optimizer], ...dicts]);
    const { tensors } = readWeights(saved("dicts.pt", root));
    const report = load(tensors);
    expect(report).toMatchObject({ prefix, isNet: true });
    expect(report.leftOut).toEqual(prefix === "" ? [] : ["discriminator.w"]);
  });
});
