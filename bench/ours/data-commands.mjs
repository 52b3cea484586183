// A command of `thaw data` on photographs that are made first, untimed. Prints one line of JSON.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";

const { values } = parseArgs({
  options: {
    command: { type: "string", default: "prepare" },
    images: { type: "string", default: "800" },
  },
});
const root = mkdtempSync(join(tmpdir(), "thaw-bench-"));
const main = new URL("../../dist/cli/main.js", import.meta.url).pathname;

/** Blurred noise of its own for each: as large as a photograph when compressed. */
async function makePhotographs(folder, count) {
  for (let i = 0; i < count; i++) {
    const kind = join(folder, `class-${i % 5}`);
    mkdirSync(kind, { recursive: true });
    const noise = new Uint8Array(125 * 94 * 3);
    let state = i + 1;
    for (let k = 0; k < noise.length; k++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      noise[k] = state >>> 24;
    }
    await sharp(noise, { raw: { width: 125, height: 94, channels: 3 } })
      .resize(500, 375, { fit: "fill" })
      .jpeg({ quality: 90 })
      .toFile(join(kind, `${i}.jpg`));
  }
}

try {
  const source = values.command === "info-fashion-mnist" ? "fashion-mnist" : join(root, "in");
  if (source !== "fashion-mnist") await makePhotographs(source, Number(values.images));
  const args =
    values.command === "prepare"
      ? ["prepare", source, "--out", join(root, "out")]
      : ["info", source, "--sheet", join(root, "sheet.png")];
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [main, "data", ...args]);
  const seconds = (performance.now() - started) / 1000;
  if (status !== 0) throw new Error(stderr.toString());
  process.stdout.write(`${JSON.stringify({ seconds })}\n`);
} finally {
  rmSync(root, { recursive: true });
}
