export const name = "load-weights";
export const summary =
  "reading the weights of resnet50 (102 MB, safetensors) against reading the file alone, both from the page cache";

const ours = "bench/ours/load-weights.mjs";
const quickArgs = ["--loads", "3"];

/** @type {Readonly<Record<string, import("./harness/sides.mjs").Side>>} */
export const sides = {
  "ours tensors": { runtime: "node", script: ours, args: ["--into", "tensors"], quickArgs },
  "ours model": { runtime: "node", script: ours, args: ["--into", "model"], quickArgs },
  readFileSync: { runtime: "node", script: ours, args: ["--into", "bytes"], quickArgs },
};

const time = { metric: "millisecondsPerLoad", unit: "ms" };

/** @type {readonly (import("./harness/figures.mjs").Figure & {summary: string})[]} */
export const figures = [
  {
    name: "load",
    summary: "every tensor of the file, checked and usable, against fs.readFileSync of it",
    ours: "ours tensors",
    peer: "readFileSync",
    ...time,
    goal: { of: "ratio", atMost: 1.3 },
  },
  {
    name: "load-into-model",
    summary: "the same and copied into a model that is there, against fs.readFileSync",
    ours: "ours model",
    peer: "readFileSync",
    ...time,
    goal: { of: "ratio", atMost: 2.5 },
  },
];
