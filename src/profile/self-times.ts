import type { Span } from "./steps.ts";

/** A span among others of its thread. */
export interface Nested<T extends Span> {
  readonly span: T;
  /** Nanoseconds without the spans directly inside. */
  readonly self: number;
  /** The innermost span that it lies in. */
  readonly parent: Nested<T> | undefined;
}

/** Finds what lies in what. Spans of one thread, in any order, each inside of another or apart from it; the result is by start. */
export function nest<T extends Span>(spans: readonly T[]): Nested<T>[] {
  // Of two that start at once the longer one is around the other.
  const sorted = [...spans].sort((a, b) => a.start - b.start || b.end - a.end);
  const open: { span: T; self: number; parent: Nested<T> | undefined }[] = [];
  const result: Nested<T>[] = [];
  for (const span of sorted) {
    while (open.length > 0 && open.at(-1)!.span.end <= span.start) open.pop();
    const parent = open.at(-1);
    const own = { span, self: span.end - span.start, parent };
    if (parent !== undefined) parent.self -= own.self;
    open.push(own);
    result.push(own);
  }
  return result;
}
