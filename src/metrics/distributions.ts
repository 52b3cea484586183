import { ThawError } from "../errors.ts";

/** Probability that a chi-squared variable of one degree of freedom is above `x`. */
export function chiSquaredTail(x: number): number {
  if (!(x >= 0)) throw new ThawError(`no chi-squared tail above ${x}`);
  const half = x / 2;
  if (half === 0) return 1;
  const front = Math.exp(-half) * Math.sqrt(half / Math.PI);
  // The series converges fast below a + 1, the continued fraction above. (Numerical Recipes §6.2)
  return half < 1.5 ? 1 - front * lowerSeries(half) : front * upperFraction(half);
}

/** Quantile `p` of Student's t distribution with `df` degrees of freedom. */
export function studentQuantile(p: number, df: number): number {
  if (!(p > 0 && p < 1) || !(df > 0)) throw new ThawError(`no t quantile ${p} of ${df} degrees`);
  if (p < 0.5) return -studentQuantile(1 - p, df);
  let lo = 0;
  let hi = 1;
  while (studentTail(hi, df) > 1 - p) hi *= 2;
  // Bisection down to neighbouring doubles: it cannot leave the bracket, and is done once a table.
  for (;;) {
    const middle = (lo + hi) / 2;
    if (middle === lo || middle === hi) return middle;
    if (studentTail(middle, df) > 1 - p) lo = middle;
    else hi = middle;
  }
}

/** Probability that at most `k` of `n` fair coins show heads. */
export function fairCoinTail(k: number, n: number): number {
  let term = 2 ** -n;
  let sum = 0;
  for (let i = 0; i <= k; i++) {
    sum += term;
    term = (term * (n - i)) / (i + 1);
  }
  return Math.min(1, sum);
}

/** Probability that Student's t is above `t` ≥ 0: half the regularised incomplete beta function. */
function studentTail(t: number, df: number): number {
  return incompleteBeta(df / (df + t * t), df / 2, 0.5) / 2;
}

/** Σ x^n Γ(½) / Γ(n + 3/2), of the lower incomplete gamma function of ½. */
function lowerSeries(x: number): number {
  let term = 2;
  let sum = term;
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= x / (n + 0.5);
    sum += term;
  }
  return sum;
}

/** The continued fraction of the upper incomplete gamma function of ½, by Lentz's method. */
function upperFraction(x: number): number {
  let b = x + 0.5;
  let c = 1 / TINY;
  let d = 1 / b;
  let h = d;
  for (let i = 1; i < 1000; i++) {
    const a = -i * (i - 0.5);
    b += 2;
    d = 1 / (a * d + b);
    c = b + a / c;
    h *= c * d;
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return h;
}

/** I_x(a, b) by its continued fraction. (Numerical Recipes §6.4) */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(
    a * Math.log(x) + b * Math.log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b),
  );
  let c = 1;
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1));
  let h = d;
  for (let m = 1; m < 10_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonZero(1 + even * d);
    c = nonZero(1 + even / c);
    h *= c * d;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonZero(1 + odd * d);
    c = nonZero(1 + odd / c);
    h *= c * d;
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return (front * h) / a;
}

/** Stirling's series, after moving the argument above 15, where its error is below a double's. */
function logGamma(x: number): number {
  let shift = 0;
  let z = x;
  for (; z < 15; z++) shift += Math.log(z);
  const inverse = 1 / (z * z);
  const series =
    (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - inverse / 1188)))) /
    z;
  return (z - 0.5) * Math.log(z) - z + Math.log(2 * Math.PI) / 2 + series - shift;
}

const TINY = 1e-300;

function nonZero(value: number): number {
  return Math.abs(value) < TINY ? TINY : value;
}
