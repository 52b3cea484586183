import { predictions } from "../../src/metrics/index.ts";
import { createRun, type RunRecord } from "../../src/run/record.ts";
import type { Summary } from "../../src/run/summary.ts";

export const fashionClasses = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
] as const;

export interface RunShape {
  readonly out: string;
  readonly name: string;
  readonly model?: string;
  readonly classes?: readonly string[];
  readonly epochs?: number;
  /** Share of the test images that the run gets right, about. */
  readonly skill?: number;
  readonly images?: number;
  /** Moves which images are wrong: runs of one salt err on the same. */
  readonly salt?: number;
  readonly trainSeconds?: number;
  readonly parameters?: number;
  readonly config?: Record<string, unknown>;
  readonly environment?: Record<string, unknown>;
  readonly summary?: Partial<Summary>;
}

/** Writes a finished run whose numbers come from a formula: enough to look like one, the same on every call. */
export function writeSampleRun(shape: RunShape): RunRecord {
  const { out, name, model = "simple_cnn", epochs = 8, skill = 0.9, images = 2000 } = shape;
  const { salt = 0 } = shape;
  const classes = shape.classes ?? fashionClasses;
  const config = { data: "fashion-mnist", model, strategy: "scratch", epochs, lr: 0.001, seed: 42 };
  const run = createRun({
    out,
    name,
    overwrite: true,
    config: { ...config, ...shape.config },
    environment: {
      thaw: "0.1.0",
      cpu: { model: "Some CPU", count: 2 },
      threads: 2,
      precision: "bf16",
      dataset: { name: "fashion-mnist", fingerprint: "f00d" },
      ...shape.environment,
    },
  });
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const done = 1 - Math.exp(-epoch / 2);
    const wobble = 0.01 * Math.sin(epoch * 12.9 + skill * 40);
    run.appendEpoch({
      epoch,
      step: epoch * 391,
      lr: 0.0005 * (1 + Math.cos((Math.PI * epoch) / epochs)),
      trainLoss: 2.3 - 2.15 * skill * done,
      trainAccuracy: 0.1 + (skill - 0.05) * done,
      valLoss: 2.3 - 2 * skill * done - 3 * wobble,
      valAccuracy: 0.1 + (skill - 0.1) * done + wobble,
    });
    run.appendTiming({ epoch, train: 4, validation: 0.5, imagesPerSecond: 12000 });
  }
  const n = classes.length;
  const probabilities = new Float32Array(images * n).fill(0.1 / n);
  const labels = Int32Array.from({ length: images }, (_, i) => i % n);
  for (let i = 0; i < images; i++) {
    const roll = ((i * 7919 + salt * 389) % 1009) / 1009;
    const other = (labels[i]! + 2 + 2 * (i % 3)) % n;
    probabilities[i * n + (roll < skill ? labels[i]! : other)]! += 0.9;
  }
  const test = run.writeResults({
    predictions: predictions(probabilities, labels, n),
    classes,
  });
  const train = shape.trainSeconds ?? 33;
  run.writeSummary({
    model,
    strategy: "scratch",
    dataset: "fashion-mnist",
    classes: [...classes],
    seed: 42,
    status: "finished",
    epochs,
    parameters: shape.parameters ?? 2_474_506,
    trainableParameters: shape.parameters ?? 2_474_506,
    best:
      epochs === 0 ? null : { epoch: Math.max(1, epochs - 1), valAccuracy: 0.91, valLoss: 0.25 },
    test,
    seconds: { total: train + 6, train, perEpoch: epochs === 0 ? null : train / epochs },
    imagesPerSecond: 480_000 / train,
    peakMemoryBytes: 412_000_000,
    precision: "bf16",
    device: "cpu",
    ...shape.summary,
  });
  return run;
}
