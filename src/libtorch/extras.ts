import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { aptInstall } from "./apt.ts";
import { type Host, type Log, systemPath } from "./host.ts";

const FASHION_MNIST = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz";

const FASHION_MNIST_PACKAGES = ["dataset-fashion-mnist"];

/** The packages that {@link installExtras} would install. */
export function missingExtras(host: Host): readonly string[] {
  return existsSync(systemPath(host, FASHION_MNIST)) ? [] : FASHION_MNIST_PACKAGES;
}

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
  if (missingExtras(host).length === 0 || (existsSync(tried) && !force)) return;
  const failure = await aptInstall(host, FASHION_MNIST_PACKAGES, log);
  if (failure === undefined) return;
  log(`Fashion-MNIST will be downloaded when it is first used (${failure})`);
  mkdirSync(join(cache, "setup"), { recursive: true });
  writeFileSync(tried, `${failure}\n`);
}
