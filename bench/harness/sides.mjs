import { spawn } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Bench scripts' own failures: message for people, no stack. */
export class BenchError extends Error {}

export const repository = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The Python that has the peer. Debian's, because its PyTorch is the one the goals are set against. */
export const python = process.env["THAW_BENCH_PYTHON"] || "/usr/bin/python3";

/**
 * One side of a comparison: a program that is run as a process of its own and prints one line of JSON.
 *
 * @typedef {object} Side
 * @property {"node" | "python"} runtime
 * @property {string} script relative to the repository
 * @property {readonly string[]} [args]
 * @property {readonly string[]} [quickArgs] appended under --quick; the last of a repeated flag wins
 * @property {number} [rounds] at most so many rounds, for what takes minutes
 * @property {Readonly<Record<string, string>>} [env] added to the environment
 * @property {boolean} [wallOnly] the script prints no JSON: only `wallSeconds` is of interest
 */

/**
 * Fails with advice before anything is measured, rather than in the third minute.
 *
 * @param {readonly Side[]} sides
 * @param {(line: string) => void} log
 * @returns {Promise<NodeJS.ProcessEnv>} what Python sides need in their environment
 */
export async function prepareSides(sides, log) {
  for (const { script } of sides) {
    if (!existsSync(join(repository, script))) {
      const hint = script.startsWith("dist/") ? "npm run build" : "it is not in this checkout";
      throw new BenchError(`${script} is missing: ${hint}`);
    }
  }
  if (sides.every((side) => side.runtime !== "python")) return {};
  const { code } = await run(python, ["-c", "import torch"]);
  if (code !== 0) {
    throw new BenchError(
      `${python} has no torch, the peer of this bench. On Debian 12: sudo apt-get install python3-torch.\n` +
        "Or name a Python that has it in THAW_BENCH_PYTHON, or measure ours alone with --ours-only.",
    );
  }
  return peerEnvironment(log);
}

/**
 * Some hypervisors show AMX but not CPUID leaf 0x1D, from which oneDNN reads the tiles' sizes: it then runs tile
 * instructions on an empty configuration and the process dies of SIGILL. There the peer gets what ours has: our addon
 * answers for the leaf, so that both sides compute with AMX.
 */
async function peerEnvironment(log) {
  const probe = [
    "import ctypes, os, torch",
    "if 'THAW_BENCH_AMX' in os.environ: ctypes.CDLL(os.environ['THAW_BENCH_AMX']).thaw_prepare_amx()",
    "with torch.autocast('cpu', dtype=torch.bfloat16): torch.nn.Conv2d(32, 32, 3)(torch.randn(2, 32, 8, 8))",
  ].join("\n");
  if ((await run(python, ["-c", probe])).code !== "SIGILL") return {};
  const library = join(mkdtempSync(join(tmpdir(), "thaw-bench-")), "amx.so");
  await run("g++", ["-O1", "-shared", "-fPIC", "native/amx_palette.cc", "-o", library]);
  const shared = { THAW_BENCH_AMX: library };
  if ((await run(python, ["-c", probe], shared)).code === 0) {
    log(
      "PyTorch alone dies of SIGILL with AMX here (CPUID leaf 0x1D is hidden): peers get our answer for it",
    );
    return shared;
  }
  const without = { ONEDNN_MAX_CPU_ISA: "AVX512_CORE_BF16" };
  if ((await run(python, ["-c", probe], without)).code !== 0) {
    throw new BenchError(`${python}: a bf16 convolution dies of SIGILL, without AMX too`);
  }
  log("PyTorch dies of SIGILL with AMX here: peers run with ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16");
  return without;
}

/**
 * Runs one side once.
 *
 * @param {Side} side
 * @param {{quick: boolean, peerEnv: NodeJS.ProcessEnv}} options
 * @returns {Promise<Record<string, number | string>>} what it printed, and `wallSeconds` of the whole process
 */
export async function measure(side, { quick, peerEnv }) {
  const program = side.runtime === "python" ? python : process.execPath;
  const args = [join(repository, side.script), ...(side.args ?? [])];
  if (quick) args.push(...(side.quickArgs ?? []));
  const { code, stdout, stderr, seconds } = await run(program, args, {
    ...(side.runtime === "python" ? peerEnv : {}),
    ...side.env,
  });
  if (code !== 0) {
    throw new BenchError(`${[program, ...args].join(" ")} failed (${code}):\n${stderr.trim()}`);
  }
  const printed = side.wallOnly ? {} : lastJsonLine(stdout, side.script);
  return { ...printed, wallSeconds: seconds };
}

/** @param {string} stdout @param {string} script */
function lastJsonLine(stdout, script) {
  const line = stdout.trim().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(line);
  } catch {
    throw new BenchError(`${script}: its last line is not JSON: ${line.slice(0, 200)}`);
  }
}

/** @param {string} program @param {readonly string[]} args @param {NodeJS.ProcessEnv} env added to ours */
function run(program, args, env = {}) {
  return new Promise((resolve, reject) => {
    const start = process.hrtime.bigint();
    const child = spawn(program, args, {
      cwd: repository,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      stderr += text;
    });
    child.on("error", (error) => reject(new BenchError(`${program}: ${error.message}`)));
    child.on("close", (code, signal) => {
      const seconds = Number(process.hrtime.bigint() - start) / 1e9;
      resolve({ code: code ?? signal, stdout, stderr, seconds });
    });
  });
}
