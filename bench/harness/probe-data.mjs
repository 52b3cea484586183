// Weights and images of the linear probe, unpacked once a machine from ../shared/data (or THAW_MIRROR): CIFAR-10's first
// 2,000 training images and the 1,000 test images that are there. As a program it prints their places as JSON.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { repository } from "./sides.mjs";

const mirror = process.env["THAW_MIRROR"] || join(repository, "../shared/data");
const archives = ["weights-deit-tiny-safetensors.tar.gz", "cifar-10-binary.tar.xz"];

/** Why the probe cannot be measured here, or undefined. */
export function missingProbeData() {
  const absent = archives.filter((name) => !existsSync(join(mirror, name)));
  return absent.length === 0 ? undefined : `${mirror} has no ${absent.join(" and no ")}`;
}

export function probeData() {
  const folder = join(tmpdir(), "thaw-bench-probe");
  if (!existsSync(folder)) {
    const work = `${folder}.${process.pid}`;
    mkdirSync(work);
    for (const name of archives) {
      const { status, stderr } = spawnSync("tar", ["-xf", join(mirror, name), "-C", work]);
      if (status !== 0) throw new Error(`tar cannot unpack ${name}: ${stderr}`);
    }
    if (existsSync(folder)) rmSync(work, { recursive: true });
    else renameSync(work, folder);
  }
  const batches = join(folder, "cifar-10-batches-bin");
  const find = spawnSync("find", [folder, "-name", "deit_tiny_patch16_224.safetensors"]);
  return {
    weights: find.stdout.toString().trim().split("\n")[0],
    train: join(batches, "data_batch_1.bin"),
    test: join(batches, "test_batch.bin"),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(JSON.stringify(probeData()));
