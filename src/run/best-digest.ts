import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { RunRecord } from "./record.ts";

/** `sha256:` and the digest of a run's best model: what was made of it says which it was, as the run may be trained again. */
export function bestDigest(dir: string): string {
  const { best } = new RunRecord(dir);
  return `sha256:${createHash("sha256").update(readFileSync(best)).digest("hex")}`;
}
