import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A folder of original archives that has `file`: `THAW_MIRROR`, or `shared/data` beside the checkout. */
export function mirrorWith(file: string): string | undefined {
  const beside = fileURLToPath(new URL("../../../shared/data", import.meta.url));
  const mirror = [process.env["THAW_MIRROR"], beside].find(
    (folder) => folder && existsSync(join(folder, file)),
  );
  if (mirror === undefined)
    console.log(`skipped: what needs ${file}, which no THAW_MIRROR folder has`);
  return mirror;
}
