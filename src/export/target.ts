import { existsSync, readdirSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { UsageError } from "../errors.ts";
import { replaceFolder, restoreReplaced } from "../platform/replace-folder.ts";
import { type WriteContext, writeError } from "../platform/system-error.ts";

const ourFiles: readonly string[] = ["README.md", "export.json", "model.onnx", "model.onnx.data"];

/** What desktops leave in folders that they show: of no worth to anybody. A `.git` is. */
const isLitter = (name: string): boolean =>
  [".DS_Store", ".directory", "Thumbs.db", "desktop.ini"].includes(name) || name.startsWith("._");

/** @throws UsageError for a folder that is not to be replaced. */
export function refuseTarget(folder: string, overwrite: boolean): void {
  if (!existsSync(folder)) return;
  const names = statSync(folder).isDirectory() ? readdirSync(folder) : [];
  const isOurs = names.includes("export.json");
  const other = names.find((name) => !ourFiles.includes(name) && !isLitter(name));
  if (overwrite && isOurs && other !== undefined) {
    throw new UsageError(`${folder} has ${other} too, which is of no export; nothing was touched`, {
      hint: "move it away, or name another folder with --to",
    });
  }
  if (overwrite && isOurs) return;
  throw new UsageError(
    `${folder} exists${isOurs ? "" : " and is no export"}; nothing in it was touched`,
    {
      hint: isOurs ? "--overwrite replaces it, --to names another" : "name another with --to",
    },
  );
}

export const exportPlace: WriteContext = {
  elsewhere: "choose another folder with --to",
  ifFull: "free some space, or choose another folder with --to",
};

/**
 * For whoever looks for an export, before they look: one that was being replaced when its process was killed gets its name
 * back.
 */
export function restoreExport(folder: string, onNote?: (text: string) => void): void {
  if (restoreReplaced(resolve(folder))) {
    onNote?.(`${folder}: replacing it was interrupted; the earlier export was restored`);
  }
}

/**
 * Puts a finished export in its place. An earlier one goes when the new one is there, and comes back where that fails.
 * @throws UsageError where something else has come to stand there meanwhile; ThawError where the system refuses it.
 */
export function putInPlace(
  made: string,
  folder: string,
  { overwrite }: { readonly overwrite: boolean },
): void {
  refuseTarget(folder, overwrite);
  const hasOld = existsSync(folder);
  try {
    replaceFolder(made, folder);
  } catch (cause) {
    const intact = hasOld && existsSync(folder) ? "The earlier export is unchanged." : undefined;
    throw writeError(folder, cause, { ...exportPlace, intact });
  }
}
