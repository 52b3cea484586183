// The networks that several benches train and run, each with its usual size of image and batch.

/**
 * @typedef {object} Network
 * @property {string} model as both sides call it
 * @property {readonly string[]} args of both sides' scripts
 * @property {readonly string[]} trainArgs steps enough to measure
 * @property {readonly string[]} frozenArgs passes enough to measure
 */

const large = {
  args: [],
  trainArgs: ["--steps", "4", "--warmup", "2"],
  frozenArgs: ["--passes", "6", "--warmup", "2"],
};

/** @type {Readonly<Record<string, Network>>} */
export const networks = {
  "simple-cnn": {
    model: "simple_cnn",
    args: ["--size", "32", "--batch", "128"],
    trainArgs: ["--steps", "40", "--warmup", "5"],
    frozenArgs: ["--passes", "80", "--warmup", "5"],
  },
  "resnet18-28": {
    model: "resnet18",
    args: ["--size", "28", "--batch", "128"],
    trainArgs: ["--steps", "20", "--warmup", "4"],
    frozenArgs: ["--passes", "40", "--warmup", "4"],
  },
  resnet50: { model: "resnet50", ...large },
  "efficientnet-b0": { model: "efficientnet_b0", ...large },
  "convnext-tiny": { model: "convnext_tiny", ...large },
  "vit-tiny": { model: "vit_tiny_patch16_224", ...large },
};

export const quickArgs = ["--batch", "8", "--warmup", "1"];
