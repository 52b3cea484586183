import { ThawError } from "../errors.ts";
import { chiSquaredTail, fairCoinTail } from "./distributions.ts";

export interface McNemar {
  /** Images that only the first, and only the second model gets right. */
  readonly onlyFirst: number;
  readonly onlySecond: number;
  /** `exact`: binomial. `chi-squared`: with continuity correction (Edwards 1948). */
  readonly method: "exact" | "chi-squared";
  /** Two-sided. */
  readonly p: number;
}

/** Below so many images on which only one is right, chi-squared is too rough. */
const FEW = 25;

/**
 * Do two models differ that judged the same images? Only images that one of them gets right and the other wrong tell.
 * (McNemar 1947; as statsmodels' `mcnemar`)
 */
export function mcnemar(onlyFirst: number, onlySecond: number): McNemar {
  for (const n of [onlyFirst, onlySecond]) {
    if (!Number.isInteger(n) || n < 0) throw new ThawError(`McNemar's test: ${n} images`);
  }
  const n = onlyFirst + onlySecond;
  const counts = { onlyFirst, onlySecond };
  if (n < FEW) {
    const p = Math.min(1, 2 * fairCoinTail(Math.min(onlyFirst, onlySecond), n));
    return { ...counts, method: "exact", p };
  }
  const statistic = (Math.abs(onlyFirst - onlySecond) - 1) ** 2 / n;
  return { ...counts, method: "chi-squared", p: chiSquaredTail(statistic) };
}

/**
 * p values of several tests, made larger so that all of them together err as seldom as one would. In the order given.
 * (Holm 1979)
 */
export function holm(ps: readonly number[]): number[] {
  const order = ps.map((_, i) => i).sort((a, b) => ps[a]! - ps[b]!);
  const adjusted = new Array<number>(ps.length);
  let highest = 0;
  order.forEach((index, rank) => {
    highest = Math.max(highest, Math.min(1, ps[index]! * (ps.length - rank)));
    adjusted[index] = highest;
  });
  return adjusted;
}
