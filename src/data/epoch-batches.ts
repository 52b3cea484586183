/** How an epoch of so many images is cut into batches. */
export interface EpochPlan {
  readonly count: number;
  readonly batchSize: number;
  /** A last batch of one image joins the one before it. */
  readonly joinsLone?: boolean | undefined;
}

/** Batches of an epoch. */
export function batchCount({ count, batchSize, joinsLone = false }: EpochPlan): number {
  const batches = Math.ceil(count / batchSize);
  return joinsLone && batches > 1 && leavesOne({ count, batchSize }) ? batches - 1 : batches;
}

/** Is the last batch one image? */
export function leavesOne({ count, batchSize }: Pick<EpochPlan, "count" | "batchSize">): boolean {
  return batchSize === 1 || count % batchSize === 1;
}

/** The rows of the batch at a place, from 0, of an epoch's order. */
export function batchRows(order: Int32Array, index: number, plan: EpochPlan): Int32Array {
  const end = index === batchCount(plan) - 1 ? plan.count : (index + 1) * plan.batchSize;
  return order.slice(index * plan.batchSize, end);
}
