import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fillDisk, mountSmallDisk, unmountSmallDisk } from "../../../test/support/small-disk.ts";
import { writeTinyFolder } from "../../../test/support/tiny-images.ts";
import { ThawError } from "../../errors.ts";
import { loadNative } from "../../libtorch/index.ts";
import { listImageFolder } from "../folders/image-folder.ts";
import { prepareImages } from "./prepare.ts";

const root = mkdtempSync(join(tmpdir(), "thaw-prepare-disk-"));
const disk = join(root, "disk");
mkdirSync(disk);
const why = mountSmallDisk(disk, 8 * 2 ** 20);
if (why !== undefined) console.log(`preparing onto a small disk: skipped: ${why}`);
afterAll(() => {
  if (why === undefined) unmountSmallDisk(disk);
  rmSync(root, { recursive: true });
});

const source = join(root, "in");
const prepare = (out: string) =>
  prepareImages(listImageFolder(source), { out, seed: 42, minSize: 64 });
const refusal = async (out: string): Promise<ThawError> => {
  const error = await prepare(out).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(ThawError);
  return error;
};

describe.skipIf(why !== undefined)("the output's disk", () => {
  beforeAll(async () => {
    loadNative();
    await writeTinyFolder(source, { cat: 20, dog: 20 }, { width: 70, height: 66 });
  });

  test("full: said with what to do, and gone on with once there is room", async () => {
    const out = join(disk, "full");
    const free = fillDisk(disk, 16_384);
    const { message, hint } = await refusal(out);
    expect(message).toMatch(/disk\/full.*: the disk is full \(\d+ bytes free\)/);
    expect(hint).toMatch(/free some space and run it again: it continues where it stopped/);
    free();
    const { manifest, copied } = await prepare(out);
    const elsewhere = await prepare(join(root, "elsewhere"));
    expect(copied).toBeGreaterThan(0);
    expect(manifest.files).toEqual(elsewhere.manifest.files);
    expect(readdirSync(join(source, "cat"))).toHaveLength(20);
  });

  test("read-only: named, with what to do, and nothing is written", async () => {
    const out = join(disk, "read-only");
    const remount = (how: string) =>
      expect(spawnSync("mount", ["-o", `remount,${how}`, disk]).status).toBe(0);
    remount("ro");
    try {
      const { message, hint } = await refusal(out);
      expect(message).toMatch(/read-only.*: cannot be written: the file system is read-only/);
      expect(hint).toBe("choose another folder with --out");
    } finally {
      remount("rw");
    }
    expect(existsSync(out)).toBe(false);
  });
});
