import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Host, RunOptions, RunResult } from "../src/libtorch/host.ts";

/** An empty folder that stands for a machine's root, and a Host that sees only it. */
export interface FakeMachine {
  readonly root: string;
  readonly cache: string;
  /** Every program that was asked for, with its arguments. */
  readonly calls: string[][];
  host(options?: FakeHostOptions): Host;
  write(path: string, content?: string | Uint8Array): string;
  remove(): void;
}

export interface FakeHostOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly platform?: NodeJS.Platform;
  readonly isRoot?: boolean;
  readonly mayInstall?: Host["mayInstall"];
  /** Answers a program; undefined: there is no such program. */
  readonly run?: (
    command: string,
    args: readonly string[],
    options?: RunOptions,
  ) => Partial<RunResult> | Promise<RunResult> | undefined;
}

export function fakeMachine(): FakeMachine {
  const root = mkdtempSync(join(tmpdir(), "thaw-machine-"));
  const calls: string[][] = [];
  return {
    root,
    cache: join(root, "cache"),
    calls,
    host: (options = {}) => ({
      platform: options.platform ?? "linux",
      arch: "x64",
      env: options.env ?? {},
      home: join(root, "home"),
      root,
      isRoot: options.isRoot ?? false,
      mayInstall: options.mayInstall ?? (async () => undefined),
      run: async (command, args, runOptions) => {
        calls.push([command, ...args]);
        const answer = await options.run?.(command, args, runOptions);
        const empty = { code: 0, signal: null, stdout: "", stderr: "", timedOut: false };
        return answer === undefined
          ? { ...empty, code: null, missing: true }
          : { ...empty, missing: false, ...answer };
      },
    }),
    write: (path, content = "") => {
      const file = join(root, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
      return file;
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** Headers and libraries as far as the search looks at them. */
export function fakeLibtorch(
  machine: FakeMachine,
  prefix: string,
  options: { version?: string; lib?: string; abi?: "cxx11" | "pre-cxx11"; cuda?: boolean } = {},
): string {
  const [major, minor, patch] = (options.version ?? "2.7.1").split(".");
  machine.write(
    `${prefix}/include/torch/csrc/api/include/torch/version.h`,
    `#define TORCH_VERSION_MAJOR ${major}\n#define TORCH_VERSION_MINOR ${minor}\n#define TORCH_VERSION_PATCH ${patch}\n`,
  );
  const lib = `${prefix}/${options.lib ?? "lib"}`;
  machine.write(`${lib}/libtorch_cpu.so`, "not a real library");
  const argument = options.abi === "pre-cxx11" ? "Ss" : "NSt7__cxx1112basic_string";
  machine.write(`${lib}/libc10.so`, `\0_ZN3c105ErrorC2ENS_14SourceLocationE${argument}\0`);
  if (options.cuda) machine.write(`${lib}/libtorch_cuda.so`);
  return join(machine.root, prefix);
}
