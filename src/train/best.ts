import type { EpochLine } from "../run/summary.ts";
import type { Progress } from "./session.ts";

/** More accurate, or as accurate with a lower loss: with equal counts of right answers the surer one. */
export function improves(
  line: Pick<EpochLine, "valAccuracy" | "valLoss">,
  best: Progress["best"],
): boolean {
  if (best === null) return true;
  if (line.valAccuracy !== best.valAccuracy) return line.valAccuracy > best.valAccuracy;
  return line.valLoss < best.valLoss;
}

/** Counts an epoch that has ended. True where it is the best so far. */
export function countEpoch(
  progress: Pick<Progress, "best" | "sinceBest">,
  { epoch, valAccuracy, valLoss }: Pick<EpochLine, "epoch" | "valAccuracy" | "valLoss">,
): boolean {
  const isBest = improves({ valAccuracy, valLoss }, progress.best);
  if (isBest) progress.best = { epoch, valAccuracy, valLoss };
  progress.sinceBest = isBest ? 0 : progress.sinceBest + 1;
  return isBest;
}

/** Are there as many epochs without a better one as were to be waited for? */
export function isOver(
  { sinceBest }: Pick<Progress, "sinceBest">,
  patience: number | undefined,
): boolean {
  return patience !== undefined && sinceBest >= patience;
}
