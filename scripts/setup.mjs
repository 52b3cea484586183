// All set-up of a checkout: npm packages, TypeScript, then `thaw setup` (libtorch and the addon).
// Each step looks first whether it is done; when all are, this takes a fraction of a second.
// Plain Node without dependencies: it runs before there is a node_modules.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const started = Date.now();
const at = (...parts) => join(root, ...parts);

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 11)) {
  fail(`Node ${process.versions.node} is too old`, "install Node 20.11 or newer");
}
installPackages();
build();
linkCommand();
const force = process.argv.includes("--force") ? ["--force"] : [];
const command = [at("dist/cli/main.js"), "setup", "--yes", "--json", ...force];
const engine = run(process.execPath, command, "pipe");
// Its own message stands above.
if (engine.status !== 0) process.exit(engine.status ?? 1);
const { libtorch } = JSON.parse(engine.stdout);
const seconds = ((Date.now() - started) / 1000).toFixed(1);
console.error(`setup: ready in ${seconds} s (libtorch ${libtorch.version} at ${libtorch.root})`);

function installPackages() {
  const why = packagesMissing();
  if (why === undefined) return;
  console.error(`setup: npm install (${why})`);
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  // Not `npm ci`: package-lock.json names this platform's optional packages only (npm leaves out those
  // that it could not look up), and `npm ci` refuses that. The locked versions and their checksums hold
  // all the same, and --no-save leaves both files as they are.
  const quiet = ["--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];
  const result = run(npm, ["install", "--no-save", ...quiet], 2, {
    // Its install script fetches CUDA libraries, which Thaw does not use, and fails without a network.
    ONNXRUNTIME_NODE_INSTALL: "skip",
  });
  if (result.status !== 0) {
    fail("npm install failed", "is the npm registry reachable? Then run this again");
  }
}

/**
 * npm keeps what it installed in node_modules/.package-lock.json: it is compared with package-lock.json
 * package by package, so that `npm install` by hand counts as well as ours.
 */
function packagesMissing() {
  const installedFile = at("node_modules/.package-lock.json");
  if (!existsSync(installedFile)) return "nothing is installed";
  const wanted = JSON.parse(readFileSync(at("package-lock.json"), "utf8")).packages;
  const installed = JSON.parse(readFileSync(installedFile, "utf8")).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "") continue;
    const present = installed[path];
    // Optional packages are those of other platforms.
    if (present === undefined && !entry.optional) return `${path} is missing`;
    if (present !== undefined && present.version !== entry.version)
      return `${path} is another version`;
  }
  return undefined;
}

function build() {
  const mark = at("dist/.built");
  const inputs = [
    ...sources(at("src")),
    at("tsconfig.json"),
    at("tsconfig.build.json"),
    at("package-lock.json"),
  ];
  const list = inputs.map((file) => relative(root, file)).join("\n");
  const builtAt = existsSync(mark) ? statSync(mark).mtimeMs : 0;
  const current = existsSync(mark) && readFileSync(mark, "utf8") === list;
  if (current && inputs.every((file) => statSync(file).mtimeMs <= builtAt)) return;
  console.error("setup: building TypeScript");
  removeOrphans(at("dist"));
  const now = new Date();
  const result = run(
    process.execPath,
    [at("node_modules/typescript/bin/tsc"), "-p", at("tsconfig.build.json")],
    2,
  );
  if (result.status !== 0) fail("TypeScript does not compile", "correct the errors above");
  writeFileSync(mark, list);
  // The time before the build: a file saved while tsc ran is built next time.
  utimesSync(mark, now, now);
  chmodSync(at("dist/cli/main.js"), 0o755);
}

function sources(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.(ts|json)$/.test(entry.name) && !entry.name.endsWith(".test.ts") ? [path] : [];
  });
}

/** What tsc made of sources that are gone: it would still be imported. */
function removeOrphans(folder) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      removeOrphans(path);
      continue;
    }
    const made = /^(.*?)(\.d\.ts|\.js)(\.map)?$/.exec(entry.name);
    if (made === null) continue;
    const source = join(at("src"), relative(at("dist"), folder), `${made[1]}.ts`);
    if (!existsSync(source)) rmSync(path);
  }
}

/** `npx thaw` in the checkout itself: npm links the commands of dependencies only. */
function linkCommand() {
  const link = at("node_modules/.bin/thaw");
  if (process.platform === "win32" || existsSync(link)) return;
  mkdirSync(dirname(link), { recursive: true });
  rmSync(link, { force: true });
  symlinkSync("../../dist/cli/main.js", link);
}

function run(command, args, stdout, env = {}) {
  return spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", stdout, "inherit"],
    encoding: "utf8",
    // npm is a script there, which only a shell starts.
    shell: command.endsWith(".cmd"),
  });
}

function fail(what, hint) {
  console.error(`setup: ${what}\n  → ${hint}`);
  process.exit(1);
}
