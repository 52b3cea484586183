import { basename } from "node:path";
import type { Host } from "./host.ts";

/** An official libtorch archive (CPU build) and its checksum. */
export interface OfficialBuild {
  readonly version: string;
  readonly url: string;
  /** undefined: nobody we trust publishes one, so the user must give it. */
  readonly sha256: string | undefined;
}

const VERSION = "2.7.1";
const BASE = "https://download.pytorch.org/libtorch/cpu";

/*
 * PyTorch publishes no checksums of these archives. The two below are those that several unrelated
 * projects pin for the same URL (Linux: CP2K's toolchain and cTuning's cx; macOS: cTuning's cx and a
 * build log of another project). Windows' has one source only and so is not pinned.
 */
const BUILDS: Readonly<Record<string, OfficialBuild>> = {
  "linux-x64": {
    version: VERSION,
    url: `${BASE}/libtorch-cxx11-abi-shared-with-deps-${VERSION}%2Bcpu.zip`,
    sha256: "63d572598c8d532128a335018913e795c1bbb32602ce378896dc8cfbb5590976",
  },
  "darwin-arm64": {
    version: VERSION,
    url: `${BASE}/libtorch-macos-arm64-${VERSION}.zip`,
    sha256: "aa89ac85b91c83d0f976f8d135330d51e38ab777b26ec24f312fd58d079314cb",
  },
  "win32-x64": {
    version: VERSION,
    url: `${BASE}/libtorch-win-shared-with-deps-${VERSION}%2Bcpu.zip`,
    sha256: undefined,
  },
};

/**
 * The archive to download on this platform, or undefined if there is none. `THAW_LIBTORCH_URL` names
 * another (a mirror, another version), `THAW_LIBTORCH_SHA256` its checksum.
 */
export function officialBuild(host: Host): OfficialBuild | undefined {
  const known = BUILDS[`${host.platform}-${host.arch}`];
  const url = host.env["THAW_LIBTORCH_URL"];
  const sha256 = host.env["THAW_LIBTORCH_SHA256"];
  if (url)
    return {
      version: /\d+\.\d+\.\d+/.exec(basename(url))?.[0] ?? "0",
      url,
      sha256: sha256 || known?.sha256,
    };
  return known && { ...known, sha256: sha256 || known.sha256 };
}
