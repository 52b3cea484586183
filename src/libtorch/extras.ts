import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { aptInstall, whyNoApt } from "./apt.ts";
import { type Host, type Log, systemPath } from "./host.ts";

const FASHION_MNIST = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz";

/**
 * Debian's package of Fashion-MNIST, so that the first training needs no other download. Nothing
 * depends on it: a failure is told once and not tried again unless `force`.
 */
export async function installExtras(
  host: Host,
  cache: string,
  log: Log,
  force: boolean,
): Promise<void> {
  const tried = join(cache, "setup", "no-dataset-fashion-mnist");
  if (existsSync(systemPath(host, FASHION_MNIST)) || (existsSync(tried) && !force)) return;
  const failure =
    (await whyNoApt(host)) ?? (await aptInstall(host, ["dataset-fashion-mnist"], log));
  if (failure === undefined) return;
  log(`Fashion-MNIST will be downloaded when it is first used (${failure})`);
  mkdirSync(join(cache, "setup"), { recursive: true });
  writeFileSync(tried, `${failure}\n`);
}
