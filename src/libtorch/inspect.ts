import { closeSync, existsSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";

/** How std::string is mangled in the library: code compiled otherwise does not link. */
export type CppAbi = "cxx11" | "pre-cxx11" | "libc++" | "msvc";

/** A libtorch that can be compiled against. */
export interface LibtorchBuild {
  /** The folder it was found in; for people and for the build's key. */
  readonly root: string;
  readonly includeDirs: readonly string[];
  readonly libDir: string;
  /** As in torch/version.h, such as `1.13.0` or `2.7.1`. */
  readonly version: string;
  readonly abi: CppAbi;
  /** The C++ standard that its headers require, such as 17 or 20. */
  readonly cxxStandard: number;
  /** Built with CUDA: whether a GPU can be used is known once it is loaded. */
  readonly cuda: boolean;
  /** The step of the chain that found it. */
  readonly source: string;
}

/** The oldest libtorch the addon compiles against: Debian 12's. */
export const OLDEST_LIBTORCH = "1.13";

interface Place {
  readonly root: string;
  readonly includeDir: string;
  readonly libDir: string;
  readonly platform: NodeJS.Platform;
  /** The processor's architecture, as `process.arch` names it. */
  readonly arch: string;
  readonly source: string;
}

/** The libtorch at a place, or why there is none that can be used. */
export function inspectLibtorch(place: Place): LibtorchBuild | string {
  const library = join(place.libDir, libraryFile("torch_cpu", place.platform));
  if (!existsSync(library)) return `no ${library}`;
  const arch = libraryArch(library);
  if (arch !== undefined && arch !== place.arch) {
    return `${library} was built for ${arch}, and this process runs on ${place.arch}`;
  }
  const versionFile = VERSION_HEADERS.map((name) => join(place.includeDir, name)).find((file) =>
    existsSync(file),
  );
  if (versionFile === undefined) {
    return `libraries are in ${place.libDir}, but ${join(place.includeDir, VERSION_HEADERS[0])} is missing (headers not installed?)`;
  }
  const version = readVersion(place, versionFile);
  if (version === undefined) return `no version in ${versionFile}`;
  if (compareVersions(version, OLDEST_LIBTORCH) < 0) {
    return `${version} at ${place.root} is older than ${OLDEST_LIBTORCH}, the oldest that Thaw works with`;
  }
  const abi = detectAbi(place);
  if (abi === undefined) {
    return `${join(place.libDir, libraryFile("c10", place.platform))} is missing or not libtorch's`;
  }
  if (abi === "libc++" && place.platform === "linux") {
    return `${version} at ${place.root} was built with libc++, and compilers on Linux use libstdc++: the two do not link`;
  }
  return {
    root: place.root,
    includeDirs: [place.includeDir, join(place.includeDir, "torch/csrc/api/include")],
    libDir: place.libDir,
    version,
    abi,
    cxxStandard: requiredStandard(place.includeDir),
    cuda: existsSync(join(place.libDir, libraryFile("torch_cuda", place.platform))),
    source: place.source,
  };
}

// From 2.9 on the numbers stand in torch/headeronly, and the old header includes that.
const VERSION_HEADERS = [
  "torch/csrc/api/include/torch/version.h",
  "torch/headeronly/version.h",
] as const;

function readVersion(place: Place, header: string): string | undefined {
  // An official archive says it exactly: "2.7.1+cpu".
  const buildVersion = join(place.root, "build-version");
  if (existsSync(buildVersion)) {
    const text = readFileSync(buildVersion, "utf8").trim();
    if (/^\d+\.\d+\.\d+/.test(text)) return text;
  }
  for (const file of [header, ...VERSION_HEADERS.map((name) => join(place.includeDir, name))]) {
    if (!existsSync(file)) continue;
    const text = readFileSync(file, "utf8");
    const parts = ["MAJOR", "MINOR", "PATCH"].map(
      (part) => new RegExp(`#define\\s+TORCH_VERSION_${part}\\s+(\\d+)`).exec(text)?.[1],
    );
    if (parts.every((part) => part !== undefined)) return parts.join(".");
  }
  return undefined;
}

/** Headers that refuse an older standard, and say which one they want. */
const STANDARD_HEADERS = ["torch/csrc/api/include/torch/all.h", "ATen/ATen.h"] as const;

/** What `#error C++20 or later compatible compiler is required` asks for; our own sources need C++17. */
function requiredStandard(includeDir: string): number {
  const asked = STANDARD_HEADERS.map((name) => join(includeDir, name))
    .filter((file) => existsSync(file))
    .map((file) => /#error\s+C\+\+(\d\d) or later/.exec(readFileSync(file, "utf8"))?.[1]);
  return Math.max(17, ...asked.map((standard) => Number(standard ?? 0)));
}

// e_machine of an ELF file and cputype of a 64-bit Mach-O file.
const ELF_MACHINES: Readonly<Record<number, string>> = {
  3: "ia32",
  21: "ppc64",
  22: "s390x",
  40: "arm",
  62: "x64",
  183: "arm64",
  243: "riscv64",
  258: "loong64",
};
const MACHO_TYPES: Readonly<Record<number, string>> = { 16777223: "x64", 16777228: "arm64" };

/** What a library was compiled for, as `process.arch` names it; undefined where its header does not say. */
function libraryArch(file: string): string | undefined {
  const head = Buffer.alloc(20);
  const descriptor = openSync(file, "r");
  try {
    if (readSync(descriptor, head) < head.length) return undefined;
  } finally {
    closeSync(descriptor);
  }
  if (head.readUInt32BE(0) === 0x7f454c46) {
    const isBigEndian = head[5] === 2;
    return ELF_MACHINES[isBigEndian ? head.readUInt16BE(18) : head.readUInt16LE(18)];
  }
  return head.readUInt32LE(0) === 0xfeedfacf ? MACHO_TYPES[head.readUInt32LE(4)] : undefined;
}

/**
 * Read from c10::Error's constructor, which every version exports: its std::string argument is
 * `Ss` in the old ABI and `NSt7__cxx11…` in the new. The build settings that wheels ship for this
 * (`torch._C._GLIBCXX_USE_CXX11_ABI`) would need Python.
 */
function detectAbi(place: Place): CppAbi | undefined {
  if (place.platform === "win32") return "msvc";
  const file = join(place.libDir, libraryFile("c10", place.platform));
  if (!existsSync(file)) return undefined;
  const bytes = readFileSync(file);
  const symbol = "_ZN3c105ErrorC2ENS_14SourceLocationE";
  if (bytes.includes(`${symbol}NSt7__cxx11`)) return "cxx11";
  if (bytes.includes(`${symbol}Ss`)) return "pre-cxx11";
  if (bytes.includes(`${symbol}NSt3__1`)) return "libc++";
  return undefined;
}

export function libraryFile(name: string, platform: NodeJS.Platform): string {
  if (platform === "win32") return `${name}.lib`;
  return platform === "darwin" ? `lib${name}.dylib` : `lib${name}.so`;
}

/** By numbers only: `2.7.1+cpu` equals `2.7.1`; missing parts count as 0. */
export function compareVersions(a: string, b: string): number {
  const numbers = (text: string) => (text.match(/^\d+(\.\d+)*/)?.[0] ?? "0").split(".").map(Number);
  const [left, right] = [numbers(a), numbers(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
