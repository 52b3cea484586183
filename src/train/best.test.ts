import { describe, expect, it } from "vitest";
import { schedules } from "../optim/index.ts";
import { countEpoch, isOver } from "./best.ts";
import type { Progress } from "./session.ts";

type Script = readonly (readonly [valAccuracy: number, valLoss: number])[];

/** The best epoch after each one, and the epoch after which a patience ends the run. */
function told(script: Script, patience?: number): { best: number[]; ends: number | undefined } {
  const progress: Pick<Progress, "best" | "sinceBest"> = { best: null, sinceBest: 0 };
  const best: number[] = [];
  for (const [i, [valAccuracy, valLoss]] of script.entries()) {
    countEpoch(progress, { epoch: i + 1, valAccuracy, valLoss });
    best.push(progress.best!.epoch);
    if (isOver(progress, patience)) return { best, ends: i + 1 };
  }
  return { best, ends: undefined };
}

describe("the best epoch", () => {
  it("is the most accurate, of equally accurate ones that of the lowest loss, and the first", () => {
    const script: Script = [
      [0.5, 1],
      [0.6, 2],
      [0.6, 1.5],
      [0.6, 1.5],
      [0.55, 0.1],
      [0.61, 9],
    ];
    expect(told(script).best).toEqual([1, 2, 3, 3, 3, 6]);
  });
});

describe("patience", () => {
  const better = [0.5, 1] as const;
  const worse = [0.4, 1] as const;

  it.each<[number, Script, number | undefined]>([
    [1, [better, worse, worse], 2],
    [2, [better, worse, worse], 3],
    [3, [better, worse, worse], undefined],
    // A better epoch starts the count again.
    [2, [worse, better, worse, [0.6, 1], worse, worse], 6],
    // As accurate and surer is better.
    [2, [better, worse, [0.5, 0.9], worse, [0.5, 0.8], worse, worse], 7],
  ])("of %d ends %j after epoch %s", (patience, script, expected) => {
    expect(told(script, patience).ends).toBe(expected);
  });

  it("of none never ends", () => {
    expect(told(Array.from({ length: 50 }, () => worse)).ends).toBeUndefined();
  });
});

it("a plateau of the loss lowers the rate after so many epochs, of accuracy it knows nothing", () => {
  const schedule = schedules.plateau({ mode: "min", factor: 0.1, patience: 2 });
  const losses = [1, 0.9, 0.95, 0.91, 0.9, 0.8, 0.85, 0.85, 0.85];
  const rates = losses.map((loss) => {
    schedule.observe(loss);
    return Number(schedule.at(0).toPrecision(6));
  });
  expect(rates).toEqual([1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01]);
});
