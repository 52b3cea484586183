import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { contentSha256, writeDecoded } from "../../src/data/datasets/decoded-cache.ts";
import { builtinDatasets } from "../../src/data/datasets/registry.ts";
import { seedStream } from "../../src/data/random.ts";
import { cacheHome, packageRoot } from "../../src/libtorch/home.ts";
import { sampleImages } from "./sample-splits.ts";

export const thawMain = join(packageRoot(), "dist/cli/main.js");

export interface Outcome {
  /** Null after a signal that the process did not handle. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built `thaw` to its end. `cwd`: the folder that it is run in. */
export function thaw(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd?: string,
): Outcome {
  requireBuild();
  const { status, stdout, stderr } = spawnSync(process.execPath, [thawMain, ...args], {
    encoding: "utf8",
    env: childEnvironment(env),
    cwd,
  });
  return { code: status, stdout, stderr };
}

/** Starts the built `thaw`; `heard` gets all of stderr so far whenever there is more of it. */
export function startThaw(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  heard: (stderr: string, child: ChildProcess) => void = () => {},
): { readonly child: ChildProcess; readonly ended: Promise<Outcome> } {
  requireBuild();
  const child = spawn(process.execPath, [thawMain, ...args], { env: childEnvironment(env) });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    heard(stderr, child);
  });
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended };
}

/**
 * Makes `home` a cache with the engine of this machine and nothing else. With `images`, a data set of
 * that many training images (a fifth as many test images) stands there as Fashion-MNIST.
 */
export async function makeHome(home: string, images = 0): Promise<{ THAW_HOME: string }> {
  mkdirSync(home, { recursive: true });
  symlinkSync(join(cacheHome(), "addon"), join(home, "addon"));
  if (images > 0) {
    const dataset = builtinDatasets["fashion-mnist"];
    const part = (name: string, count: number) =>
      sampleImages({ count, size: 28, classes: dataset.classes }, seedStream(7, name));
    const train = part("train", images);
    const test = part("test", images / 5);
    await writeDecoded(join(home, "datasets", dataset.name, "decoded.thawdata"), dataset, {
      train,
      test,
      origin: "a test",
      contentSha256: contentSha256(train, test),
    });
  }
  return { THAW_HOME: home };
}

function childEnvironment(env: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { ...process.env, NO_COLOR: "1", FORCE_COLOR: "", THAW_MIRROR: "", ...env };
}

function requireBuild(): void {
  if (!existsSync(thawMain)) {
    throw new Error(`${thawMain} is not built: run \`npm test\`, which builds first`);
  }
}
