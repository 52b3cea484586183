import { existsSync, readdirSync, renameSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { syncFolder } from "./durable.ts";
import {
  isAbandoned,
  isTemporaryOf,
  parseTemporary,
  removeQuietly,
  temporaryPath,
} from "./temporary.ts";

/**
 * Puts the folder `made` in the place of `target`. An earlier one goes when the new one is there and comes back where that
 * fails; after a kill in between, {@link restoreReplaced} brings it back.
 * @throws what the system says; `target` is then as it was.
 */
export function replaceFolder(made: string, target: string): void {
  const folder = dirname(target);
  if (!existsSync(target)) {
    renameSync(made, target);
    syncFolder(folder);
    return;
  }
  const earlier = temporaryPath(target, "old");
  renameSync(target, earlier);
  try {
    renameSync(made, target);
  } catch (error) {
    takeBack(earlier, target);
    throw error;
  }
  syncFolder(folder);
  discard(earlier, target);
}

/**
 * For whoever looks for `target`, before they look: if a process was killed while it replaced the folder, the earlier one
 * gets its name again (true), or is removed where the new one is in place.
 */
export function restoreReplaced(target: string): boolean {
  const folder = dirname(target);
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch {
    return false;
  }
  let isRestored = false;
  for (const name of names) {
    const parsed = parseTemporary(name);
    if (parsed?.kind !== "old" || !isTemporaryOf(name, target)) continue;
    const earlier = join(folder, name);
    if (!isAbandoned(earlier, parsed)) continue;
    if (existsSync(target)) {
      discard(earlier, target);
      continue;
    }
    try {
      renameSync(earlier, join(folder, basename(target)));
      isRestored = true;
    } catch {
      // Another process was first, or the disk cannot be written: it stays for whoever comes next.
    }
  }
  return isRestored;
}

function takeBack(earlier: string, target: string): void {
  try {
    renameSync(earlier, target);
  } catch {
    // It stays under its other name until somebody looks for it.
  }
}

/** Under another name first: a kill while files are removed must not leave half a folder that looks like a whole one. */
function discard(earlier: string, target: string): void {
  const doomed = temporaryPath(target);
  try {
    renameSync(earlier, doomed);
  } catch {
    return;
  }
  removeQuietly(doomed);
}
