import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder, temporaryName } from "./datasets/download.ts";

/** Writes a file: a temporary one beside it, synced, then renamed. A failure leaves the old one. */
export async function writeAtomically(
  path: string,
  parts: Iterable<Uint8Array | string>,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = temporaryName(path);
  try {
    const file = await open(temporary, "wx");
    try {
      for (const part of parts) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } finally {
    await rm(temporary, { force: true });
  }
}
