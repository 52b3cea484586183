import { expect, test } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { chooseCompute, createModel, freeze } from "../models/index.ts";
import { Generator, setThreads } from "../tensor/index.ts";
import { measureLatency } from "./latency.ts";

expectNoLeaks();

test.each(["fp32", "bf16"] as const)(
  "the time of one image in %s; the model stays in its mode",
  (precision) => {
    setThreads(1);
    const compute = chooseCompute({ device: "cpu", precision });
    using random = new Generator(1);
    const shape = { channels: 1, height: 16, width: 16 };
    using model = createModel("simple_cnn", {
      ...{ classes: 3, inChannels: 1, imageSize: [16, 16] },
      random: { init: random, dropout: random },
    }).to(compute);
    model.train();
    const { latencyMs, latencyOn } = measureLatency(model, shape, compute);
    expect(latencyMs).toBeGreaterThan(0);
    expect(latencyOn).toMatch(new RegExp(`, 1 threads, ${precision}$`));
    expect(model.training).toBe(true);
    // As after an evaluation.
    freeze(model, [1, 16, 16], compute);
    expect(measureLatency(model, shape, compute).latencyMs).toBeGreaterThan(0);
  },
);
