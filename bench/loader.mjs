export const name = "loader";
export const summary =
  "batches of 32 from JPEGs of 500x375 to 224 px, against torchvision's ImageFolder, Pillow and DataLoader(num_workers=2)";

const ours = "bench/ours/loader.mjs";
const peer = "bench/peers/loader.py";
const quickArgs = ["--images", "320"];
const train = ["--task", "train"];
const evaluation = ["--task", "eval"];

/** @type {Readonly<Record<string, import("./harness/sides.mjs").Side>>} */
export const sides = {
  "ours train": { runtime: "node", script: ours, args: train, quickArgs },
  "ours eval": { runtime: "node", script: ours, args: evaluation, quickArgs },
  "ours kept": {
    runtime: "node",
    script: ours,
    args: [...train, "--keep", "--keep-side", "256"],
    quickArgs,
  },
  "ours kept whole": { runtime: "node", script: ours, args: [...train, "--keep"], quickArgs },
  "ours kept eval": { runtime: "node", script: ours, args: [...evaluation, "--keep"], quickArgs },
  "ours fashion": {
    runtime: "node",
    script: ours,
    args: ["--task", "fashion", "--batch", "128", "--images", "54000"],
    quickArgs: ["--images", "12800"],
  },
  "DataLoader train": { runtime: "python", script: peer, args: train, quickArgs },
  "DataLoader eval": { runtime: "python", script: peer, args: evaluation, quickArgs },
};

const speed = { metric: "imagesPerSecond", unit: "img/s" };
const times = (atLeast) => ({ of: "ratio", atLeast });

/** @type {readonly (import("./harness/figures.mjs").Figure & {summary: string})[]} */
export const figures = [
  {
    name: "jpeg-224",
    summary: "RandomResizedCrop, flip, normalize; every epoch from the files",
    ours: "ours train",
    peer: "DataLoader train",
    ...speed,
    goal: times(1.5),
  },
  {
    name: "jpeg-224-eval",
    summary: "Resize(256), CenterCrop(224), normalize; every epoch from the files",
    ours: "ours eval",
    peer: "DataLoader eval",
    ...speed,
    goal: times(1.5),
  },
  {
    name: "second-epoch",
    summary: "RandomResizedCrop and flip from pictures kept at shorter side 256 (--keep-side 256)",
    ours: "ours kept",
    peer: "DataLoader train",
    ...speed,
    goal: times(5),
  },
  {
    name: "second-epoch-whole",
    summary: "the same from whole pictures kept in memory, as is the default",
    ours: "ours kept whole",
    peer: "DataLoader train",
    ...speed,
    goal: times(5),
  },
  {
    name: "second-epoch-eval",
    summary: "finished pictures kept from the first epoch",
    ours: "ours kept eval",
    peer: "DataLoader eval",
    ...speed,
    goal: times(5),
  },
  {
    name: "fashion-augment",
    summary: "28x28 images in memory: random crop, flip, rotation, normalize, batches of 128",
    ours: "ours fashion",
    ...speed,
    goal: { of: "ours", atLeast: 50_000 },
  },
];
