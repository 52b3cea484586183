import { spawnSync } from "node:child_process";
import { closeSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";

/** A file system of `bytes` mounted on a folder; or why there cannot be one. */
export function mountSmallDisk(folder: string, bytes: number): string | undefined {
  if (process.platform !== "linux") return "only Linux has tmpfs";
  const { status, stderr, error } = spawnSync(
    "mount",
    ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", folder],
    { encoding: "utf8" },
  );
  return status === 0 ? undefined : `no tmpfs can be mounted: ${error?.message ?? stderr.trim()}`;
}

export function unmountSmallDisk(folder: string): void {
  const { status, stderr } = spawnSync("umount", [folder], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${folder} stays mounted: ${stderr}`);
}

/** Fills the disk but for `left` bytes; what it returns frees the space again. */
export function fillDisk(folder: string, left: number): () => void {
  const path = join(folder, "filler");
  const { bavail, bsize } = statfsSync(folder);
  const block = Buffer.alloc(bsize);
  const file = openSync(path, "w");
  for (let blocks = bavail - Math.ceil(left / bsize); blocks > 0; blocks--) writeSync(file, block);
  closeSync(file);
  return () => rmSync(path);
}
