export const name = "export";
export const summary =
  "exported files in ONNX Runtime, int8 against fp32, and thaw predict against torchvision's ImageFolder and ResNet-50";

const session = "bench/ours/onnx-session.mjs";
const quickArgs = ["--steps", "3"];

/** @type {Readonly<Record<string, import("./harness/sides.mjs").Side>>} */
export const sides = {
  fp32: { runtime: "node", script: session, args: ["--precision", "fp32"], quickArgs },
  int8: { runtime: "node", script: session, args: ["--precision", "int8"], quickArgs },
  "predict run": {
    runtime: "node",
    script: "bench/ours/predict.mjs",
    quickArgs: ["--images", "64"],
  },
  "predict file": {
    runtime: "node",
    script: "bench/ours/predict.mjs",
    args: ["--file"],
    quickArgs: ["--images", "64"],
  },
  torchvision: {
    runtime: "python",
    script: "bench/peers/predict.py",
    quickArgs: ["--images", "64"],
    rounds: 2,
  },
};

const speed = { metric: "imagesPerSecond", unit: "img/s" };
const times = (atLeast) => ({ of: "ratio", atLeast });

/** @type {readonly (import("./harness/figures.mjs").Figure & {summary: string})[]} */
export const figures = [
  {
    name: "int8-speed",
    summary: "resnet50, 224 px, batches of 8, in ONNX Runtime: int8 against fp32",
    ours: "int8",
    peer: "fp32",
    ...speed,
    goal: times(2),
  },
  {
    name: "int8-size",
    summary: "resnet50's file: int8 against fp32",
    ours: "int8",
    peer: "fp32",
    metric: "fileBytes",
    unit: "bytes",
    goal: { of: "ratio", atMost: 0.27 },
  },
  {
    name: "predict-file",
    summary:
      "thaw predict of a resnet50 in fp32 by its ONNX file, 1,000 JPEGs, against ImageFolder and an eval loop",
    ours: "predict file",
    peer: "torchvision",
    ...speed,
    goal: times(2),
  },
  {
    name: "predict-run",
    summary: "the same by the run itself",
    ours: "predict run",
    peer: "torchvision",
    ...speed,
    goal: times(2),
  },
];
