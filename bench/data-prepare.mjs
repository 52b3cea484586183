export const name = "data-prepare";
export const summary = "`thaw data prepare` and `thaw data info`, whole processes";

const script = "bench/ours/data-commands.mjs";
const quickArgs = ["--images", "80"];

/** @type {Readonly<Record<string, import("./harness/sides.mjs").Side>>} */
export const sides = {
  "ours prepare": { runtime: "node", script, args: ["--command", "prepare"], quickArgs },
  "ours info": { runtime: "node", script, args: ["--command", "info"], quickArgs },
  "ours info 70,000": { runtime: "node", script, args: ["--command", "info-fashion-mnist"] },
};

/** @type {readonly (import("./harness/figures.mjs").Figure & {summary: string})[]} */
export const figures = [
  {
    name: "prepare-800",
    summary: "800 photographs of 500 x 375: checked, split, linked",
    ours: "ours prepare",
    metric: "seconds",
    unit: "s",
    goal: { of: "ours", atMost: 10 },
  },
  {
    name: "info-800",
    summary: "the same photographs: statistics, duplicates, contact sheet",
    ours: "ours info",
    metric: "seconds",
    unit: "s",
    goal: { of: "ours", atMost: 10 },
  },
  {
    name: "info-fashion-mnist",
    summary: "70,000 images, all pairs compared",
    ours: "ours info 70,000",
    metric: "seconds",
    unit: "s",
    goal: { of: "ours", atMost: 10 },
  },
];
