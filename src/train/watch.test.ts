import { describe, expect, it } from "vitest";
import type { EpochLine } from "../run/summary.ts";
import { Watch } from "./watch.ts";

const line = (epoch: number, trainLoss: number, valLoss: number): EpochLine => ({
  ...{ epoch, step: epoch, lr: 0.1, trainLoss, valLoss, trainAccuracy: 0.5, valAccuracy: 0.5 },
});

describe("a loss far above the start", () => {
  const said = (losses: readonly number[], classes = 10) => {
    const watch = new Watch(classes);
    return losses.flatMap((loss, i) => {
      const text = watch.step(i + 1, loss);
      return text === undefined ? [] : [[i + 1, text]];
    });
  };
  const steady = (loss: number, steps: number) => Array.from({ length: steps }, () => loss);

  it("is said once, when it stays so", () => {
    const told = said([...steady(2, 30), ...steady(8, 60)]);
    expect(told).toEqual([
      [
        40,
        expect.stringMatching(/^the loss is 8\.00 at step 40, far above the 2\.30 of the start: /),
      ],
    ]);
  });

  it.each([
    ["one wild step", [...steady(2, 30), 1000, ...steady(2, 30)]],
    [
      "a loss no worse than guessing's, of weights that knew",
      [...steady(0.01, 30), ...steady(2, 60)],
    ],
    ["a steady loss, however high", steady(50, 60)],
  ])("is not %s", (_, losses) => {
    expect(said(losses)).toEqual([]);
  });
});

describe("a validation loss that rises while the training loss falls", () => {
  const script = [
    line(1, 1, 1),
    line(2, 0.9, 0.8),
    line(3, 0.8, 0.85),
    line(4, 0.7, 0.9),
    line(5, 0.6, 0.95),
    line(6, 0.5, 1),
  ];

  it("for three epochs is said once, with the epoch since when", () => {
    const watch = new Watch(10);
    const told = script.map((one) => watch.epoch(one));
    expect(told.map((text) => text !== undefined)).toEqual([
      ...[false, false, false, false],
      ...[true, false],
    ]);
    expect(told[4]).toMatch(/^the validation loss has risen since epoch 2 while/);
  });

  it("is not said again by a process that goes on", () => {
    const watch = new Watch(10, script.slice(0, 5));
    expect(watch.epoch(script[5]!)).toBeUndefined();
    const early = new Watch(10, script.slice(0, 4));
    expect(early.epoch(script[4]!)).toContain("since epoch 2");
  });

  it("is not said where both rise, or one of the rises is none", () => {
    const both = script.map(({ epoch, valLoss }) => line(epoch, valLoss, valLoss));
    const broken = script.map((one) => (one.epoch === 4 ? line(4, 0.7, 0.84) : one));
    for (const lines of [both, broken]) {
      const watch = new Watch(10);
      expect(lines.flatMap((one) => watch.epoch(one) ?? [])).toEqual([]);
    }
  });
});
