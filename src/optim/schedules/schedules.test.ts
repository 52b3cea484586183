import { describe, expect, it } from "vitest";
import { readTorchFixture, type ScheduleCase } from "../../../test/torch-fixtures.ts";
import { ThawError } from "../../errors.ts";
import { constant, cosine, linear, onecycle, plateau, type Schedule, step } from "./index.ts";

const { cases } = readTorchFixture("schedules");

/** The schedule that a case's options, in PyTorch's names, stand for. */
function scheduleOf({ schedule, base, options }: ScheduleCase): Schedule {
  const number = (name: string, otherwise: number) => (options[name] as number) ?? otherwise;
  switch (schedule) {
    case "constant":
      return constant();
    case "constant_warmup":
      return constant({ warmup: number("warmup", 0) });
    case "step":
      return step({ every: number("step_size", 0), factor: number("gamma", 0) });
    case "linear":
      return linear({ warmup: number("warmup", 0), total: number("total", 0) });
    case "cosine":
      return cosine({ total: number("T_max", 0), minFactor: number("eta_min", 0) / base });
    case "cosine_warmup":
      return cosine({
        warmup: number("warmup", 0),
        total: number("total", 0),
        warmupFactor: number("warmup_lr", 0) / base,
        minFactor: number("min_lr", 0) / base,
      });
    case "one_cycle":
      return onecycle({
        total: number("total_steps", 0),
        rising: number("pct_start", 0.3),
        divFactor: number("div_factor", 25),
        finalDivFactor: number("final_div_factor", 1e4),
      });
    case "plateau":
      return plateau({
        mode: options["mode"] as "min" | "max",
        factor: number("factor", 0.1),
        patience: number("patience", 10),
        threshold: number("threshold", 1e-4),
        cooldown: number("cooldown", 0),
        minFactor: number("min_lr", 0) / base,
        smallestFall: number("eps", 1e-8) / base,
      });
    default:
      throw new Error(`the fixture has a schedule that is not known here: ${schedule}`);
  }
}

function expectRate(actual: number, wanted: number, where: string): void {
  expect(Math.abs(actual - wanted), where).toBeLessThanOrEqual(1e-9 * Math.abs(wanted) + 1e-17);
}

describe("schedules equal PyTorch's", () => {
  it.each(Object.entries(cases))("%s", (_, fixture) => {
    const schedule = scheduleOf(fixture);
    for (const [time, wanted] of fixture.rates.entries()) {
      if (fixture.metrics !== undefined) schedule.observe(fixture.metrics[time]!);
      expectRate(fixture.base * schedule.at(time), wanted, `at ${time}`);
    }
  });
});

describe("a timed schedule", () => {
  it("goes by fractions of an epoch too", () => {
    const inEpochs = cosine({ total: 10, warmup: 2 });
    const inSteps = cosine({ total: 1000, warmup: 200 });
    for (const t of [0, 50, 199, 200, 555, 999]) {
      expect(inEpochs.at(t / 100)).toBeCloseTo(inSteps.at(t), 12);
    }
  });

  it("stays at its last value after its end", () => {
    expect(cosine({ total: 10, minFactor: 0.25 }).at(99)).toBe(0.25);
    expect(linear({ total: 10 }).at(99)).toBe(0);
    const cycle = onecycle({ total: 10 });
    expect(cycle.at(99)).toBe(cycle.at(9));
  });

  it("warms up a step schedule before its falls begin", () => {
    const schedule = step({ every: 3, factor: 0.5, warmup: 2 });
    expect([0, 1, 2, 4, 5, 8].map((t) => schedule.at(t))).toEqual([0, 0.5, 1, 1, 0.5, 0.25]);
  });

  it("is not changed by metrics, and has nothing to save", () => {
    const schedule = linear({ total: 4 });
    schedule.observe(Number.NaN);
    expect(schedule.at(2)).toBe(0.5);
    schedule.load(schedule.state());
    expect(schedule.state()).toEqual({});
  });
});

describe("the plateau schedule", () => {
  const { metrics, options } = cases["plateau_max_cooldown"]!;
  const make = () => plateau({ mode: "max", factor: 0.5, patience: 1, cooldown: 2 });

  it.each(metrics!.map((_, i) => i))(
    "goes on after a save at epoch %i as if nothing had been",
    (at) => {
      expect(options["mode"]).toBe("max");
      const whole = make();
      const first = make();
      for (const metric of metrics!.slice(0, at)) {
        whole.observe(metric);
        first.observe(metric);
      }
      const second = make();
      second.load(JSON.parse(JSON.stringify(first.state())));
      for (const metric of metrics!.slice(at)) {
        whole.observe(metric);
        second.observe(metric);
        expect(second.at(0)).toBe(whole.at(0));
      }
    },
  );

  it("takes metrics that are not finite for no progress, and its state stays JSON", () => {
    const schedule = plateau({ mode: "min", patience: 1, factor: 0.5 });
    for (const metric of [Number.NaN, Number.NEGATIVE_INFINITY]) schedule.observe(metric);
    expect(schedule.at(0)).toBe(0.5);
    expect(JSON.parse(JSON.stringify(schedule.state()))).toEqual(schedule.state());
  });

  it("refuses another schedule's state and keeps its own", () => {
    const schedule = make();
    for (const metric of metrics!) schedule.observe(metric);
    const before = schedule.state();
    expect(() => schedule.load({})).toThrow(ThawError);
    expect(() => schedule.load({ ...before, best: Number.NaN })).toThrow("best");
    expect(schedule.state()).toEqual(before);
  });
});

describe("options that cannot be", () => {
  it.each<[string, () => Schedule, string]>([
    [
      "a warm-up as long as all",
      () => cosine({ total: 5, warmup: 5 }),
      "the schedule's length is 5",
    ],
    ["no length", () => linear({ total: 0 }), "the schedule's length is 0"],
    ["a length that is no number", () => linear({ total: Number.NaN }), "NaN"],
    ["a warm-up before the start", () => constant({ warmup: -1 }), "the warm-up is -1"],
    ["a minimum above the base", () => cosine({ total: 5, minFactor: 2 }), "lowest factor is 2"],
    ["no time between falls", () => step({ every: 0 }), "between two falls is 0"],
    ["a fall upwards", () => step({ every: 1, factor: 1.5 }), "factor of a fall is 1.5"],
    ["a cycle of one step", () => onecycle({ total: 1 }), "the cycle's length is 1"],
    ["a plateau that does not fall", () => plateau({ mode: "min", factor: 1 }), "fall is 1"],
    ["impatience below 0", () => plateau({ mode: "min", patience: -1 }), "patience is -1"],
  ])("%s", (_, make, message) => {
    expect(make).toThrow(ThawError);
    expect(make).toThrow(message);
  });
});
