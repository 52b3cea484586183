import type { Recording } from "./recording.ts";
import type { Span } from "./steps.ts";

/**
 * An event of Chrome's trace-event format. `X` is a span, of `dur`; `M` gives a process or a thread its name. Times are
 * microseconds.
 */
export type TraceEvent =
  | {
      readonly ph: "X";
      /** PyTorch's for a step (`user_annotation`) and an operator, so that its plugin of TensorBoard knows them; it passes over the others. */
      readonly cat: "user_annotation" | "phase" | "module" | "cpu_op" | "call";
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

/**
 * Recorded steps, each recording a process of its own, one after the other as they were made; what went by between them is
 * cut out. On a thread steps, phases, calls, modules and operators lie inside of each other, the outer one first.
 */
export function traceOf(
  recordings: readonly { readonly name: string; readonly recording: Recording }[],
): Trace {
  let origin = 0;
  const traceEvents = recordings.flatMap(({ name, recording }, i) => {
    const spans = spansOf(recording).sort((a, b) => a.start - b.start || b.end - a.end);
    const shift = origin - (spans[0]?.start ?? 0);
    origin = spans.reduce((latest, { end }) => Math.max(latest, end), origin - shift) + shift;
    return eventsOf(name, i + 1, recording.thread, spans, shift);
  });
  return { schemaVersion: 1, displayTimeUnit: "ms", traceEvents };
}

type SpanEvent = Extract<TraceEvent, { ph: "X" }>;
type TraceSpan = Span & Pick<SpanEvent, "cat" | "name" | "tid" | "args">;

/** In nanoseconds of the recording's own clock. */
function spansOf({ steps, modules, events, thread }: Recording): TraceSpan[] {
  const at = ({ start, end }: Span) => ({ start, end, tid: thread });
  return [
    ...steps.flatMap((step, i): TraceSpan[] => [
      {
        ...{ cat: "user_annotation", name: `ProfilerStep#${i + 1}`, ...at(step) },
        args: { images: step.images },
      },
      ...step.phases.map((phase): TraceSpan => ({ cat: "phase", name: phase.name, ...at(phase) })),
    ]),
    ...modules.map(
      ({ name, type, ...span }): TraceSpan => ({
        ...{ cat: "module", name: name === "" ? type : name, ...at(span) },
        args: { type },
      }),
    ),
    ...events.map(
      ({ name, kind, start, duration, thread: tid }): TraceSpan => ({
        ...{ cat: kind === "call" ? "call" : "cpu_op", name, tid },
        ...{ start, end: start + duration },
      }),
    ),
  ];
}

function eventsOf(
  process: string,
  pid: number,
  thread: number,
  spans: readonly TraceSpan[],
  shift: number,
): TraceEvent[] {
  const threads = [...new Set([thread, ...spans.map(({ tid }) => tid)])];
  return [
    { ph: "M", name: "process_name", ts: 0, pid, tid: thread, args: { name: process } },
    ...threads.map((tid): TraceEvent => {
      const name = tid === thread ? "steps" : `thread ${tid}`;
      return { ph: "M", name: "thread_name", ts: 0, pid, tid, args: { name } };
    }),
    ...spans.map(
      ({ cat, name, start, end, tid, args }): TraceEvent => ({
        ...{ ph: "X", cat, name, ts: microseconds(start + shift), dur: microseconds(end - start) },
        ...{ pid, tid, ...(args && { args }) },
      }),
    ),
  ];
}

/**
 * Perfetto takes a thousand times the number and cuts it to whole nanoseconds; of spans that overlap by one of them it drops
 * the second. (json_trace_utils.cc, slice_tracker.cc)
 */
function microseconds(nanoseconds: number): number {
  const value = nanoseconds / 1000;
  return value * 1000 < nanoseconds ? value * (1 + Number.EPSILON) : value;
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
