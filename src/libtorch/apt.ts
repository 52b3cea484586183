import { existsSync, readdirSync } from "node:fs";
import { type Host, type Log, type RunResult, systemPath } from "./host.ts";

/** Why apt cannot be used here, or undefined where it can: a Debian-like system, as root or by sudo. */
export async function whyNoApt(host: Host): Promise<string | undefined> {
  if (host.platform !== "linux") return "not Linux";
  if (!existsSync(systemPath(host, "/usr/bin/apt-get"))) return "not Debian or Ubuntu (no apt-get)";
  if (host.isRoot) return undefined;
  const sudo = await host.run("sudo", ["-n", "true"], { timeoutMs: 10_000 });
  return sudo.code === 0 ? undefined : "neither root nor sudo without a password";
}

/** The version apt would install, such as `1.13.1+dfsg-4`; undefined if it knows none. */
export async function aptCandidate(host: Host, name: string): Promise<string | undefined> {
  if (!hasLists(host)) await aptGet(host, ["update"]);
  const result = await host.run("apt-cache", ["policy", name], { timeoutMs: 60_000 });
  const version = /Candidate:\s*(\S+)/.exec(result.stdout)?.[1];
  return version === "(none)" ? undefined : version;
}

/**
 * Installs packages if that is possible and allowed; undefined when done, else why not. Package lists
 * are fetched when absent or stale.
 */
export async function aptInstall(
  host: Host,
  packages: readonly string[],
  log: Log,
): Promise<string | undefined> {
  const why = (await whyNoApt(host)) ?? (await host.mayInstall(packages));
  if (why !== undefined) return why;
  log(`apt-get install ${packages.join(" ")}`);
  // A package that libtorch-dev merely recommends is not needed to compile or run.
  const args = ["install", "-y", "--no-install-recommends", ...packages];
  let updated = false;
  if (!hasLists(host)) {
    updated = true;
    await aptGet(host, ["update"]);
  }
  let result = await aptGet(host, args);
  if (result.code !== 0 && !updated) {
    await aptGet(host, ["update"]);
    result = await aptGet(host, args);
  }
  if (result.code === 0) return undefined;
  const lines = `${result.stdout}\n${result.stderr}`.split("\n");
  const errors = lines.filter((line) => line.startsWith("E: "));
  return `apt-get install ${packages.join(" ")} failed: ${(errors.length > 0 ? errors : lines.slice(-3)).join(" ").trim()}`;
}

function hasLists(host: Host): boolean {
  const folder = systemPath(host, "/var/lib/apt/lists");
  return existsSync(folder) && readdirSync(folder).some((name) => /_Packages(\.|$)/.test(name));
}

function aptGet(host: Host, args: readonly string[]): Promise<RunResult> {
  // Waits for another apt (a machine's first-boot updates) instead of failing at once.
  const command = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", ...args];
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  if (host.isRoot) return host.run(command[0]!, command.slice(1), { env, timeoutMs: 1_800_000 });
  return host.run("sudo", ["-n", "env", "DEBIAN_FRONTEND=noninteractive", ...command], {
    timeoutMs: 1_800_000,
  });
}
