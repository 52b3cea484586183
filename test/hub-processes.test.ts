import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { packageRoot } from "../src/libtorch/home.ts";
import { fakeHub, sha256 } from "./support/fake-hub.ts";

const built = join(packageRoot(), "dist/models/weights/hub/index.js");
const bytes = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * 11) >> 5));

/** One process that resolves the repository and prints the path. */
function start(env: Record<string, string>) {
  const script = `
    const { resolveWeights } = await import(${JSON.stringify(pathToFileURL(built).href)});
    const found = await resolveWeights({ kind: "hub", repo: "owner/net" }, { env: process.env });
    process.stdout.write(found.path);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    env: { ...process.env, THAW_MIRROR: "", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let path = "";
  child.stdout.on("data", (text: Buffer) => {
    path += text.toString();
  });
  return {
    child,
    ended: new Promise<string>((resolve) => child.on("close", () => resolve(path))),
  };
}

async function setUp() {
  if (!existsSync(built)) throw new Error(`${built} is not built: run \`npm test\``);
  const home = mkdtempSync(join(tmpdir(), "thaw-two-"));
  const hub = await fakeHub({
    "owner/net": {
      commit: "c".repeat(40),
      files: { "model.safetensors": { bytes, large: true } },
    },
  });
  const env = { HF_HOME: home, HF_HUB_CACHE: join(home, "hub"), HF_ENDPOINT: hub.url };
  const blobs = join(home, "hub", "models--owner--net", "blobs");
  const end = async () => {
    await hub.close();
    rmSync(home, { recursive: true });
  };
  return { hub, env, blobs, end };
}

test("of two processes one downloads, and both have the file", async () => {
  const { hub, env, blobs, end } = await setUp();
  // Slow enough that the second comes while the first is at it.
  hub.onCdn = (_, response) => {
    response.writeHead(200, { "content-length": bytes.length });
    response.write(bytes.subarray(0, 1000));
    const both = setInterval(() => {
      const heads = hub.hubRequests.filter((line) => line.startsWith("HEAD"));
      if (heads.length < 2) return;
      clearInterval(both);
      setTimeout(() => response.end(bytes.subarray(1000)), 300);
    }, 20);
    return true;
  };
  const paths = await Promise.all([start(env).ended, start(env).ended]);
  expect(paths[0]).toBe(paths[1]);
  expect(readFileSync(paths[0]!).equals(bytes)).toBe(true);
  expect(hub.cdnRanges).toEqual([""]);
  expect(readdirSync(blobs)).toEqual([sha256(bytes)]);
  await end();
});

test("a process that is killed while it downloads leaves what the next one goes on with", async () => {
  const { hub, env, blobs, end } = await setUp();
  let killed = false;
  const partial = join(blobs, `${sha256(bytes)}.incomplete`);
  const first = start(env);
  hub.onCdn = (_, response) => {
    if (killed) return false;
    response.writeHead(200, { "content-length": bytes.length });
    response.write(bytes.subarray(0, 100_000));
    const written = setInterval(() => {
      if (!existsSync(partial) || readFileSync(partial).length < 100_000) return;
      clearInterval(written);
      killed = true;
      first.child.kill("SIGKILL");
    }, 20);
    return true;
  };
  await first.ended;
  const path = await start(env).ended;
  expect(readFileSync(path).equals(bytes)).toBe(true);
  expect(hub.cdnRanges).toEqual(["", "bytes=100000-"]);
  await end();
});
