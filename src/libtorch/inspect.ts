import { existsSync, readFileSync } from "node:fs";
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
  readonly source: string;
}

/** The libtorch at a place, or why there is none that can be used. */
export function inspectLibtorch(place: Place): LibtorchBuild | string {
  const library = join(place.libDir, libraryFile("torch_cpu", place.platform));
  if (!existsSync(library)) return `no ${library}`;
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
  return {
    root: place.root,
    includeDirs: [place.includeDir, join(place.includeDir, "torch/csrc/api/include")],
    libDir: place.libDir,
    version,
    abi,
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
