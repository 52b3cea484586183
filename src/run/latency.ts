import { cpus } from "node:os";
import type { Classifier, ComputeChoice } from "../models/index.ts";
import { forward, onDevice } from "../models/predict.ts";
import { getThreads, inference, inMemoryFormat, ops, scope } from "../tensor/index.ts";
import type { NetworkInput } from "./input.ts";
import type { Summary } from "./summary.ts";

/** Passes that are not counted: the first ones choose kernels and reorder weights. */
const WARM_UP = 3;
const PASSES = 25;
/** Milliseconds after which so many passes are enough. */
const BUDGET = 1000;
const FEWEST = 5;

/**
 * How long a person waits for the answer to one image: the median over forward passes of a batch of one, in evaluation,
 * from the image in memory to its logits in ours. Neither decoding nor resizing is in it.
 */
export function measureLatency(
  model: Classifier,
  { channels, height, width }: Pick<NetworkInput, "channels" | "height" | "width">,
  compute: ComputeChoice,
): Required<Pick<Summary, "latencyMs" | "latencyOn">> {
  const { training } = model;
  model.eval();
  const times: number[] = [];
  try {
    inference(() =>
      scope(() => {
        const image = inMemoryFormat(ops.zeros([1, channels, height, width]), compute.memoryFormat);
        const pass = () =>
          scope(() => {
            const logits = forward(model, onDevice(image, compute.device), compute);
            // Waits for a GPU, too.
            ops.toDtype(logits, "float32").toArray("float32");
          });
        const began = performance.now();
        for (let i = 0; i < WARM_UP; i++) pass();
        while (times.length < PASSES) {
          if (times.length >= FEWEST && performance.now() - began > BUDGET) break;
          const start = performance.now();
          pass();
          times.push(performance.now() - start);
        }
      }),
    );
  } finally {
    model.train(training);
  }
  times.sort((a, b) => a - b);
  const where = compute.device === "cpu" ? (cpus()[0]?.model.trim() ?? "cpu") : compute.device;
  return {
    latencyMs: times[times.length >> 1]!,
    latencyOn: `${where}, ${getThreads()} threads, ${compute.precision}`,
  };
}
