import type { SanityCheck } from "../train/index.ts";
import { colors } from "./output.ts";

/** A line for what was looked at, and another for what to do. */
export function describeCheck({ check, status, detail, hint }: SanityCheck): string {
  const sign = { passed: colors.green("✓"), failed: colors.red("✗"), skipped: "–" }[status];
  const line = `${sign} ${check.padEnd(13)} ${status === "skipped" ? "skipped: " : ""}${detail}`;
  return hint === undefined ? line : `${line}\n  ${colors.dim("→")} ${hint}`;
}
