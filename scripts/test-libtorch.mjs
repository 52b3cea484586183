// Runs the whole test suite on other versions of libtorch: `npm run test:libtorch -- 2.8.0 2.15.0 [-- vitest arguments]`.
// Each comes from PyPI's wheel into a virtual environment of its own, which is kept for the next time. Not for users:
// Thaw itself needs neither PyPI nor Python.
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { home, isVersion, torchOf } from "./libtorch-versions.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const [versions, vitestArguments] = split(process.argv.slice(2), "--");
if (versions.length === 0 || !versions.every(isVersion)) {
  console.error("usage: npm run test:libtorch -- 2.8.0 2.15.0 [-- vitest arguments]");
  process.exit(2);
}
const results = versions.map((version) => ({ version, ...testAgainst(version) }));
for (const { version, outcome } of results) console.log(`libtorch ${version}: ${outcome}`);
process.exitCode = results.every(({ ok }) => ok) ? 0 : 1;

function testAgainst(version) {
  const folder = torchOf(version) ?? install(version);
  if (folder === undefined) return { ok: false, outcome: "could not be installed from PyPI" };
  const { status, stdout } = spawnSync("npm", ["test", "--silent", "--", ...vitestArguments], {
    cwd: root,
    env: { ...process.env, THAW_LIBTORCH: folder },
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
    maxBuffer: 1 << 30,
  });
  process.stdout.write(stdout);
  return { ok: status === 0, outcome: stdout.trimEnd().split("\n").at(-1) };
}

function install(version) {
  const environment = join(home, version);
  console.error(`torch ${version} from PyPI into ${environment} (some minutes, some gigabytes)`);
  rmSync(environment, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  // With what it depends on: a wheel's libtorch_cpu is linked to some of CUDA's libraries.
  for (const [command, ...args] of [
    ["python3", "-m", "venv", environment],
    [join(environment, "bin", "pip"), "install", "--quiet", `torch==${version}`],
  ]) {
    if (spawnSync(command, args, { stdio: ["ignore", 2, 2] }).status !== 0) return undefined;
  }
  return torchOf(version);
}

function split(list, mark) {
  const at = list.indexOf(mark);
  return at < 0 ? [list, []] : [list.slice(0, at), list.slice(at + 1)];
}
