import { existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { ThawError, UsageError } from "../errors.ts";

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

/**
 * Puts a finished export in its place. An earlier one goes when the new one is there, and comes back where that fails.
 * @throws UsageError where something else has come to stand there meanwhile; ThawError where the system refuses it.
 */
export function putInPlace(
  made: string,
  folder: string,
  { overwrite, onNote }: { overwrite: boolean; onNote?: ((text: string) => void) | undefined },
): void {
  refuseTarget(folder, overwrite);
  const old = `${made}.old`;
  const hasOld = existsSync(folder);
  const attempt = (body: () => void, hint: string): void => {
    try {
      body();
    } catch (cause) {
      throw new ThawError(`${folder}: cannot be written: ${(cause as Error).message}`, {
        hint,
        cause,
      });
    }
  };
  const kept = hasOld ? "the earlier export is as it was" : "name another folder with --to";
  if (hasOld) attempt(() => renameSync(folder, old), kept);
  try {
    attempt(() => renameSync(made, folder), kept);
  } catch (error) {
    if (hasOld) attempt(() => renameSync(old, folder), `the earlier export is in ${old}`);
    throw error;
  }
  if (!hasOld) return;
  try {
    rmSync(old, { recursive: true, force: true });
  } catch {
    onNote?.(`the earlier export could not be removed: what is left of it is in ${old}`);
  }
}
