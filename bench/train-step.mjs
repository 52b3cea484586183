export const name = "train-step";
export const summary =
  "a SimpleCNN training step (3x32x32, batch 128, Adam) against Debian's PyTorch on 2 threads";

const ours = "bench/ours/train-step.mjs";
const peer = "bench/peers/train_step.py";
const bf16 = ["--precision", "bf16", "--layout", "channels_last", "--steps", "40"];
const fp32 = ["--precision", "fp32", "--layout", "nchw", "--steps", "20"];
const quickArgs = ["--steps", "5", "--warmup", "2"];

/** @type {Readonly<Record<string, import("./harness/sides.mjs").Side>>} */
export const sides = {
  "ours default": { runtime: "node", script: ours, args: ["--steps", "40"], quickArgs },
  "ours default + loader": {
    runtime: "node",
    script: ours,
    args: ["--steps", "80", "--loader"],
    quickArgs,
  },
  "ours bf16": { runtime: "node", script: ours, args: bf16, quickArgs },
  "ours fp32": { runtime: "node", script: ours, args: fp32, quickArgs },
  "ours 2,000 steps": {
    runtime: "node",
    script: ours,
    args: ["--steps", "2000", "--warmup", "50"],
    quickArgs: ["--steps", "100"],
    rounds: 1,
  },
  "ours call": { runtime: "node", script: "bench/ours/call-overhead.mjs" },
  "ours help": { runtime: "node", script: "dist/cli/main.js", args: ["--help"], wallOnly: true },
  "PyTorch bf16": { runtime: "python", script: peer, args: bf16, quickArgs },
  "PyTorch fp32": { runtime: "python", script: peer, args: fp32, quickArgs },
  "PyTorch call": { runtime: "python", script: "bench/peers/call_overhead.py" },
};

const speed = { metric: "imagesPerSecond", unit: "img/s" };
const memory = { metric: "peakRssBytes", unit: "bytes" };

/** @type {readonly (import("./harness/figures.mjs").Figure & {summary: string})[]} */
export const figures = [
  {
    name: "default",
    summary: "as a user gets it by default, against PyTorch's default (fp32, NCHW)",
    ours: "ours default",
    peer: "PyTorch fp32",
    ...speed,
    goal: { of: "ratio", atLeast: 4 },
  },
  {
    name: "bf16",
    summary: "both bf16 autocast, channels_last",
    ours: "ours bf16",
    peer: "PyTorch bf16",
    ...speed,
    goal: { of: "ratio", atLeast: 1.25 },
  },
  {
    name: "fp32",
    summary: "both fp32, NCHW",
    ours: "ours fp32",
    peer: "PyTorch fp32",
    ...speed,
    goal: { of: "ratio", atLeast: 1.3 },
  },
  {
    name: "peak-memory-bf16",
    summary: "highest resident memory of the process, both bf16, channels_last",
    ours: "ours bf16",
    peer: "PyTorch bf16",
    ...memory,
    goal: { of: "ratio", atMost: 1.1 },
  },
  {
    name: "peak-memory-fp32",
    summary: "highest resident memory of the process, both fp32, NCHW",
    ours: "ours fp32",
    peer: "PyTorch fp32",
    ...memory,
    goal: { of: "ratio", atMost: 1.1 },
  },
  {
    name: "memory-growth",
    summary: "growth of resident memory over 2,000 steps after 50 of warm-up",
    ours: "ours 2,000 steps",
    metric: "rssGrowthPercent",
    unit: "%",
    goal: { of: "ours", atMost: 5 },
  },
  {
    name: "step-with-loader",
    summary: "the step fed by the loader (crop, flip, normalize), against our own bare step",
    ours: "ours default + loader",
    peer: "ours default",
    ...speed,
    goal: { of: "ratio", atLeast: 0.85 },
  },
  {
    name: "call-overhead",
    summary: "one operator call: add of two tensors of one element, result freed",
    ours: "ours call",
    peer: "PyTorch call",
    metric: "microsecondsPerCall",
    unit: "us",
    goal: { of: "ours", atMost: 3 },
  },
  {
    name: "help",
    summary: "wall time of `thaw --help`, the whole process",
    ours: "ours help",
    metric: "wallSeconds",
    unit: "s",
    goal: { of: "ours", atMost: 0.2 },
  },
];
