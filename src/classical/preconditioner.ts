import { ops, scope, type Tensor } from "../tensor/index.ts";
import type { Preconditioner } from "./lbfgs.ts";

/** Above so many features a Cholesky factor costs more than it saves. */
const MOST_FEATURES = 4096;

export interface Curvature {
  /** [n, d] */
  readonly x: Tensor;
  /** [blocks, n]: the loss's second derivative by a row's score, for each class, or the mean of them all. */
  readonly weights: Tensor;
  /** Value of the constant feature, undefined without an intercept. */
  readonly bias: number | undefined;
  /** [D], d or with an intercept d + 1: what regularisation adds to the diagonal; float64. */
  readonly ridge: Tensor;
}

/** Rows that weigh less than this, against the mean of the others, are left out of a Hessian. */
const NEGLIGIBLE = 0.02;

/**
 * The inverses of Xᵀ·diag(weights)·X + ridge: the diagonal blocks of the Hessian, one a class, or one for all. Only their
 * diagonal where there are very many features. Applied to rows of [m, classes · D]. The caller's scope owns it.
 */
export function inverseCurvature(curvature: Curvature): Preconditioner {
  const { weights, ridge } = curvature;
  const [blocks, d] = [weights.size(0), ridge.size(0)];
  if (d > MOST_FEATURES) {
    const inverse = scope(() => inverseDiagonal(curvature));
    return (vectors) =>
      scope(() => ops.view(ops.mul(grouped(vectors, blocks, d), inverse), vectors.shape));
  }
  const inverse = scope(() =>
    ops.stack(ops.unbind(weights).map((w) => inverseBlock(curvature, w))),
  );
  return (vectors) =>
    scope(() => {
      // [m, K, D] → [blocks, m · K / blocks, D]
      const rows = ops.transpose(grouped(vectors, blocks, d), 0, 1);
      const halved = ops.toDtype(rows, "float32", { memoryFormat: "contiguous" });
      const applied = ops.toDtype(ops.bmm(halved, inverse), "float64");
      return ops.reshape(ops.transpose(applied, 0, 1), vectors.shape);
    });
}

/** [m, K · D] → [m · K / blocks, blocks, D] */
function grouped(vectors: Tensor, blocks: number, d: number): Tensor {
  return ops.reshape(vectors, [-1, blocks, d]);
}

/** [blocks, D] */
function inverseDiagonal({ x, weights, bias, ridge }: Curvature): Tensor {
  const squares = ops.mm(weights, ops.square(x));
  const sums = ops.sumDim(weights, { dim: 1, keepdim: true });
  const parts = bias === undefined ? [squares] : [squares, ops.mulScalar(sums, bias * bias)];
  const diagonal = ops.toDtype(ops.cat(parts, { dim: 1 }), "float64");
  return ops.reciprocal(ops.add(ops.add(diagonal, ridge), jitter(diagonal)));
}

/** [D, D] float32 of weights [n]: it only steers, so half the digits will do, and half the bytes are read. */
function inverseBlock({ x, bias, ridge }: Curvature, weights: Tensor): Tensor {
  return scope(() => {
    const share = ops.mean(weights).item() * NEGLIGIBLE;
    const rows = ops.select(ops.nonzero(ops.gtScalar(weights, share)), 1, 0);
    const all = rows.size(0) === x.size(0);
    const some = all ? x : ops.indexSelect(x, 0, rows);
    const w = ops.unsqueeze(all ? weights : ops.indexSelect(weights, 0, rows), 1);
    const weighted = ops.mul(some, w);
    let gram = ops.mm(ops.t(weighted), some);
    if (bias !== undefined) {
      const border = ops.mulScalar(ops.sumDim(weighted, { dim: 0, keepdim: true }), bias);
      const corner = ops.mulScalar(ops.sumDim(w, { dim: 0, keepdim: true }), bias * bias);
      const left = ops.cat([gram, border]);
      gram = ops.cat([left, ops.t(ops.cat([border, corner], { dim: 1 }))], { dim: 1 });
    }
    const hessian = ops.toDtype(gram, "float64", { copy: true });
    const diagonal = ops.diagonal(hessian);
    ops.add_(diagonal, ops.add(ridge, jitter(diagonal)));
    const eye = ops.eye(ridge.size(0), { dtype: "float64" });
    const factor = ops.linalgCholesky(hessian);
    const root = ops.toDtype(ops.linalgSolveTriangular(factor, eye, { upper: false }), "float32");
    return ops.mm(ops.t(root), root);
  });
}

/** Keeps a matrix positive definite whose features are constant or copies of each other. */
function jitter(diagonal: Tensor): Tensor {
  return ops.mulScalar(ops.mean(diagonal), 1e-6);
}
