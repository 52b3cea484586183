import { spawn } from "node:child_process";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

/** What became of a child process. `missing`: there is no such program. Output is cut to its last 1 MB. */
export interface RunResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  readonly missing: boolean;
}

export interface RunOptions {
  readonly timeoutMs?: number;
  /** Added to the host's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** The machine as set-up sees it; tests hand in one of their own. */
export interface Host {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** Put in front of the system's absolute paths; empty on a real machine. */
  readonly root: string;
  readonly isRoot: boolean;
  /** Why these packages of the system must not be installed; undefined where they may be. */
  mayInstall(packages: readonly string[]): Promise<string | undefined>;
  run(command: string, args: readonly string[], options?: RunOptions): Promise<RunResult>;
}

/** A line of progress for people. */
export type Log = (line: string) => void;

/**
 * This machine and this process's environment. `THAW_NO_INSTALL` forbids every installation, whatever
 * `mayInstall` says; without either, packages are installed where they are missing.
 */
export function thisHost(options: Partial<Pick<Host, "mayInstall">> = {}): Host {
  const { mayInstall = async () => undefined } = options;
  return {
    platform: process.platform,
    arch: process.arch,
    env: process.env,
    home: homedir(),
    root: "",
    isRoot: process.getuid?.() === 0,
    mayInstall: async (packages) =>
      process.env["THAW_NO_INSTALL"] ? "THAW_NO_INSTALL is set" : mayInstall(packages),
    run: runProcess,
  };
}

export function systemPath(host: Host, path: string): string {
  return host.root === "" ? path : join(host.root, path);
}

const KEPT_OUTPUT = 1 << 20;

/** Runs a program to its end; never throws: failures are in the result. */
export function runProcess(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? tmpdir(),
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    let timedOut = false;
    let missing = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
    }, options.timeoutMs ?? 600_000);
    child.stdout.on("data", (chunk: Buffer) => {
      stdout = (stdout + chunk.toString()).slice(-KEPT_OUTPUT);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(-KEPT_OUTPUT);
    });
    child.on("error", (error) => {
      missing = (error as NodeJS.ErrnoException).code === "ENOENT";
      stderr += error.message;
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout, stderr, timedOut, missing });
    });
  });
}
