import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { ThawError } from "../../errors.ts";

export const MAX_REDIRECTS = 5;
/** How long a server may say nothing, connecting included, unless the caller says otherwise. */
export const STALL_MS = 30_000;

export interface RequestOptions {
  readonly method?: "GET" | "HEAD";
  /** Beside Thaw's own. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly stallMs?: number | undefined;
}

/** No server could be reached, or it stopped talking; the cause has the system's code. */
export class NoAnswerError extends ThawError {}

/**
 * One request, whatever its status: redirects are the caller's. The body has to be read or destroyed.
 *
 * Not by `fetch`: that undoes a `Content-Encoding: x-gzip` which some servers put on every .gz
 * file, and the bytes would no longer have the archive's checksum.
 * @throws NoAnswerError
 */
export function requestOnce(address: URL, options: RequestOptions = {}): Promise<IncomingMessage> {
  const send = address.protocol === "https:" ? httpsRequest : httpRequest;
  const stallMs = options.stallMs ?? STALL_MS;
  return new Promise((resolve, reject) => {
    let response: IncomingMessage | undefined;
    const request = send(
      address,
      {
        method: options.method ?? "GET",
        headers: { "user-agent": "thaw", "accept-encoding": "identity", ...options.headers },
        timeout: stallMs,
      },
      (answer) => {
        response = answer;
        resolve(answer);
      },
    );
    // The time-out is of the socket: it also ends a body that stops coming.
    request.on("timeout", () => {
      const error = new Error(`nothing came for ${stallMs / 1000} s`);
      response?.destroy(error);
      request.destroy(error);
    });
    // Without the query: it may be a signature.
    request.on("error", (cause) => {
      reject(
        new NoAnswerError(`${address.origin}${address.pathname}: ${reasonOf(cause)}`, {
          hint: "check the network, or use a mirror",
          cause,
        }),
      );
    });
    request.end();
  });
}

/** An attempt at several addresses (IPv4 and IPv6) fails with an empty message of its own. */
function reasonOf(cause: Error): string {
  const first = cause instanceof AggregateError ? (cause.errors[0] as Error | undefined) : cause;
  return first?.message || cause.message || "no connection";
}

export function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new ThawError(`${text} is not an http or https address`);
  }
  return url;
}
