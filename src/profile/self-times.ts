import type { Span } from "./steps.ts";

/** A span among others of its thread. */
export interface Nested<T extends Span> {
  readonly span: T;
  /** Nanoseconds without the spans directly inside. */
  readonly self: number;
  /** The innermost span that it lies in. */
  readonly parent: Nested<T> | undefined;
}

/** Two clocks that were read at once differ by less (nanoseconds): so far a span may seem to begin in the one before it. */
const SKEW = 2000;

/**
 * Finds what lies in what. Spans of one thread, in any order, each inside of another or apart from it, but for the skew of two
 * clocks; the result is by start.
 */
export function nest<T extends Span>(spans: readonly T[]): Nested<T>[] {
  // Of two that start at once the longer one is around the other.
  const sorted = [...spans].sort((a, b) => a.start - b.start || b.end - a.end);
  const open: { span: T; self: number; parent: Nested<T> | undefined }[] = [];
  const result: Nested<T>[] = [];
  for (const span of sorted) {
    while (open.length > 0 && isApart(open.at(-1)!.span, span)) open.pop();
    const parent = open.at(-1);
    const own = { span, self: span.end - span.start, parent };
    if (parent !== undefined) parent.self -= own.self;
    open.push(own);
    result.push(own);
  }
  return result;
}

/** Has `before`, which began first, ended where `span` begins? */
function isApart(before: Span, span: Span): boolean {
  return before.end <= span.start || (before.end < span.end && before.end <= span.start + SKEW);
}
