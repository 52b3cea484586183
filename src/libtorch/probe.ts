import { ThawError } from "../errors.ts";
import { type RunResult, runProcess } from "./host.ts";

/** Milliseconds of the same work by the addon's own kernel and by libtorch's. */
export interface KernelTimes {
  readonly thaw: number;
  readonly libtorch: number;
}

/** Kernels of which libtorch has its own in some versions: which is faster depends on version and CPU. */
export interface MeasuredKernels {
  /** Self-attention in bf16, forward and backward, and forward alone. */
  readonly attention?: { readonly training: KernelTimes; readonly inference: KernelTimes };
}

/** What a child process that loaded the addon saw. */
export interface ProbeReport {
  /** The addon's own `version()`. */
  readonly version: Readonly<Record<string, unknown>>;
  /** Loaded libraries that decide about speed: BLAS, OpenMP, oneDNN, libtorch. Linux only. */
  readonly mapped: readonly string[];
  /** Measured once, at set-up. */
  readonly kernels: MeasuredKernels;
}

/** The trial process did not end well. */
export class ProbeFailure extends ThawError {
  /** The shared library that the loader did not find, if that was it. */
  readonly missingLibrary: string | undefined;
  /** How the process ended, in one line. */
  readonly reason: string;

  constructor(
    message: string,
    options: { hint: string; reason: string; missingLibrary: string | undefined },
  ) {
    super(message, options);
    this.reason = options.reason;
    this.missingLibrary = options.missingLibrary;
  }

  get missingCuda(): boolean {
    return this.missingLibrary !== undefined && /^lib(cu|nv|nccl)/.test(this.missingLibrary);
  }
}

const MARK = "thaw-probe:";

// Plain CommonJS on the command line: it must run from src/ and from dist/ alike.
const CHILD = `
const fs = require("node:fs"), path = require("node:path");
const addon = { exports: {} };
process.dlopen(addon, process.argv[1]);
const n = addon.exports;
const version = n.version();
const call = (name, ...values) => n.call(n.resolve(name), ...values);
const BF16 = "bfloat16";
if (process.env.THAW_AMX !== "off" && n.prepareAmx) {
  // A convolution that takes AMX where there is any: where that crashes, it must crash here.
  version.amx = n.prepareAmx();
  const ones = (shape) => call("aten::ones", shape, BF16);
  call("aten::conv2d", ones([2, 64, 8, 8]), ones([64, 64, 3, 3]), null, 1, 1);
}

// ViT-Tiny's attention at 224 px, of a few images.
const FUSED = "aten::scaled_dot_product_attention", OWN = "thaw::self_attention";
const [batch, tokens, heads, width] = [4, 197, 3, 64];
const ways = {
  thaw: (qkv) => call(OWN, qkv, heads),
  libtorch: (qkv) => {
    const apart = call("aten::permute", call("aten::view", qkv, [batch, tokens, 3, heads, width]), [2, 0, 3, 1, 4]);
    const [q, k, v] = call("aten::unbind.int", call("aten::contiguous", apart));
    return call("aten::reshape", call("aten::transpose.int", call(FUSED, q, k, v), 1, 2), [batch, tokens, heads * width]);
  },
};
function time(way, learns) {
  const qkv = call("aten::randn", [batch, tokens, 3 * heads * width], BF16);
  n.setRequiresGrad(qkv, learns);
  const started = process.hrtime.bigint();
  const y = way(qkv);
  if (learns) n.backward([y], [call("aten::ones_like", y)], false, false, []);
  return Number(process.hrtime.bigint() - started) / 1e6;
}
function compare(learns) {
  const best = { thaw: Infinity, libtorch: Infinity };
  for (let round = 0; round < 8; round++) {
    for (const way of Object.keys(ways)) {
      const took = time(ways[way], learns);
      // The first rounds are slower: memory, primitives.
      if (round >= 2) best[way] = Math.min(best[way], took);
    }
  }
  return best;
}
const kernels = {};
if (n.hasOperator && n.hasOperator(FUSED) && n.hasOperator(OWN)) {
  kernels.attention = { training: compare(true), inference: compare(false) };
}

let mapped = [];
try {
  const files = fs.readFileSync("/proc/self/maps", "utf8").split("\\n").map((l) => l.slice(l.indexOf("/")));
  mapped = [...new Set(files)].filter((f) => /^\\/.*\\/lib[^/]*\\.so/.test(f) &&
    /^lib(open)?(blas|lapack|gomp|omp|iomp|mkl|dnnl|torch|turbojpeg|c10)/.test(path.basename(f)));
} catch {}
fs.writeSync(1, "\\n${MARK}" + JSON.stringify({ version, mapped, kernels }) + "\\n");
`;

/**
 * Loads the addon in a child process, so that a library that crashes takes only that process with it.
 * @throws ProbeFailure that says how it ended, with the end of the child's stderr and advice.
 */
export async function probeAddon(
  file: string,
  options: { env?: Readonly<Record<string, string>>; timeoutMs?: number; libtorch?: string } = {},
): Promise<ProbeReport> {
  const timeoutMs = options.timeoutMs ?? 60_000;
  const result = await runProcess(process.execPath, ["-e", CHILD, file], {
    timeoutMs,
    ...(options.env && { env: options.env }),
  });
  const line = result.stdout.split("\n").find((text) => text.startsWith(MARK));
  if (result.code === 0 && line !== undefined) {
    const report: ProbeReport = JSON.parse(line.slice(MARK.length));
    if (/\bBUILD_TYPE=Debug\b/.test(String(report.version["config"]))) {
      throw debugBuild(options.libtorch);
    }
    return report;
  }
  const end = howItEnded(result, timeoutMs);
  const tail = result.stderr.trim().split("\n").slice(-12).join("\n");
  const missingLibrary = /(\S+): cannot open shared object file/.exec(result.stderr)?.[1];
  throw new ProbeFailure(
    `${named(options.libtorch)} cannot be loaded: a trial process ${end}${tail && `\n${tail}`}`,
    {
      hint: advice(result, missingLibrary),
      reason: `a trial process ${end}${tail && `: ${tail.split("\n").at(-1)!.trim()}`}`,
      missingLibrary,
    },
  );
}

function named(libtorch: string | undefined): string {
  return libtorch === undefined ? "libtorch" : `libtorch ${libtorch}`;
}

/** Its objects have members that those of the addon, compiled with NDEBUG, lack. */
function debugBuild(libtorch: string | undefined): ProbeFailure {
  const reason = "is a debug build, whose objects are laid out otherwise";
  return new ProbeFailure(`${named(libtorch)} ${reason}`, {
    hint: "use a release build",
    reason,
    missingLibrary: undefined,
  });
}

function howItEnded(result: RunResult, timeoutMs: number): string {
  if (result.timedOut) return `gave no answer within ${timeoutMs / 1000} s`;
  if (result.signal !== null) return `was killed by ${result.signal}`;
  return `ended with exit code ${result.code}`;
}

function advice(result: RunResult, missing: string | undefined): string {
  if (missing !== undefined) {
    return /^lib(cu|nv|nccl)/.test(missing)
      ? `${missing} is part of CUDA: install the packages this torch depends on (pip install torch, without --no-deps), or point THAW_LIBTORCH at a CPU build`
      : `install the package that has ${missing}, or point THAW_LIBTORCH at another libtorch`;
  }
  if (/undefined symbol|Symbol not found/.test(result.stderr)) {
    return "the libraries differ from the headers that were compiled against: run `thaw setup --force`, or point THAW_LIBTORCH at another libtorch";
  }
  if (result.signal === "SIGILL") {
    return "this libtorch uses instructions that this CPU lacks: set ATEN_CPU_CAPABILITY=avx2 (or default) or THAW_AMX=off, or point THAW_LIBTORCH at another libtorch";
  }
  if (result.signal !== null) {
    return "this libtorch does not work on this machine: point THAW_LIBTORCH at another one (pip install torch in a venv is one way to get it); `thaw doctor` shows which were found";
  }
  if (result.timedOut) return "is the machine very busy, or the file system slow? Try again";
  return "`thaw doctor` shows which libtorch was taken; THAW_LIBTORCH chooses another";
}
