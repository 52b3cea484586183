import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { RunRecord } from "./record.ts";

/**
 * `sha256:` and the digest of a run's best model, undefined where it has none. What was made of a model says by it which
 * one that was, as the run may be trained again.
 */
export function bestDigest(dir: string): string | undefined {
  const { best } = new RunRecord(dir);
  if (!existsSync(best)) return undefined;
  return `sha256:${createHash("sha256").update(readFileSync(best)).digest("hex")}`;
}
