export const name = "report";
export const summary = "what is said of runs, and what it costs to write them down";

const script = "bench/ours/report.mjs";
const small = ["--runs", "5", "--images", "1000", "--epochs", "3"];

/** @type {Readonly<Record<string, import("./harness/sides.mjs").Side>>} */
export const sides = {
  "ours report": { runtime: "node", script, quickArgs: small },
  "ours metrics": { runtime: "node", script, args: ["--what", "metrics"] },
  "ours logging": {
    ...{ runtime: "node", script: "bench/ours/logging.mjs", quickArgs: ["--steps", "20"] },
  },
};

const inSeconds = { metric: "seconds", unit: "s" };

/** @type {readonly (import("./harness/figures.mjs").Figure & {summary: string})[]} */
export const figures = [
  {
    name: "report-50",
    summary: "`thaw report` of 50 runs with 10,000 test predictions each",
    ...{ ours: "ours report", ...inSeconds, goal: { of: "ours", atMost: 5 } },
  },
  {
    name: "metrics-10000",
    summary: "all numbers of a test set of 10,000 images and 10 classes",
    ...{ ours: "ours metrics", ...inSeconds, goal: { of: "ours", atMost: 0.1 } },
  },
  {
    name: "logging",
    summary: "share of simple_cnn's step that its lines and events take",
    ...{ ours: "ours logging", metric: "sharePercent", unit: "%" },
    goal: { of: "ours", atMost: 1 },
  },
  {
    name: "logging-on-off",
    summary: "a step with them against one without, medians",
    ...{ ours: "ours logging", metric: "differencePercent", unit: "%" },
    goal: { of: "ours", atMost: 1 },
  },
];
