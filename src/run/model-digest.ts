import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { newestCheckpoint } from "./checkpoint.ts";
import type { CheckpointName } from "./evaluation.ts";
import { RunRecord } from "./record.ts";

/**
 * `sha256:` and the digest of a run's best model, or of its newest checkpoint; undefined where it has none. What was made
 * of a model says by it which one that was, as the run may be trained again.
 */
export function modelDigest(dir: string, which: CheckpointName = "best"): string | undefined {
  const { best, checkpoints } = new RunRecord(dir);
  const file = which === "best" ? best : newestCheckpoint(checkpoints);
  if (file === undefined || !existsSync(file)) return undefined;
  return `sha256:${createHash("sha256").update(readFileSync(file)).digest("hex")}`;
}
