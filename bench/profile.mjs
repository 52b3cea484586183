export const name = "profile";
export const summary =
  "what profiling adds to a SimpleCNN training step (3x32x32, batch 128, Adam), in pairs within one process";

const quickArgs = ["--steps", "3", "--rounds", "3"];

/** @type {Readonly<Record<string, import("./harness/sides.mjs").Side>>} */
export const sides = {
  ours: { runtime: "node", script: "bench/ours/profile-overhead.mjs", rounds: 2, quickArgs },
};

/** @type {readonly (import("./harness/figures.mjs").Figure & {summary: string})[]} */
export const figures = [
  {
    name: "on",
    summary: "a step that is recorded by operator and module, above a bare one",
    ...{ ours: "ours", metric: "onPercent", unit: "%", goal: { of: "ours", atMost: 10 } },
  },
  {
    name: "off",
    summary: "a step of a network that was recorded before, above one of a network that never was",
    ...{ ours: "ours", metric: "offPercent", unit: "%", goal: { of: "ours", atMost: 1 } },
  },
];
