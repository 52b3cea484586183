import { ThawError } from "../errors.ts";

/** `atLeast` and `atMost` are allowed values themselves, `above` and `below` are not. */
interface Range {
  readonly atLeast?: number;
  readonly above?: number;
  readonly atMost?: number;
  readonly below?: number;
}

/** The value, if it is a finite number of the range. @throws ThawError that names `what` and the range. */
export function checked(what: string, value: number, range: Range): number {
  const inside =
    Number.isFinite(value) &&
    value >= (range.atLeast ?? Number.NEGATIVE_INFINITY) &&
    value > (range.above ?? Number.NEGATIVE_INFINITY) &&
    value <= (range.atMost ?? Number.POSITIVE_INFINITY) &&
    value < (range.below ?? Number.POSITIVE_INFINITY);
  if (inside) return value;
  const bounds = [
    range.atLeast !== undefined && `at least ${range.atLeast}`,
    range.above !== undefined && `above ${range.above}`,
    range.atMost !== undefined && `at most ${range.atMost}`,
    range.below !== undefined && `below ${range.below}`,
  ].filter((bound) => bound !== false);
  throw new ThawError(`${what} is ${value}`, {
    hint: `it must be a finite number${bounds.length > 0 ? `, ${bounds.join(" and ")}` : ""}`,
  });
}
