import { existsSync } from "node:fs";

const usual = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export const noChromium = "no Chromium (apt-get install chromium, or THAW_CHROMIUM)";

/** The browser of this machine, or the one that `THAW_CHROMIUM` names; undefined where there is none. */
export function chromiumPath(): string | undefined {
  return process.env["THAW_CHROMIUM"] ?? usual.find((path) => existsSync(path));
}
