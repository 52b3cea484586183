import { networks, quickArgs } from "./harness/networks.mjs";

export const name = "training";
export const summary =
  "training steps against a current PyTorch (THAW_BENCH_PYTHON), its default and the best of its ways";

const ours = "bench/ours/train-network.mjs";
const peer = "bench/peers/train_network.py";
const quick = [...quickArgs, "--steps", "1"];
const bf16 = ["--precision", "bf16", "--layout", "channels_last"];

/** Ways in which people make PyTorch faster; the best of them counts. */
const ways = { default: [], bf16, compiled: [...bf16, "--compile"] };
const attentionWays = {
  "bf16, explicit attention": [...bf16, "--explicit-attention"],
  "compiled, explicit attention": [...bf16, "--explicit-attention", "--compile"],
};

const full = Object.fromEntries(
  Object.entries(networks).map(([key, network]) => [
    key,
    {
      ...network,
      own: [],
      other: [],
      ways: key === "vit-tiny" ? { ...ways, ...attentionWays } : ways,
    },
  ]),
);
const tasks = {
  ...full,
  "resnet50-partial": {
    ...full.resnet50,
    own: ["--unfreeze", "2"],
    other: ["--train", "layer3", "layer4", "fc"],
  },
};

/** Against PyTorch's default, and against its best. */
const goals = {
  "simple-cnn": [4, 1.8],
  "resnet18-28": [3.5, 1.5],
  resnet50: [3.5, 1.35],
  "resnet50-partial": [3.5, 1.35],
  "efficientnet-b0": [3.5, 1.5],
  "convnext-tiny": [3.5, 1.3],
  "vit-tiny": [3.5, 1.3],
};

/** @type {Readonly<Record<string, import("./harness/sides.mjs").Side>>} */
export const sides = Object.fromEntries(
  Object.entries(tasks).flatMap(([task, { model, args, trainArgs, own, other, ways }]) => {
    const shared = ["--model", model, ...args, ...trainArgs];
    return [
      [
        `ours ${task}`,
        { runtime: "node", script: ours, args: [...shared, ...own], quickArgs: quick },
      ],
      ...Object.entries(ways).map(([way, more]) => [
        `PyTorch ${way} ${task}`,
        { runtime: "python", script: peer, args: [...shared, ...other, ...more], quickArgs: quick },
      ]),
    ];
  }),
);

/** @type {readonly (import("./harness/figures.mjs").Figure & {summary: string})[]} */
export const figures = Object.entries(tasks).flatMap(([task, { ways }]) => {
  const speed = { ours: `ours ${task}`, metric: "imagesPerSecond", unit: "img/s" };
  const [toDefault, toBest] = goals[task];
  return [
    {
      name: task,
      summary: "against PyTorch's default (fp32, NCHW)",
      ...speed,
      peer: `PyTorch default ${task}`,
      goal: { of: "ratio", atLeast: toDefault },
    },
    {
      name: `${task}-best`,
      summary: "against the best of default, bf16 autocast in channels_last, and torch.compile",
      ...speed,
      peer: Object.keys(ways).map((way) => `PyTorch ${way} ${task}`),
      goal: { of: "ratio", atLeast: toBest },
    },
  ];
});
