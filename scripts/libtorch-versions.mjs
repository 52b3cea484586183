// The versions of libtorch that `npm run test:libtorch` installs from PyPI, and where they are kept.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A folder for each version: a virtual environment of its own. */
export const home = fileURLToPath(new URL("../build/libtorch", import.meta.url));

export const isVersion = (text) => /^\d+\.\d+\.\d+$/.test(text);

/** torch's folder in the virtual environment of a version, if it is installed there. */
export function torchOf(version) {
  const lib = join(home, version, "lib");
  if (!existsSync(lib)) return undefined;
  return readdirSync(lib)
    .map((name) => join(lib, name, "site-packages", "torch"))
    .find((folder) => existsSync(join(folder, "version.py")));
}

/** Those that are installed, oldest first. */
export function installedVersions() {
  return (existsSync(home) ? readdirSync(home) : [])
    .filter((name) => isVersion(name) && torchOf(name) !== undefined)
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}
