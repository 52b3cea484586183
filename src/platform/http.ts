import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { ThawError } from "../errors.ts";
import { proxyFor } from "./proxy.ts";

export const MAX_REDIRECTS = 5;

/** What a server gets before the exchange is ended, unless the caller says otherwise. */
export interface HttpLimits {
  /** Milliseconds of silence, connecting included. */
  readonly stallMs: number;
  /** Bytes a second, averaged over `stallMs`: a server that sends a byte at a time is never silent, and never done. */
  readonly slowest: number;
  /** Milliseconds from the first to the last byte. */
  readonly totalMs: number;
}

/** Those that are undefined are the usual ones. */
export type SomeLimits = { readonly [K in keyof HttpLimits]?: HttpLimits[K] | undefined };

const usualLimits: HttpLimits = {
  stallMs: 30_000,
  slowest: 1024,
  // A large file over a slow line takes hours; `slowest` bounds it by its size.
  totalMs: Number.POSITIVE_INFINITY,
};

export interface RequestOptions {
  readonly method?: "GET" | "HEAD" | "POST" | "PUT";
  /** Beside Thaw's own. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A stream is opened once the request is, and destroyed with it. It needs a `content-length` among the headers. */
  readonly body?: string | (() => Readable) | undefined;
  readonly limits?: SomeLimits | undefined;
}

/** A proxy's own answer: to a request, or to one for a tunnel. */
interface ProxyAnswer {
  readonly statusCode?: number | undefined;
  readonly statusText?: string;
  readonly statusMessage?: string | undefined;
}

/** No server could be reached, or it stopped talking; the cause has the system's code. */
export class NoAnswerError extends ThawError {}

/**
 * One request, whatever its status: redirects are the caller's. It goes through the proxy that the environment sets. The body has to be read or destroyed, and reading it
 * fails where the server exceeds its limits.
 *
 * Not by `fetch`: that undoes a `Content-Encoding: x-gzip` which some servers put on every .gz file, and the bytes would
 * no longer have the archive's checksum. Nor does it bound how slowly a body comes.
 * @throws NoAnswerError
 * @throws ThawError where a proxy's variable holds no address.
 */
export async function requestOnce(
  address: URL,
  options: RequestOptions = {},
): Promise<IncomingMessage> {
  const { method = "GET", headers, body } = options;
  const limits = { ...usualLimits, ...definedOf(options.limits ?? {}) };
  const send = address.protocol === "https:" ? httpsRequest : httpRequest;
  const proxy = proxyFor(address);
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void =>
      reject(
        new NoAnswerError(
          `${shownAddress(address)}: ${reasonOf(cause)}${proxy ? `, through ${proxy.shown}` : ""}`,
          {
            hint: proxy
              ? `check the proxy; NO_PROXY=${address.hostname} goes round it`
              : "check the network, or use a mirror",
            cause,
          },
        ),
      );
    let request: ClientRequest;
    const refuse = ({ statusCode, statusText, statusMessage }: ProxyAnswer): void => {
      const said = `HTTP ${statusCode} ${statusText ?? statusMessage ?? ""}`.trim();
      const advice = statusCode === 407 ? " (user:password@ before its host)" : "";
      fail(new Error(`the proxy refused: ${said}${advice}`));
      request.destroy();
    };
    try {
      request = send(address, {
        method,
        headers: { "user-agent": "thaw", "accept-encoding": "identity", ...headers },
        timeout: limits.stallMs,
        agent: proxy?.agent,
      });
    } catch (cause) {
      // A header or an address with characters that HTTP does not carry.
      fail(cause as Error);
      return;
    }
    request.on("error", fail);
    request.on("response", (response) => {
      if (proxy === undefined || response.statusCode !== 407) resolve(response);
      else refuse(response);
    });
    // A tunnel that the proxy does not open: its answer would be taken for the server's.
    request.on("proxyConnect", (answer: ProxyAnswer) => {
      // Of a request that needs no tunnel it is the socket.
      if (answer.statusCode !== undefined && answer.statusCode !== 200) refuse(answer);
    });
    watch(request, limits);
    if (typeof body !== "function") {
      request.end(body);
      return;
    }
    const stream = body();
    // A file may also fail to open when all is over.
    stream.on("error", (error) => request.destroy(error));
    // What fails here is the request's error, too.
    pipeline(stream, request).catch(() => {});
  });
}

/** Ends an exchange that is silent, slower than a server may be, or too long. */
function watch(request: ClientRequest, { stallMs, slowest, totalMs }: HttpLimits): void {
  let response: IncomingMessage | undefined;
  let socket: Socket | undefined;
  let before = 0;
  let readBefore = 0;
  request.on("response", (answer) => {
    response = answer;
  });
  request.on("socket", (given) => {
    socket = given;
    // A connection that is used again has counted before.
    before = given.bytesWritten;
    readBefore = given.bytesRead;
  });
  const moved = (): number =>
    // Before the answer only what is sent counts: servers can send interim answers (1xx) without end.
    (socket?.bytesWritten ?? 0) +
    (response === undefined ? 0 : (socket?.bytesRead ?? 0) - readBefore);
  // Data that wait for us are not the server's fault.
  const isOurTurn = (): boolean => (response?.readableLength ?? 0) > 0;
  const end = (reason: string): void => {
    const error = new Error(reason);
    response?.destroy(error);
    request.destroy(error);
  };
  const seconds = stallMs / 1000;
  request.on("timeout", () => {
    if (!isOurTurn()) end(`no data arrived for ${seconds} s`);
  });
  const pace = setInterval(() => {
    // After a turn of the event loop: what arrived while it was blocked has to be counted.
    setImmediate(() => {
      const now = moved();
      const tooSlow = now - before < slowest * seconds;
      before = now;
      if (tooSlow && !isOurTurn() && !request.closed) {
        const isSilent = (socket?.bytesRead ?? 0) === readBefore;
        const what = response ? `less than ${slowest} bytes a second` : "no complete response";
        end(`${isSilent ? "no data" : what} arrived for ${seconds} s`);
      }
    });
  }, stallMs);
  const total = Number.isFinite(totalMs)
    ? setTimeout(
        () => setImmediate(() => end(`no response in time (${totalMs / 1000} s)`)),
        Math.ceil(totalMs),
      )
    : undefined;
  // The connection keeps the process alive, not its clocks.
  pace.unref();
  total?.unref();
  request.on("close", () => {
    clearInterval(pace);
    clearTimeout(total);
  });
}

/**
 * Follows redirects. What authorizes is for the first address's origin alone. An answer to a request with a body is
 * followed only where the body may be sent again (307 and 308, a text); else it is returned as it is.
 * @throws NoAnswerError, and ThawError for a redirect that leads nowhere.
 */
export async function requestFollowing(
  start: URL,
  options: RequestOptions = {},
): Promise<{ readonly response: IncomingMessage; readonly address: URL }> {
  const { authorization: _authorization, ...publicHeaders } = options.headers ?? {};
  let address = start;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const headers = address.origin === start.origin ? (options.headers ?? {}) : publicHeaders;
    const response = await requestOnce(address, { ...options, headers });
    const next = redirectTarget(response, address);
    const isPermitted =
      options.body === undefined ||
      (typeof options.body === "string" && [307, 308].includes(response.statusCode ?? 0));
    if (next === undefined || !isPermitted) return { response, address };
    response.destroy();
    address = next;
  }
  throw new ThawError(`${shownAddress(start)}: more than ${MAX_REDIRECTS} redirects`);
}

/**
 * Where an answer sends one on; undefined for one that is no redirect.
 * @throws ThawError for what is no http(s) address, and for one that leaves https.
 */
export function redirectTarget(response: IncomingMessage, address: URL): URL | undefined {
  const { statusCode: status = 0, headers } = response;
  const { location } = headers;
  if (status < 300 || status >= 400 || location === undefined) return undefined;
  const target = URL.canParse(location, address.href) ? new URL(location, address) : undefined;
  const isHttp = target?.protocol === "https:" || target?.protocol === "http:";
  if (target === undefined || !isHttp) {
    response.destroy();
    throw new ThawError(
      `${shownAddress(address)}: redirects to ${location.slice(0, 200)}, which is not an http or https address`,
    );
  }
  if (address.protocol === "https:" && target.protocol === "http:") {
    response.destroy();
    throw new ThawError(
      `${shownAddress(address)}: redirects from https to ${shownAddress(target)}`,
      { hint: "data sent over plain http could be altered on the way" },
    );
  }
  return target;
}

/**
 * The whole of a body as text. A server may compress it although it was asked not to; what it unpacks to is bounded alike.
 * @throws ThawError for more than `maxBytes`; Error where the connection breaks.
 */
export async function readText(response: IncomingMessage, maxBytes: number): Promise<string> {
  const tooMuch = () => new ThawError(`the response has more than ${maxBytes} bytes`);
  const parts: Buffer[] = [];
  let received = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      received += chunk.length;
      if (received > maxBytes) throw tooMuch();
      parts.push(chunk);
    }
  } finally {
    response.destroy();
  }
  const bytes = Buffer.concat(parts);
  const encoding = response.headers["content-encoding"] ?? "identity";
  if (encoding === "identity" || bytes.length === 0) return bytes.toString("utf8");
  if (!/^(x-)?gzip$/.test(encoding)) {
    throw new ThawError(`the response is encoded as ${encoding}, which was not requested`);
  }
  try {
    const text = await promisify(gunzip)(bytes, { maxOutputLength: maxBytes });
    return text.toString("utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw tooMuch();
    throw new ThawError(`the response is damaged gzip data: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** An attempt at several addresses (IPv4 and IPv6) fails with an empty message of its own. */
function reasonOf(cause: Error): string {
  const first = cause instanceof AggregateError ? (cause.errors[0] as Error | undefined) : cause;
  return first?.message || cause.message || "no connection";
}

/** For messages: without a password, and without the query, which may be a signature. */
export function shownAddress({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}

/** @throws ThawError for anything but an http or https address. */
export function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new ThawError(`${text.slice(0, 200)} is not an http or https address`);
  }
  return url;
}

function definedOf(limits: SomeLimits): Partial<HttpLimits> {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}
