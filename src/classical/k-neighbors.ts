import { ThawError, UsageError } from "../errors.ts";
import { finish, type Steps } from "../platform/stop.ts";
import { ops, scope, scopeInSteps, Tensor } from "../tensor/index.ts";
import { checkFeatures, distinct, fitted, owned } from "./checks.ts";
import {
  type ClassifierEstimator,
  changed,
  type EstimatorState,
  type Params,
} from "./estimator.ts";
import { disposeTensors, stateTensors } from "./state.ts";

export interface KNeighborsParams {
  readonly nNeighbors: number;
  /** `distance`: a neighbour counts by the inverse of its distance; one at distance 0 outweighs all others. */
  readonly weights: "uniform" | "distance";
  readonly metric: "euclidean" | "cosine";
}

const defaults: KNeighborsParams = { nNeighbors: 5, weights: "uniform", metric: "euclidean" };

/** Bytes of distances that are in memory at a time. */
const BLOCK_BYTES = 128 * 2 ** 20;
/** Columns of which first only the smallest is looked at: sorting all distances would take longer than computing them. */
const GROUP = 64;
/** Candidates beyond k that are measured again in float64: float32's rounding may have the order of near ones wrong. */
const SPARE = 8;
/** Rows whose candidates are measured again at a time: they stay in the cores' caches, twice as fast. */
const REFINED_ROWS = 64;

interface Fitted {
  /** [n, d], unit rows under cosine, in the dtype given. */
  readonly x: Tensor;
  /** [groups · GROUP] half squared norms, infinite past n. */
  readonly half: Tensor;
  readonly classes: Int32Array;
  readonly codes: Int32Array;
}

/** [n · k], row-major. */
interface Neighbors {
  readonly distances: Float64Array;
  readonly indices: Int32Array;
}

/** Is given the neighbours of some rows of a block, [rows, k], from row `at` on. */
type TakeNeighbors = (
  at: number,
  found: { readonly distances: Tensor; readonly indices: Tensor },
) => void;

/** k nearest neighbours by comparing with every row, in blocks: scikit-learn's `KNeighborsClassifier`. */
export class KNeighborsClassifier implements ClassifierEstimator {
  readonly name = "KNeighborsClassifier";
  readonly params: KNeighborsParams & Params;
  #fitted: Fitted | undefined;

  constructor(params: Partial<KNeighborsParams> = {}) {
    this.params = { ...defaults, ...params };
    const { nNeighbors, weights, metric } = this.params;
    if (!Number.isInteger(nNeighbors) || nNeighbors < 1) {
      throw new UsageError(`${this.name}: nNeighbors is ${nNeighbors}, and is to be 1 or more`);
    }
    if (!["uniform", "distance"].includes(weights) || !["euclidean", "cosine"].includes(metric)) {
      throw new UsageError(`${this.name}: weights ${weights} with metric ${metric}`, {
        hint: "weights are uniform or distance, the metric is euclidean or cosine",
      });
    }
  }

  fit(x: Tensor, y: ArrayLike<number>): this {
    checkFeatures(this.name, x);
    if (y.length !== x.size(0)) {
      throw new ThawError(`${this.name}: ${y.length} labels for ${x.size(0)} rows of features`);
    }
    const { nNeighbors } = this.params;
    if (nNeighbors > x.size(0)) {
      throw new ThawError(`${this.name}: ${nNeighbors} neighbours of ${x.size(0)} training rows`, {
        hint: `nNeighbors is to be at most ${x.size(0)}`,
      });
    }
    const classes = distinct(this.name, y);
    const code = new Map([...classes].map((label, i) => [label, i]));
    const codes = Int32Array.from(y, (label) => code.get(label)!);
    this.#keep(
      scope(() => owned(this.#prepare(x))),
      classes,
      codes,
    );
    return this;
  }

  /** One piece: the rows are kept. */
  *fitSteps(x: Tensor, y: ArrayLike<number>): Steps<void> {
    yield;
    this.fit(x, y);
  }

  get classes(): Int32Array {
    return fitted(this.name, this.#fitted).classes;
  }

  /** The k nearest training rows of each row, the nearest first, with their distances: [n · k], row-major. */
  kneighbors(query: Tensor): Neighbors {
    return finish(this.kneighborsSteps(query));
  }

  *kneighborsSteps(query: Tensor): Steps<Neighbors> {
    const { x } = fitted(this.name, this.#fitted);
    checkFeatures(this.name, query, x.size(1));
    const { nNeighbors: k } = this.params;
    const n = query.size(0);
    const distances = new Float64Array(n * k);
    const indices = new Int32Array(n * k);
    const rows = Math.max(1, Math.floor(BLOCK_BYTES / (4 * x.size(0))));
    for (let start = 0; start < n; start += rows) {
      const take: TakeNeighbors = (at, found) => {
        const place = (start + at) * k;
        distances.set(found.distances.toArray("float64"), place);
        indices.set(Int32Array.from(found.indices.toArray("int64"), Number), place);
      };
      yield* scopeInSteps(() =>
        this.#blockSteps(ops.narrow(query, 0, start, Math.min(rows, n - start)), take),
      );
    }
    return { distances, indices };
  }

  *#blockSteps(rows: Tensor, take: TakeNeighbors): Steps<void> {
    const { x } = fitted(this.name, this.#fitted);
    yield;
    const block = this.#prepare(rows);
    const candidates = this.#candidates(block, Math.min(x.size(0), this.params.nNeighbors + SPARE));
    for (let at = 0; at < block.size(0); at += REFINED_ROWS) {
      yield;
      scope(() => {
        const count = Math.min(REFINED_ROWS, block.size(0) - at);
        const part = [block, candidates].map((tensor) => ops.narrow(tensor, 0, at, count));
        take(at, this.#nearest(part[0]!, part[1]!));
      });
    }
  }

  /** [n, classes] shares of the neighbours' votes. */
  predictProba(query: Tensor): Tensor {
    return finish(this.confidenceSteps(query));
  }

  *confidenceSteps(query: Tensor): Steps<Tensor> {
    const { codes, classes } = fitted(this.name, this.#fitted);
    const { nNeighbors: k } = this.params;
    const { distances, indices } = yield* this.kneighborsSteps(query);
    const n = query.size(0);
    const votes = new Float64Array(n * classes.length);
    for (let row = 0; row < n; row++) {
      const weights = this.#weigh(distances.subarray(row * k, (row + 1) * k));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (let i = 0; i < k; i++) {
        votes[row * classes.length + codes[indices[row * k + i]!]!]! += weights[i]! / total;
      }
    }
    return Tensor.from(votes, [n, classes.length]);
  }

  /** The class of most votes; of equal ones the smallest. */
  predict(query: Tensor): Int32Array {
    return finish(this.predictSteps(query));
  }

  *predictSteps(query: Tensor): Steps<Int32Array> {
    const { codes, classes } = fitted(this.name, this.#fitted);
    const { nNeighbors: k } = this.params;
    const { distances, indices } = yield* this.kneighborsSteps(query);
    return Int32Array.from({ length: query.size(0) }, (_, row) => {
      const votes = new Float64Array(classes.length);
      const weights = this.#weigh(distances.subarray(row * k, (row + 1) * k));
      for (let i = 0; i < k; i++) votes[codes[indices[row * k + i]!]!]! += weights[i]!;
      return classes[votes.indexOf(Math.max(...votes))]!;
    });
  }

  confidence(query: Tensor): Tensor {
    return this.predictProba(query);
  }

  clone(changes: Params = {}): KNeighborsClassifier {
    return new KNeighborsClassifier(changed(this.name, this.params, changes));
  }

  state(): EstimatorState {
    const { x, classes, codes } = fitted(this.name, this.#fitted);
    const tensors = new Map([
      ["x", x],
      ["codes", Tensor.from(codes, [codes.length])],
    ]);
    return { params: this.params, tensors, classes: [...classes] };
  }

  static from(state: EstimatorState): KNeighborsClassifier {
    const model = new KNeighborsClassifier(state.params);
    const { x, codes } = stateTensors(model.name, state, ["x", "codes"]);
    model.#keep(x, Int32Array.from(state.classes ?? []), codes.toArray("int32"));
    codes.dispose();
    return model;
  }

  [Symbol.dispose](): void {
    const { x, half } = this.#fitted ?? {};
    if (x !== undefined && half !== undefined) disposeTensors({ x, half });
    this.#fitted = undefined;
  }

  #keep(x: Tensor, classes: Int32Array, codes: Int32Array): void {
    this[Symbol.dispose]();
    const half = scope(() => {
      const norms = ops.divScalar(ops.sumDim(ops.square(x), { dim: 1, dtype: "float32" }), 2);
      const empty = -x.size(0) % GROUP === 0 ? 0 : GROUP - (x.size(0) % GROUP);
      return owned(ops.cat([norms, ops.full([empty], Number.POSITIVE_INFINITY)]));
    });
    this.#fitted = { x, half, classes, codes };
  }

  /** Unit rows under cosine: half of their squared euclidean distance is the cosine distance. */
  #prepare(x: Tensor): Tensor {
    if (this.params.metric === "euclidean") return x;
    const norms = ops.normDim(x, 1, { p: 2, keepdim: true });
    return ops.div(x, ops.maskedFillScalar(norms, ops.eqScalar(norms, 0), 1));
  }

  /** Of the candidates [n, count] of each row, measured in float64, the k nearest. */
  #nearest(query: Tensor, candidates: Tensor): { distances: Tensor; indices: Tensor } {
    const { x } = fitted(this.name, this.#fitted);
    const { nNeighbors: k, metric } = this.params;
    const rows = ops.toDtype(ops.indexSelect(x, 0, ops.flatten(candidates)), "float64");
    const wide = ops.unsqueeze(ops.toDtype(query, "float64"), 1);
    const apart = ops.sub(ops.view(rows, [...candidates.shape, x.size(1)]), wide);
    const squares = ops.sumDim(ops.square_(apart), { dim: 2 });
    // Candidates ascend by index, and equal distances keep that order.
    const order = ops.narrow(ops.sortStable(squares, { stable: true, dim: 1 })[1], 1, 0, k);
    const nearest = ops.gather(squares, 1, order);
    const distances = metric === "cosine" ? ops.divScalar(nearest, 2) : ops.sqrt(nearest);
    return { distances, indices: ops.gather(candidates, 1, order) };
  }

  /** [n, count] rows near by float32's reckoning, ascending. ‖x‖²/2 − q·x orders as the distance does. */
  #candidates(query: Tensor, count: number): Tensor {
    const { x, half } = fitted(this.name, this.#fitted);
    const padded = half.size(0);
    return scope(() => {
      const [n, all] = [query.size(0), x.size(0)];
      const scores = ops.clone(ops.expand(half, [n, padded]), { memoryFormat: "contiguous" });
      const products = ops.narrow(scores, 1, 0, all);
      const [q, t] = [ops.toDtype(query, "float32"), ops.t(ops.toDtype(x, "float32"))];
      ops.addmm_(products, q, t, { alpha: -1 });
      const groups = ops.view(scores, [n, padded / GROUP, GROUP]);
      const smallest = ops.amin(groups, { dim: 2 });
      const wanted = Math.min(count, padded / GROUP);
      // The `count` smallest of a row lie in the `count` groups whose smallest are the smallest.
      const [, at] = ops.topk(smallest, wanted, { dim: 1, largest: false, sorted: false });
      const index = ops.expand(ops.unsqueeze(at, 2), [n, wanted, GROUP]);
      const near = ops.view(ops.gather(groups, 1, index), [n, wanted * GROUP]);
      const [, inside] = ops.topk(near, count, { dim: 1, largest: false, sorted: false });
      const group = ops.gather(at, 1, ops.floorDivideScalar(inside, GROUP));
      const column = ops.sub(inside, ops.mulScalar(ops.floorDivideScalar(inside, GROUP), GROUP));
      return ops.sort(ops.add(ops.mulScalar(group, GROUP), column), { dim: 1 })[0];
    });
  }

  #weigh(distances: Float64Array): Float64Array {
    if (this.params.weights === "uniform") return new Float64Array(distances.length).fill(1);
    if (distances.includes(0)) return distances.map((distance) => (distance === 0 ? 1 : 0));
    return distances.map((distance) => 1 / distance);
  }
}
