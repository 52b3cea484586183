import { spawnSync } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";

/** A file operation of a process that is to fail, or to be its last. */
export interface Failure {
  readonly call: "create" | "open" | "write" | "fsync" | "rename" | "unlink" | "mkdir";
  /** Part of the path; of a rename, of `from>to`. */
  readonly path: string;
  /** `EIO` and the like, or `kill`: SIGKILL right after the operation. */
  readonly with: keyof typeof constants.errno | "kill";
  /** Which of those that match, from 1; default all. */
  readonly which?: number;
}

/**
 * Compiles what makes file operations fail into `folder`. Returns the environment for a process in which they do; or why there is
 * none.
 */
export function failingCalls(
  folder: string,
): ((...failures: Failure[]) => Record<string, string>) | string {
  if (process.platform !== "linux") return "calls are replaced through LD_PRELOAD: Linux alone";
  const library = join(folder, "failing-calls.so");
  const source = join(import.meta.dirname, "failing-calls.c");
  const { status, error, stderr } = spawnSync(
    "cc",
    ["-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"],
    { encoding: "utf8" },
  );
  if (status !== 0) return `no C compiler: ${error?.message ?? stderr}`;
  return (...failures) => ({
    LD_PRELOAD: library,
    THAW_TEST_FAILURES: failures
      .map(({ call, path, which = 0, with: how }) => {
        const action = how === "kill" ? how : constants.errno[how];
        return `${call} ${path} ${which} ${action}`;
      })
      .join(";"),
  });
}
