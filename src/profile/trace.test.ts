import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ProfilerEvent } from "../tensor/index.ts";
import type { Recording } from "./recording.ts";
import { nest } from "./self-times.ts";
import { type TraceEvent, traceLines, traceOf } from "./trace.ts";

const event = (
  [start, end]: readonly [number, number],
  name: string,
  kind: ProfilerEvent["kind"] = "operator",
  thread = 7,
): ProfilerEvent => ({
  ...{ name, kind, start, duration: end - start, thread, sequence: -1, shapes: "" },
});

/** Two steps of a convolution, its loss and its backward pass, and an operator of a data thread meanwhile. */
function recording(): Recording {
  const at = 1_000_000_570;
  const step = (start: number) => ({
    ...{ start, end: start + 1_000_001, images: 8 },
    phases: [
      { name: "data" as const, start, end: start + 100_003 },
      { name: "forward" as const, start: start + 100_003, end: start + 500_000 },
      { name: "backward" as const, start: start + 500_000, end: start + 1_000_001 },
    ],
  });
  const operators = (start: number): ProfilerEvent[] => [
    event([start + 130_001, start + 290_007], "aten::convolution"),
    event([start + 120_000, start + 300_000], "aten::conv2d"),
    event([start + 119_000, start + 301_000], "aten::conv2d", "call"),
    event([start + 410_000, start + 430_570], "aten::cross_entropy_loss"),
    event([start + 520_000, start + 960_009], "aten::convolution_backward"),
    event(
      [start + 510_000, start + 970_000],
      "autograd::engine::evaluate_function: ConvolutionBackward0",
      "backward",
    ),
    event([start + 505_000, start + 975_000], "backward", "call"),
  ];
  const steps = [step(at), step(at + 1_000_001)];
  return {
    ...{ steps, thread: 7, dropped: 0 },
    modules: steps.flatMap(({ start }) => [
      { name: "conv1", type: "Conv2d", start: start + 118_000, end: start + 302_000 },
      { name: "", type: "Network", start: start + 110_000, end: start + 400_000 },
    ]),
    events: [
      ...steps.flatMap(({ start }) => operators(start)),
      event([at + 50_000, at + 1_400_000], "aten::copy_", "operator", 9),
    ],
  };
}

const spansOf = (events: readonly TraceEvent[]) => events.filter(({ ph }) => ph === "X") as Span[];
type Span = Extract<TraceEvent, { ph: "X" }>;

/**
 * The spans of one thread as Perfetto's trace processor takes them, with their depth: in whole nanoseconds, ordered by
 * their start and else as in the file; one that begins inside of another and ends after it is dropped.
 */
function perfetto(spans: readonly Span[]) {
  const whole = spans.map((span) => {
    const start = Math.trunc(span.ts * 1000);
    return { span, start, end: start + Math.trunc(span.dur * 1000) };
  });
  const kept: ((typeof whole)[number] & { depth: number })[] = [];
  const open: typeof whole = [];
  for (const item of whole.sort((a, b) => a.start - b.start)) {
    while (open.length > 0 && open.at(-1)!.end <= item.start) open.pop();
    if (open.some(({ end }) => item.end > end)) continue;
    kept.push({ ...item, depth: open.length });
    open.push(item);
  }
  return kept;
}

describe("a trace", () => {
  it("is taken whole by Perfetto, to the nanosecond, each span inside of those around it", () => {
    const { traceEvents } = traceOf([{ name: "a", recording: recording() }]);
    const kept = perfetto(spansOf(traceEvents).filter(({ tid }) => tid === 7));
    const told = (from: number) =>
      kept.filter(({ start }) => start >= from).map(({ span, depth }) => [span.name, depth]);
    const second = [
      ["ProfilerStep#2", 0],
      ["data", 1],
      ["forward", 1],
      ["Network", 2],
      ["conv1", 3],
      ["aten::conv2d", 4],
      ["aten::conv2d", 5],
      ["aten::convolution", 6],
      ["aten::cross_entropy_loss", 2],
      ["backward", 1],
      ["backward", 2],
      ["autograd::engine::evaluate_function: ConvolutionBackward0", 3],
      ["aten::convolution_backward", 4],
    ];
    expect(told(1_000_001)).toEqual(second);
    expect(kept).toHaveLength(2 * second.length);
    expect(kept.find(({ span }) => span.name === "aten::convolution")).toMatchObject({
      start: 130_001,
      end: 290_007,
    });
  });

  it("loses no span of any length at any time to Perfetto's rounding", () => {
    // Spans that share their ends, as steps and their phases do, at times that binary fractions do not hold.
    const lengths = fc.array(fc.integer({ min: 1, max: 3_000_000 }), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e12 }), lengths, (from, parts) => {
        let at = from;
        const events = parts.map((length) => {
          at += length;
          return event([at - length, at], "inner");
        });
        events.push(event([from, at], "outer"));
        const made = { steps: [], modules: [], events, thread: 7, dropped: 0 };
        // What comes before it moves it.
        const before = { ...made, events: [event([0, from % 1_000_003], "before")] };
        const { traceEvents } = traceOf([
          { name: "a", recording: before },
          { name: "b", recording: made },
        ]);
        const kept = perfetto(spansOf(traceEvents).filter(({ pid }) => pid === 2));
        expect(kept.map(({ end, start, depth }) => [end - start, depth])).toEqual([
          [at - from, 0],
          ...parts.map((length) => [length, 1]),
        ]);
      }),
    );
  });

  it("of several models has a process each, one after the other", () => {
    const { traceEvents } = traceOf([
      { name: "a", recording: recording() },
      { name: "b", recording: recording() },
    ]);
    const names = traceEvents.filter(({ name }) => name === "process_name");
    expect(names.map(({ pid, args }) => [pid, args])).toEqual([
      [1, { name: "a" }],
      [2, { name: "b" }],
    ]);
    const [first, second] = [1, 2].map((pid) =>
      spansOf(traceEvents).filter((one) => one.pid === pid),
    );
    expect(first![0]).toMatchObject({ name: "ProfilerStep#1", ts: 0 });
    const end = Math.max(...first!.map(({ ts, dur }) => ts + dur));
    expect(second![0]!.ts).toBeCloseTo(end, 6);
    expect(second!.every(({ ts }) => ts >= end - 1e-6)).toBe(true);
  });

  it("of a model without steps takes no time", () => {
    const empty = { steps: [], modules: [], events: [], thread: 7, dropped: 0 };
    const named = (...recordings: Recording[]) =>
      traceOf(recordings.map((one, i) => ({ name: `${i}`, recording: one })));
    const [whole, without] = [
      named(recording(), empty, recording()),
      named(recording(), recording()),
    ].map(({ traceEvents }) => spansOf(traceEvents).map(({ ts, dur }) => [ts, dur]));
    expect(whole).toEqual(without);
  });

  it("is to TensorBoard's plugin what it is to us: steps, operators, their own times", () => {
    const made = recording();
    const bytes = Buffer.concat([...traceLines(traceOf([{ name: "model", recording: made }]))]);
    const into = process.env["THAW_TRACE_OUT"];
    if (into !== undefined) writeFileSync(join(into, "model.pt.trace.json"), bytes);
    // What test/oracle/tensorboard_profile.py said of the very same file.
    const path = new URL("../../test/fixtures/tensorboard-profile.json", import.meta.url);
    const said = JSON.parse(readFileSync(path, "utf8")) as {
      sha256: string;
      steps: string[];
      stepMicroseconds: number[];
      operators: { name: string; calls: number; microseconds: number; self: number }[];
    };
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(said.sha256);
    expect(said.steps).toEqual(["1", "2"]);
    expect(said.stepMicroseconds).toEqual([1000.001, 1000.001]);
    const own = new Map<string, { calls: number; microseconds: number; self: number }>();
    const operators = made.events.filter(({ kind }) => kind !== "call");
    for (const thread of [7, 9]) {
      const spans = operators
        .filter((one) => one.thread === thread)
        .map((one) => ({ ...one, end: one.start + one.duration }));
      for (const { span, self } of nest(spans)) {
        const row = own.get(span.name) ?? { calls: 0, microseconds: 0, self: 0 };
        row.calls++;
        row.microseconds += span.duration / 1000;
        row.self += self / 1000;
        own.set(span.name, row);
      }
    }
    expect(said.operators.map(({ name }) => name).sort()).toEqual([...own.keys()].sort());
    for (const { name, ...row } of said.operators) {
      expect(row.calls).toBe(own.get(name)!.calls);
      expect(row.microseconds).toBeCloseTo(own.get(name)!.microseconds, 6);
      expect(row.self).toBeCloseTo(own.get(name)!.self, 6);
    }
  });
});
