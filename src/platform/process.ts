import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** A process, so that no other is taken for it: ids are given out again, and every machine counts from 1. */
export interface ProcessIdentity {
  /** Of the machine since it was started; a container has one of its own. 8 hexadecimal digits. */
  readonly machine: string;
  readonly pid: number;
  /** When it began, in ticks since the machine was started; 0 where the system does not tell. */
  readonly start: number;
}

let own: ProcessIdentity | undefined;

export function thisProcess(): ProcessIdentity {
  own ??= { machine: machineIdentity(), pid: process.pid, start: startOf(process.pid) ?? 0 };
  return own;
}

/** `"another machine"` where nobody can tell from here whether it runs. */
export function stateOf({
  machine,
  pid,
  start,
}: ProcessIdentity): "running" | "ended" | "another machine" {
  if (machine !== thisProcess().machine) return "another machine";
  return isRunning(pid, start === 0 ? undefined : start) ? "running" : "ended";
}

/** Does this process of this machine run? With `start`, the very one that began then. */
export function isRunning(pid: number, start?: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const now = startOf(pid);
  return start === undefined || now === undefined || start === now;
}

/** When a process began, in ticks since boot, where the system tells: a container gives the same ids again and again. */
export function startOf(pid: number): number | undefined {
  try {
    // The name, in parentheses, may hold anything; the start is the 20th word after it.
    const ticks = /.*\)(?: \S+){19} (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
    return ticks === undefined ? undefined : Number(ticks);
  } catch {
    return undefined;
  }
}

/**
 * Host names alone are not enough: machines of one image share theirs, and containers on one machine may each have a
 * process 1. Process ids mean something only within one boot and one namespace.
 */
function machineIdentity(): string {
  const told = (read: () => string): string => {
    try {
      return read().trim();
    } catch {
      return "";
    }
  };
  const parts = [
    hostname(),
    told(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8")),
    told(() => readlinkSync("/proc/self/ns/pid")),
  ];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 8);
}
