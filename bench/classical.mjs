export const name = "classical";
export const summary =
  "classical models on Fashion-MNIST against Debian's scikit-learn on 2 threads, to the same objective";

const ours = "bench/ours/classical.mjs";
const peer = "bench/peers/classical.py";
const equal = { of: "ratio", atLeast: 0.99999, atMost: 1.00001 };
const goals = {
  "logreg-5000": { atLeast: 8, peer: true },
  "logreg-fold": { atLeast: 8, peer: true, rounds: 1 },
  "svc-5000": { atLeast: 7, peer: true, rounds: 3 },
  knn: { atLeast: 2, peer: true, rounds: 3 },
  grid: { atMost: 120, rounds: 1 },
};

/** @type {Readonly<Record<string, import("./harness/sides.mjs").Side>>} */
export const sides = Object.fromEntries(
  Object.entries(goals).flatMap(([task, { peer: hasPeer, rounds }]) => {
    const limit = rounds === undefined ? {} : { rounds };
    const quickArgs = ["--rows", "1000"];
    const args = ["--task", task];
    const own = [`ours ${task}`, { runtime: "node", script: ours, args, quickArgs, ...limit }];
    const other = { runtime: "python", script: peer, args, quickArgs, ...limit };
    return hasPeer ? [own, [`scikit-learn ${task}`, other]] : [own];
  }),
);

/** @type {readonly import("./harness/figures.mjs").Figure[]} */
export const figures = Object.entries(goals).flatMap(([task, goal]) => {
  if (!goal.peer) {
    const own = { name: task, ours: `ours ${task}`, metric: "seconds", unit: "s" };
    return [{ ...own, goal: { of: "ours", atMost: goal.atMost } }];
  }
  const both = { ours: `ours ${task}`, peer: `scikit-learn ${task}` };
  const speed = { metric: "fitsPerSecond", unit: "fits/s" };
  const same = { metric: "objective", unit: "" };
  return [
    { name: task, ...both, ...speed, goal: { of: "ratio", atLeast: goal.atLeast } },
    ...(task === "knn"
      ? [{ name: "knn-accuracy", ...both, metric: "accuracy", unit: "", goal: equal }]
      : [{ name: `${task}-objective`, ...both, ...same, goal: { of: "ratio", atMost: 1.0001 } }]),
  ];
});
