export const name = "frozen-forward";
export const summary =
  "forward passes of frozen networks (3x224x224, batch 32) against Debian's torchvision on 2 threads";

const ours = "bench/ours/frozen-forward.mjs";
const peer = "bench/peers/frozen_forward.py";
const quickArgs = ["--passes", "1", "--warmup", "1", "--batch", "8"];
const goals = { resnet50: 3, vit_tiny_patch16_224: 3, efficientnet_b0: 1.7 };
const models = Object.keys(goals);

const fast = ["--precision", "bf16", "--layout", "channels_last"];

/** @type {Readonly<Record<string, import("./harness/sides.mjs").Side>>} */
export const sides = Object.fromEntries(
  models.flatMap((model) => [
    [`ours ${model}`, { runtime: "node", script: ours, args: ["--model", model], quickArgs }],
    [`PyTorch ${model}`, { runtime: "python", script: peer, args: ["--model", model], quickArgs }],
    [
      `PyTorch bf16 ${model}`,
      { runtime: "python", script: peer, args: ["--model", model, ...fast], quickArgs },
    ],
  ]),
);

/** @type {readonly import("./harness/figures.mjs").Figure[]} */
export const figures = models.flatMap((model) => [
  {
    name: model,
    ours: `ours ${model}`,
    peer: `PyTorch ${model}`,
    ...{ metric: "imagesPerSecond", unit: "img/s", goal: { of: "ratio", atLeast: goals[model] } },
  },
  {
    name: `${model}-bf16`,
    ours: `ours ${model}`,
    peer: `PyTorch bf16 ${model}`,
    ...{ metric: "imagesPerSecond", unit: "img/s", goal: { of: "ratio", atLeast: 1 } },
  },
  {
    name: `${model}-cosine`,
    ours: `ours ${model}`,
    ...{ metric: "cosine", unit: "cosine", goal: { of: "ours", atLeast: 0.999 } },
  },
]);
