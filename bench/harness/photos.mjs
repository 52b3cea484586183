// JPEGs of 500 x 375 in two class folders, made once a machine: scaled photographs where ../shared/data has them,
// else smooth pictures. As a program it prints the folder.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { extract } from "tar";
import { repository } from "./sides.mjs";

const COUNT = 160;
const WIDTH = 500;
const HEIGHT = 375;

export async function photoFolder() {
  const mirror = process.env["THAW_MIRROR"] ?? join(repository, "../shared/data");
  const archive = join(mirror, "stanford-dogs-2-originals.tar.gz");
  const folder = join(tmpdir(), `thaw-bench-photos-${existsSync(archive) ? "dogs" : "made"}`);
  if (existsSync(folder)) return folder;
  const work = mkdtempSync(join(tmpdir(), "thaw-bench-"));
  try {
    const sources = existsSync(archive)
      ? await unpack(archive, join(work, "originals"))
      : undefined;
    for (let i = 0; i < COUNT; i++) {
      const to = join(work, "jpeg", `class${i % 2}`);
      mkdirSync(to, { recursive: true });
      const image = sources ? sharp(sources[i % sources.length]) : smooth(i);
      await image
        .resize(WIDTH, HEIGHT, { fit: "fill" })
        .jpeg({ quality: 90 })
        .toFile(join(to, `${i}.jpg`));
    }
    renameSync(join(work, "jpeg"), folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}

async function unpack(file, cwd) {
  mkdirSync(cwd);
  await extract({ file, cwd });
  const names = readdirSync(cwd, { recursive: true }).filter((name) => name.endsWith(".jpg"));
  return names.sort().map((name) => join(cwd, name));
}

function smooth(seed) {
  const data = Uint8Array.from({ length: 100 * 75 * 3 }, (_, i) => {
    const [x, y, c] = [Math.floor(i / 3) % 100, Math.floor(i / 300), i % 3];
    return 128 + 100 * Math.sin((x * (1 + (seed % 7)) + y * (c + 1)) / 20 + seed);
  });
  return sharp(data, { raw: { width: 100, height: 75, channels: 3 } });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await photoFolder());
