import type { IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { headerOf } from "./errors.ts";

/** How often and how long a request that failed is tried again. */
export interface RetryPolicy {
  /** Failures in a row, without a byte in between, before it is given up. */
  readonly attempts: number;
  /** After the first failure; twice as much after each further one. */
  readonly firstDelayMs: number;
  /** A server that asks for more patience than this is given up. */
  readonly longestDelayMs: number;
  readonly wait: (ms: number) => Promise<unknown>;
}

export const defaultRetry: RetryPolicy = {
  attempts: 5,
  firstDelayMs: 1_000,
  longestDelayMs: 120_000,
  wait: (ms) => sleep(ms),
};

/** How long to wait before failure number `failures` is tried again; undefined: give up. */
export function delayAfter(
  failures: number,
  policy: RetryPolicy,
  response?: IncomingMessage,
): number | undefined {
  if (failures >= policy.attempts) return undefined;
  const asked = response && retryAfterMs(headerOf(response, "retry-after"));
  const delay = asked ?? policy.firstDelayMs * 2 ** (failures - 1);
  return delay > policy.longestDelayMs ? undefined : delay;
}

/** `Retry-After`: seconds, or a date. (RFC 9110, §10.2.3) */
export function retryAfterMs(text: string | undefined, now = Date.now()): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text.trim())) return 1000 * Number(text);
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

export function isTransient(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** No name server, no route, nobody at the port: waiting a second changes nothing of that. */
export function isNoNetwork(cause: unknown): boolean {
  const inner = cause instanceof AggregateError ? (cause.errors[0] as unknown) : cause;
  const code = (inner as NodeJS.ErrnoException | undefined)?.code ?? "";
  return ["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH"].includes(code);
}
