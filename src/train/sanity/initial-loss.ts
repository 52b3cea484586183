import type { Batch } from "../../data/loader.ts";
import type { Classifier } from "../../models/index.ts";
import { type Compute, embed, onDevice } from "../../models/predict.ts";
import { inference, ops, scope } from "../../tensor/index.ts";
import { number } from "./batch.ts";
import { failed, passed, type SanityCheck } from "./report.ts";

/** A loss lower than this share of ln(classes) knows something of the labels. */
const LOWEST = 0.7;
/**
 * Nats above ln(classes). Logits that spread over the images cost loss before anything is learnt: 0.1 with ViT's small
 * head, but 2.4 where the head is He-initialised (simple_cnn), 3 of a handful of features at its widest (EfficientNet).
 */
const HIGHEST = 3.5;
/** Nats that the head's bias alone may cost: it prefers no class. */
const BIAS = 0.25;

/**
 * A head that knows nothing has a loss of about ln(classes). The model is left in training mode, so that batch norms take
 * the batch's statistics.
 */
export function checkInitialLoss(model: Classifier, batch: Batch, compute: Compute): SanityCheck {
  const found = measure(model, batch, compute);
  const { loss, classes, spread, biasCost, favourite } = found;
  const chance = Math.log(classes);
  const allowed = `${number(LOWEST * chance)} to ${number(chance + HIGHEST)}`;
  const is = `${number(loss)}, ln(${classes}) is ${number(chance)}`;
  const head = nameOfHead(model);
  if (biasCost > BIAS) {
    return failed(
      "initial loss",
      `${is}: the bias of the head alone costs ${number(biasCost)} nats (at most ${BIAS}), it prefers class ${favourite}`,
      [`${head}.bias`],
      `start ${head}.bias from 0`,
    );
  }
  if (loss >= LOWEST * chance && loss <= chance + HIGHEST) {
    return passed("initial loss", `${is} (allowed: ${allowed})`);
  }
  if (!Number.isFinite(loss) || loss > chance) {
    // PyTorch's own initialisation gives weights of deviation 1/√(3 width).
    const isWeight = found.weightScale > 3;
    return failed(
      "initial loss",
      `${is}, allowed is ${allowed}: logits spread by ${number(spread)}, ` +
        `${head}.weight is ${number(found.weightScale)} times PyTorch's, its inputs are of size ${number(found.size)}`,
      [isWeight ? `${head}.weight` : `the inputs of ${head}`],
      isWeight
        ? `start ${head}.weight from smaller values`
        : "a layer before the head lets its values grow: a norm is missing, or its weights are not this network's",
    );
  }
  return failed(
    "initial loss",
    `${is}, allowed is ${allowed}: a new head cannot know this much`,
    [head],
    "do the pixels hold the label, or do the weights come from a run on these images?",
  );
}

/** The head's name in the state dict. */
function nameOfHead(model: Classifier): string {
  return model.namedModules().find(([, module]) => module === model.head)?.[0] ?? "head";
}

function measure(model: Classifier, batch: Batch, compute: Compute) {
  return inference(() =>
    scope(() => {
      const { weight, bias } = model.head;
      const classes = weight.size(0);
      const images = onDevice(batch.images, compute.device);
      const inputs = ops.toDtype(embed(model, images, compute), "float32");
      const logits = model.head.forward(inputs);
      const labels = onDevice(batch.labels, compute.device);
      const rms = (x: typeof inputs) => Math.sqrt(ops.mean(ops.square(x)).item());
      const biases =
        bias === null ? [0] : [...ops.toDtype(bias, "float32").toArray("float32")].map(Number);
      const most = Math.max(...biases);
      const average = biases.reduce((sum, b) => sum + b, 0) / biases.length;
      const total = biases.reduce((sum, b) => sum + Math.exp(b - most), 0);
      return {
        loss: ops.crossEntropyLoss(logits, labels).item(),
        classes,
        spread: rms(ops.sub(logits, ops.meanDim(logits, { dim: 1, keepdim: true }))),
        size: rms(inputs),
        weightScale: rms(weight) * Math.sqrt(3 * weight.size(1)),
        // Cross-entropy of the bias's softmax on equally frequent labels, above that of none.
        biasCost: most + Math.log(total) - average - Math.log(biases.length),
        favourite: biases.indexOf(most),
      };
    }),
  );
}
