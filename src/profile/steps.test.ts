import { expect, it } from "vitest";
import { computingMs, phaseMs, StepClock } from "./steps.ts";

/** A clock that is told the time, in milliseconds. */
function clockAt() {
  const at = { ms: 0 };
  return { at, clock: new StepClock(() => at.ms * 1e6) };
}

it("cuts at each wait for data, and leaves out what no batch ended", () => {
  const { at, clock } = clockAt();
  const told: [number, () => void][] = [
    [1, () => clock.phase("data")],
    [3, () => clock.batch(8)],
    [4, () => clock.phase("forward")],
    [10, () => clock.phase("backward")],
    [22, () => clock.phase("optimizer")],
    [24, () => clock.phase("other")],
    [25, () => clock.phase("data")],
    [26, () => clock.batch(5)],
    [27, () => clock.phase("forward")],
    [30, () => clock.phase("data")],
    [31, () => clock.pause()],
    // A pause is in no step: validation lies there.
    [90, () => clock.phase("data")],
    [91, () => clock.batch(8)],
    [95, () => clock.pause()],
  ];
  for (const [ms, tell] of told) {
    at.ms = ms;
    tell();
  }
  const { steps } = clock;
  expect(steps.map(({ start, end, images }) => [start / 1e6, end / 1e6, images])).toEqual([
    [1, 25, 8],
    [25, 30, 5],
    [90, 95, 8],
  ]);
  const [first] = steps;
  const parts = ["data", "forward", "backward", "optimizer", "other"] as const;
  expect(parts.map((part) => phaseMs(first!, part))).toEqual([2, 6, 12, 2, 2]);
  expect(computingMs(first!)).toBe(22);
});
