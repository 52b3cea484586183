/** What is looked at, in this order. */
export type SanityCheckName =
  | "labels"
  | "batch norms"
  | "inputs"
  | "initial loss"
  | "gradients"
  | "frozen"
  | "overfit";

export interface SanityCheck {
  readonly check: SanityCheckName;
  readonly status: "passed" | "failed" | "skipped";
  /** What was found; of a check that was skipped, why. */
  readonly detail: string;
  /** Names of the parameters, buffers, channels or classes that are to blame; empty where none are. */
  readonly culprits: readonly string[];
  /** What to do next, where a check failed. */
  readonly hint?: string;
}

export interface SanityReport {
  /** No check failed. */
  readonly ok: boolean;
  readonly checks: readonly SanityCheck[];
}

export function passed(check: SanityCheckName, detail: string): SanityCheck {
  return { check, status: "passed", detail, culprits: [] };
}

export function skipped(check: SanityCheckName, detail: string): SanityCheck {
  return { check, status: "skipped", detail, culprits: [] };
}

export function failed(
  check: SanityCheckName,
  detail: string,
  culprits: readonly string[],
  hint: string,
): SanityCheck {
  return { check, status: "failed", detail, culprits, hint };
}

/** `a, b, c and 4 more`. */
export function listed(names: readonly string[], most = 4): string {
  const rest = names.length - most;
  return `${names.slice(0, most).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}
