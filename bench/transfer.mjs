import { missingProbeData } from "./harness/probe-data.mjs";

export const name = "transfer";
export const summary =
  "transfer learning at 3x224x224: a linear probe, fine-tuning steps of batch 32, what the trainer adds to a step";

const missing = missingProbeData();
/** Why figures are left out. */
export const notes =
  missing === undefined ? [] : [`probe and probe-accuracy are skipped: ${missing}`];

const ours = "bench/ours/train-network.mjs";
const peer = "bench/peers/train_network.py";
const quickArgs = ["--steps", "1", "--batch", "8"];
const fast = ["--precision", "bf16", "--layout", "channels_last"];
const tasks = {
  "resnet50-partial": {
    own: ["--model", "resnet50", "--unfreeze", "2"],
    other: ["--model", "resnet50", "--train", "layer3", "layer4", "fc"],
    goals: [3, 1.1],
  },
  "resnet50-full": {
    own: ["--model", "resnet50"],
    other: ["--model", "resnet50"],
    goals: [3, 1.1],
  },
  "vit-tiny-full": {
    own: ["--model", "vit_tiny_patch16_224"],
    other: ["--model", "vit_tiny_patch16_224"],
    goals: [4, 1.2],
  },
};
const probeQuick = ["--images", "64", "--val", "64"];

/** @type {Readonly<Record<string, import("./harness/sides.mjs").Side>>} */
export const sides = {
  "ours probe": {
    runtime: "node",
    script: "bench/ours/probe.mjs",
    quickArgs: probeQuick,
    rounds: 1,
  },
  "PyTorch probe": {
    runtime: "python",
    script: "bench/peers/probe.py",
    quickArgs: probeQuick,
    rounds: 1,
  },
  "ours partial run": {
    runtime: "node",
    script: "bench/ours/partial-run.mjs",
    quickArgs: ["--images", "16", "--batch", "8", "--epochs", "2"],
  },
  "ours trainer": {
    runtime: "node",
    script: "bench/ours/trainer-overhead.mjs",
    quickArgs: ["--steps", "10", "--epochs", "3"],
  },
  ...Object.fromEntries(
    Object.entries(tasks).flatMap(([task, { own, other }]) => [
      [`ours ${task}`, { runtime: "node", script: ours, args: own, quickArgs }],
      [`PyTorch ${task}`, { runtime: "python", script: peer, args: other, quickArgs }],
      [
        `PyTorch bf16 ${task}`,
        { runtime: "python", script: peer, args: [...other, ...fast], quickArgs },
      ],
    ]),
  ),
};

const speed = { metric: "imagesPerSecond", unit: "img/s" };
const probe = { ours: "ours probe", peer: "PyTorch probe" };

/** @type {readonly (import("./harness/figures.mjs").Figure & {summary: string})[]} */
export const figures = [
  ...(missing !== undefined
    ? []
    : [
        {
          name: "probe",
          summary:
            "DeiT-Tiny frozen, 2,000 images, 10 epochs; the peer's time is ten times its first epoch's",
          ...{ ...probe, metric: "probesPerHour", unit: "probes/h" },
          goal: { of: "ratio", atLeast: 30 },
        },
        {
          name: "probe-accuracy",
          summary: "of both after the last epoch, on 1,000 images: at most 0.5 points less",
          ...{ ...probe, metric: "accuracy", unit: "%", goal: { of: "difference", atLeast: -0.5 } },
        },
      ]),
  ...Object.entries(tasks).flatMap(([task, { goals }]) => [
    {
      name: task,
      summary: "against PyTorch's default (fp32, NCHW)",
      ...{ ours: `ours ${task}`, peer: `PyTorch ${task}`, ...speed },
      goal: { of: "ratio", atLeast: goals[0] },
    },
    {
      name: `${task}-bf16`,
      summary: "against bf16 autocast and channels_last",
      ...{ ours: `ours ${task}`, peer: `PyTorch bf16 ${task}`, ...speed },
      goal: { of: "ratio", atLeast: goals[1] },
    },
  ]),
  {
    name: "resnet50-partial-run",
    summary: "15 epochs of 256 images without augmentation, against steps of PyTorch's default",
    ...{ ours: "ours partial run", peer: "PyTorch resnet50-partial", ...speed },
    goal: { of: "ratio", atLeast: 3 },
  },
  {
    name: "trainer-overhead",
    summary: "time of an epoch's steps above as many bare steps of simple_cnn at 3x32x32",
    ours: "ours trainer",
    ...{ metric: "overheadPercent", unit: "%", goal: { of: "ours", atMost: 2 } },
  },
];
