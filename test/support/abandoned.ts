import { spawnSync } from "node:child_process";
import { temporaryPath } from "../../src/platform/temporary.ts";

/** A temporary name of `target` as a process of this machine left it that has ended. */
export function abandonedPath(target: string, kind: "tmp" | "old" = "tmp"): string {
  const { pid } = spawnSync(process.execPath, ["--version"]);
  return temporaryPath(target, kind).replace(`-${process.pid}-`, `-${pid}-`);
}
