import type { Recording } from "./recording.ts";
import type { Span } from "./steps.ts";

/**
 * An event of Chrome's trace-event format. `X` is a span, of `dur`; `M` gives a process or a thread its name. Times are
 * microseconds.
 */
export type TraceEvent =
  | {
      readonly ph: "X";
      /** PyTorch's for a step (`user_annotation`) and an operator, so that its plugin of TensorBoard knows them. */
      readonly cat: "user_annotation" | "phase" | "module" | "cpu_op";
      readonly name: string;
      readonly ts: number;
      readonly dur: number;
      readonly pid: number;
      readonly tid: number;
      readonly args?: Readonly<Record<string, string | number>>;
    }
  | {
      readonly ph: "M";
      readonly name: "process_name" | "thread_name";
      readonly ts: number;
      readonly pid: number;
      readonly tid: number;
      readonly args: { readonly name: string };
    };

/** What Perfetto, chrome://tracing and TensorBoard's profiler plugin open. */
export interface Trace {
  /** Of PyTorch's profiler. */
  readonly schemaVersion: 1;
  readonly displayTimeUnit: "ms";
  readonly traceEvents: readonly TraceEvent[];
}

/** Recorded steps, each recording a process of its own: steps, phases, modules and operators lie inside of each other. */
export function traceOf(
  recordings: readonly { readonly name: string; readonly recording: Recording }[],
): Trace {
  const traceEvents = recordings.flatMap(({ name, recording }, i) =>
    eventsOf(name, recording, i + 1),
  );
  return { schemaVersion: 1, displayTimeUnit: "ms", traceEvents };
}

function eventsOf(process: string, recording: Recording, pid: number): TraceEvent[] {
  const { steps, modules, events, thread } = recording;
  const at = ({ start, end }: Span) => ({
    ts: start / 1000,
    dur: (end - start) / 1000,
    pid,
    tid: thread,
  });
  const threads = [...new Set([thread, ...events.map((event) => event.thread)])];
  return [
    { ph: "M", name: "process_name", ts: 0, pid, tid: thread, args: { name: process } },
    ...threads.map((tid): TraceEvent => {
      const name = tid === thread ? "steps" : `thread ${tid}`;
      return { ph: "M", name: "thread_name", ts: 0, pid, tid, args: { name } };
    }),
    ...steps.flatMap((step, i): TraceEvent[] => [
      {
        ...{ ph: "X", cat: "user_annotation", name: `ProfilerStep#${i + 1}`, ...at(step) },
        args: { images: step.images },
      },
      ...step.phases.map(
        (phase): TraceEvent => ({ ph: "X", cat: "phase", name: phase.name, ...at(phase) }),
      ),
    ]),
    ...modules.map(
      ({ name, type, ...span }): TraceEvent => ({
        ...{ ph: "X", cat: "module", name: name === "" ? type : name, ...at(span) },
        args: { type },
      }),
    ),
    ...events.map(
      ({ name, start, duration, thread: tid }): TraceEvent => ({
        ...{ ph: "X", cat: "cpu_op", name },
        ...{ ts: start / 1000, dur: duration / 1000, pid, tid },
      }),
    ),
  ];
}

/** The trace as JSON, an event a line. */
export function* traceLines({ traceEvents, ...head }: Trace): Generator<Uint8Array> {
  yield Buffer.from(`${JSON.stringify(head).slice(0, -1)},"traceEvents":[\n`);
  for (let from = 0; from < traceEvents.length; from += CHUNK) {
    const lines = traceEvents.slice(from, from + CHUNK).map((event) => JSON.stringify(event));
    const isLast = from + CHUNK >= traceEvents.length;
    yield Buffer.from(`${lines.join(",\n")}${isLast ? "" : ","}\n`);
  }
  yield Buffer.from("]}\n");
}

const CHUNK = 4096;
