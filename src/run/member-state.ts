import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { configDigest } from "./config.ts";
import type { MatrixMember } from "./matrix-member.ts";
import { listRuns } from "./record.ts";

/** Where a member of a matrix stands, and in which run's folder. */
export interface Placed {
  readonly member: MatrixMember;
  /** Name of the run under the matrix's folder. */
  readonly name: string;
  readonly state: "finished" | "begun" | "new";
}

/**
 * Finds the runs of a matrix's members by their configs, whatever the runs are called. A member that has none gets its
 * name, or another where a run of another config has it: nothing is replaced.
 */
export function placeMembers(members: readonly MatrixMember[], out: string): Placed[] {
  const known = new Map<string, { readonly name: string; readonly finished: boolean }>();
  for (const name of listRuns(out)) {
    const run = inspect(join(out, name));
    // Of several runs of one config the finished one counts.
    if (run !== undefined && (run.finished || !known.has(run.digest))) {
      known.set(run.digest, { name, finished: run.finished });
    }
  }
  return members.map((member) => {
    const run = known.get(member.digest);
    if (run !== undefined) {
      return { member, name: run.name, state: run.finished ? "finished" : "begun" };
    }
    const isTaken = existsSync(join(out, member.name));
    const name = isTaken ? `${member.name}-${member.digest.slice(0, 6)}` : member.name;
    return { member, name, state: "new" };
  });
}

/** Undefined for a run whose files cannot be read: it is none of ours, and stays as it is. */
function inspect(dir: string): { digest: string; finished: boolean } | undefined {
  try {
    const read = (file: string) => JSON.parse(readFileSync(join(dir, file), "utf8"));
    const { configDigest: asked } = read("environment.json") as { configDigest?: string };
    const digest = asked ?? configDigest(read("config.json") as Record<string, unknown>);
    const summary = existsSync(join(dir, "summary.json")) ? read("summary.json") : {};
    return { digest, finished: (summary as { status?: string }).status === "finished" };
  } catch {
    return undefined;
  }
}
