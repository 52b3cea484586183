// A ResNet-50 as a finished run, and its graph: random weights, as speed does not depend on them.
import { createModel, freeze } from "../../dist/models/index.js";
import { Generator } from "../../dist/tensor/index.js";

export const input = {
  channels: 3,
  height: 224,
  width: 224,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  interpolation: "bilinear",
  cropPct: 0.875,
};

export const classes = Array.from({ length: 1000 }, (_, i) => `class${i}`);

export function resnet50() {
  const random = new Generator(1);
  const model = createModel("resnet50", {
    classes: classes.length,
    inChannels: 3,
    imageSize: [224, 224],
    random: { init: random, dropout: random },
  });
  model.to({ memoryFormat: "channels_last" });
  const compute = {
    device: "cpu",
    precision: "fp32",
    autocast: null,
    memoryFormat: "channels_last",
  };
  freeze(model, [3, 224, 224], { ...compute, reason: "" });
  return model;
}
