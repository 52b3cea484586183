import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

type Environment = Readonly<Record<string, string | undefined>>;

/** Folder for all that can be made again: `THAW_HOME`, else `$XDG_CACHE_HOME/thaw`, else `~/.cache/thaw`. */
export function cacheHome(env: Environment = process.env, home: string = homedir()): string {
  // An empty variable counts as unset, as the XDG specification says of its own.
  if (env["THAW_HOME"]) return env["THAW_HOME"];
  if (env["XDG_CACHE_HOME"]) return join(env["XDG_CACHE_HOME"], "thaw");
  return join(home, ".cache", "thaw");
}

/** The folder with Thaw's package.json and native/: the same from src/libtorch and dist/libtorch. */
export function packageRoot(): string {
  return fileURLToPath(new URL("../../", import.meta.url));
}
