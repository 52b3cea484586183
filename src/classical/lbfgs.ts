import type { Steps } from "../platform/stop.ts";
import { ops, scope, scopeInSteps, Tensor } from "../tensor/index.ts";

/** A smooth function of a float64 vector [n]. */
export interface Objective {
  evaluate(point: Tensor): Evaluation;
}

export interface Evaluation {
  readonly value: number;
  /** [n] float64 */
  readonly gradient: Tensor;
}

/** Applies an approximation of the inverse Hessian to each row: [m, n] → [m, n], symmetric and positive definite. */
export type Preconditioner = (vectors: Tensor) => Tensor;

export interface MinimizeOptions {
  /** Converged where no entry of the gradient is larger. */
  readonly tol: number;
  readonly maxIter: number;
  /** Converged where a step lowers the value by a smaller share of it: SciPy's default for L-BFGS-B. */
  readonly relativeDecrease?: number;
  /** Pairs of steps and gradient differences that are remembered. */
  readonly memory?: number;
  /**
   * Asked before every iteration, from 0: a preconditioner for it and those that follow, or undefined to keep the one
   * there is. The first must be one.
   */
  readonly precondition: (iteration: number, point: Tensor) => Preconditioner | undefined;
}

export interface Minimum {
  /** [n] float64 */
  readonly point: Tensor;
  readonly value: number;
  readonly iterations: number;
  /** Largest entry of the gradient, by size. */
  readonly gradientMax: number;
  readonly converged: boolean;
}

/**
 * L-BFGS (Nocedal & Wright 2006, algorithm 7.5) with a preconditioner for initial inverse Hessian, which may change
 * while it runs: what is remembered are steps and gradients, which no preconditioner is part of. A piece of the work is an
 * iteration.
 */
export function minimize(
  objective: Objective,
  start: Tensor,
  options: MinimizeOptions,
): Steps<Minimum> {
  const { tol, maxIter, relativeDecrease = 2.22e-9, memory = 40, precondition } = options;
  return scopeInSteps(function* () {
    const history = new History(memory, start.elements);
    let point = ops.clone(start);
    let { value, gradient } = objective.evaluate(point);
    let gradientMax = largest(gradient);
    let converged = gradientMax <= tol;
    let iterations = 0;
    for (; !converged && iterations < maxIter; iterations++) {
      yield;
      const better = precondition(iterations, point);
      if (better !== undefined) history.use(better, gradient);
      const next = scope(() => {
        const found = descend(objective, point, { value, gradient }, history.direction(gradient));
        if (found === undefined) return undefined;
        history.remember(ops.sub(found.point, point), gradient, found.gradient);
        return found;
      });
      if (next === undefined) {
        // Rounding hides what decrease is left, unless it is the memory that misleads.
        if (history.isEmpty) {
          converged = true;
          break;
        }
        history.forget();
        continue;
      }
      point.dispose();
      gradient.dispose();
      const decrease = value - next.value;
      const scale = Math.max(Math.abs(value), Math.abs(next.value), 1);
      ({ point, value, gradient } = next);
      gradientMax = largest(gradient);
      converged = gradientMax <= tol || decrease <= relativeDecrease * scale;
    }
    return { point, value, iterations, gradientMax, converged };
  });
}

interface Step extends Evaluation {
  readonly point: Tensor;
}

const SUFFICIENT = 1e-4;
const CURVATURE = 0.9;
const TRIALS = 30;

/** A step that meets the weak Wolfe conditions, by bisection (Lewis & Overton 2013); undefined where there is none. */
function descend(
  objective: Objective,
  from: Tensor,
  { value, gradient }: Evaluation,
  direction: Tensor,
): Step | undefined {
  const slope = ops.dot(gradient, direction).item();
  if (!(slope < 0)) return undefined;
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  let lowest: Step | undefined;
  for (let length = 1, trial = 0; trial < TRIALS; trial++) {
    const point = ops.add(from, direction, { alpha: length });
    const at = { point, ...objective.evaluate(point) };
    if (!(at.value <= value + SUFFICIENT * length * slope)) {
      high = length;
    } else {
      lowest = at;
      if (ops.dot(at.gradient, direction).item() >= CURVATURE * slope) return at;
      low = length;
    }
    length = high === Number.POSITIVE_INFINITY ? 2 * length : (low + high) / 2;
  }
  return lowest;
}

function largest(gradient: Tensor): number {
  return scope(() => ops.max(ops.abs(gradient)).item());
}

/**
 * The remembered pairs. The two loops of the recursion run on inner products alone (Chen, Wang & Zhou 2014, "vector-free
 * L-BFGS"): a few products of matrix and vector an iteration instead of 80 operator calls.
 */
class History {
  /** [memory, n] each: steps s, gradient differences y, and y preconditioned. */
  readonly #s: Tensor;
  readonly #y: Tensor;
  readonly #py: Tensor;
  /** [n], the gradient of where the newest step ended, preconditioned. */
  readonly #pg: Tensor;
  /** By slots: sᵢ·yⱼ and yᵢ·P·yⱼ. */
  #sy: Float64Array;
  #ypy: Float64Array;
  readonly #memory: number;
  /** Slots in use, the oldest first. */
  #slots: number[] = [];
  #precondition: Preconditioner = (vectors) => vectors;

  constructor(memory: number, n: number) {
    const rows = () => ops.zeros([memory, n], { dtype: "float64" });
    this.#s = rows();
    this.#y = rows();
    this.#py = rows();
    this.#pg = ops.zeros([n], { dtype: "float64" });
    this.#sy = new Float64Array(memory * memory);
    this.#ypy = new Float64Array(memory * memory);
    this.#memory = memory;
  }

  get isEmpty(): boolean {
    return this.#slots.length === 0;
  }

  /** From now on, at the point of this gradient. */
  use(precondition: Preconditioner, gradient: Tensor): void {
    this.#precondition = precondition;
    scope(() => {
      ops.copy_(this.#pg, this.#applied(gradient));
      if (this.isEmpty) return;
      ops.copy_(this.#py, precondition(this.#y));
      this.#ypy = ops.mm(this.#py, ops.t(this.#y)).toArray("float64");
    });
  }

  /** A step s from where the gradient was `before` to where it is `after`. */
  remember(s: Tensor, before: Tensor, after: Tensor): void {
    const y = ops.sub(after, before);
    // P·y as a difference: the next direction needs P·g anyway.
    const pg = this.#applied(after);
    const py = ops.sub(pg, this.#pg);
    ops.copy_(this.#pg, pg);
    // A pair without curvature would make the matrix indefinite; the Wolfe conditions leave only rounding to do so.
    if (!(ops.dot(s, y).item() > 0)) return;
    const slot =
      this.#slots.length < this.#memory ? this.#slots.length : (this.#slots.shift() as number);
    this.#slots.push(slot);
    ops.copy_(ops.select(this.#s, 0, slot), s);
    ops.copy_(ops.select(this.#y, 0, slot), y);
    ops.copy_(ops.select(this.#py, 0, slot), py);
    const m = this.#memory;
    const products = (rows: Tensor, vector: Tensor) => ops.mv(rows, vector).toArray("float64");
    const [sy, ys, ypy] = [products(this.#s, y), products(this.#y, s), products(this.#y, py)];
    for (let i = 0; i < m; i++) {
      this.#sy[i * m + slot] = sy[i]!;
      this.#sy[slot * m + i] = ys[i]!;
      this.#ypy[i * m + slot] = ypy[i]!;
      this.#ypy[slot * m + i] = ypy[i]!;
    }
  }

  forget(): void {
    this.#slots = [];
  }

  /** −H·g of the gradient of where the newest step ended; the caller's scope frees it. */
  direction(gradient: Tensor): Tensor {
    const m = this.#memory;
    const pg = this.#pg;
    const newest = this.#slots.at(-1);
    if (newest === undefined) return ops.neg(pg);
    const sg = ops.mv(this.#s, gradient).toArray("float64");
    const ypg = ops.mv(this.#y, pg).toArray("float64");
    const sy = (i: number, j: number) => this.#sy[i * m + j]!;
    const ypy = (i: number, j: number) => this.#ypy[i * m + j]!;
    const alpha = new Float64Array(m);
    this.#slots.forEach((_, k, slots) => {
      const at = slots.length - 1 - k;
      const i = slots[at]!;
      let product = sg[i]!;
      for (const j of slots.slice(at + 1)) product -= alpha[j]! * sy(i, j);
      alpha[i] = product / sy(i, i);
    });
    const gamma = sy(newest, newest) / ypy(newest, newest);
    const weights = new Float64Array(m);
    this.#slots.forEach((i, k, slots) => {
      let product = ypg[i]!;
      for (const j of slots) product -= alpha[j]! * ypy(i, j);
      product *= gamma;
      for (const j of slots.slice(0, k)) product += weights[j]! * sy(j, i);
      weights[i] = alpha[i]! - product / sy(i, i);
    });
    const along = (rows: Tensor, by: Float64Array) => ops.mv(ops.t(rows), Tensor.from(by, [m]));
    const scaled = ops.mulScalar(ops.sub(pg, along(this.#py, alpha)), gamma);
    return ops.neg(ops.add(scaled, along(this.#s, weights)));
  }

  #applied(vector: Tensor): Tensor {
    return ops.select(this.#precondition(ops.unsqueeze(vector, 0)), 0, 0);
  }
}
