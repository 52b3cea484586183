/** A batch's part in an update whose gradients are those of several batches. */
export interface Accumulation {
  /** How many batches the update is of: their mean losses count alike. */
  readonly batches: number;
  /** Does the update follow this batch? */
  readonly isLast: boolean;
}

/**
 * Of the batch at a place (from 0) of an epoch of so many. What is left at the epoch's end makes an update
 * of fewer batches, as timm's training script has it.
 */
export function accumulationAt(index: number, batches: number, steps: number): Accumulation {
  const rest = batches % steps;
  return {
    batches: index >= batches - rest ? rest : steps,
    isLast: index + 1 === batches || (index + 1) % steps === 0,
  };
}

/** Updates of an epoch of so many batches. */
export function updatesPerEpoch(batches: number, steps: number): number {
  return Math.ceil(batches / steps);
}
