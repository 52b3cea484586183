import type { IncomingMessage } from "node:http";
import { ThawError } from "../../../errors.ts";
import {
  MAX_REDIRECTS,
  NoAnswerError,
  parseUrl,
  redirectTarget,
  requestOnce,
} from "../../../platform/http.ts";
import type { HubSettings } from "./environment.ts";
import { errorOf, type HubFileName, HubUnavailableError, headerOf, otherWays } from "./errors.ts";
import { delayAfter, isNoNetwork, isTransient, type RetryPolicy } from "./retry.ts";

export interface Connection {
  readonly settings: HubSettings;
  readonly retry: RetryPolicy;
  readonly stallMs?: number | undefined;
}

/** What the hub says of a file before it is fetched. */
export interface HubFileInfo {
  readonly commit: string;
  /** sha256 of a large file, git's blob id of a small one; the blob's name in the cache. */
  readonly etag: string;
  /** In bytes. */
  readonly size: number;
}

/**
 * Asks for a file's commit, checksum and size. The answer to the hub's own redirects (a renamed repository) is
 * followed, that to another host is not: the hub's headers are on it.
 * @throws NoSuchFileError, NoSuchRevisionError, HubRefusedError, HubUnavailableError
 */
export async function hubFileInfo(name: HubFileName, connection: Connection): Promise<HubFileInfo> {
  const { response, headers } = await send("HEAD", name, connection, {});
  response.destroy();
  const commit = headers.get("x-repo-commit");
  const etag = (headers.get("x-linked-etag") ?? headers.get("etag"))
    ?.replace(/^W\//, "")
    .replace(/^"|"$/g, "");
  const length = headers.get("x-linked-size") ?? headers.get("content-length") ?? "";
  const size = /^\d{1,15}$/.test(length) ? Number(length) : Number.NaN;
  const safe = etag !== undefined && /^[\w-]{1,200}$/.test(etag);
  if (!safe || commit === undefined || !/^[0-9a-f]{40}$/.test(commit) || !(size >= 0)) {
    throw new HubUnavailableError(
      `${connection.settings.endpoint} does not answer as a hub does: ${name.file} of ${name.repo} comes without commit, ETag or size`,
      { hint: "check HF_ENDPOINT, and whether a proxy or firewall stands in between" },
    );
  }
  return { commit, etag, size };
}

/**
 * The file's bytes from `from` on, by way of whatever host the hub sends one to. The status is 200, 206 or 416.
 * The address is asked for anew each time: the signature in a CDN's address expires.
 */
export async function hubFileBody(
  name: HubFileName,
  from: number,
  connection: Connection,
): Promise<IncomingMessage> {
  const range = from > 0 ? { range: `bytes=${from}-` } : {};
  return (await send("GET", name, connection, range)).response;
}

interface Answer {
  readonly response: IncomingMessage;
  /** Where the response is from. */
  readonly address: URL;
  /** Of the hub's own answers, the last one first. */
  readonly headers: { get(name: string): string | undefined };
}

async function send(
  method: "GET" | "HEAD",
  name: HubFileName,
  connection: Connection,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  const { settings, retry } = connection;
  for (let failures = 1; ; failures++) {
    let answer: Answer;
    try {
      answer = await follow(method, name, connection, headers);
    } catch (cause) {
      if (!(cause instanceof NoAnswerError)) throw cause;
      const delay = isNoNetwork(cause.cause) ? undefined : delayAfter(failures, retry);
      if (delay === undefined) {
        throw new HubUnavailableError(cause.message, {
          hint: `check the network; or ${otherWays}`,
          cause,
        });
      }
      await retry.wait(delay);
      continue;
    }
    const { response } = answer;
    const status = response.statusCode ?? 0;
    if (status < 400 || status === 416) return answer;
    response.destroy();
    const delay = isTransient(status) ? delayAfter(failures, retry, response) : undefined;
    if (delay === undefined) {
      if (answer.address.origin === parseUrl(settings.endpoint).origin) {
        throw errorOf(response, name, settings);
      }
      // The signature in the address is not for others to read.
      const { origin, pathname } = answer.address;
      throw new HubUnavailableError(
        `${name.repo}: ${name.file}: HTTP ${status} from ${origin}${pathname}, where the hub sends for it`,
        { hint: `try again later; or ${otherWays}` },
      );
    }
    await retry.wait(delay);
  }
}

async function follow(
  method: "GET" | "HEAD",
  { repo, revision, file }: HubFileName,
  { settings, stallMs }: Connection,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  const path = file.split("/").map(encodeURIComponent).join("/");
  const start = `${settings.endpoint}/${repo}/resolve/${encodeURIComponent(revision)}/${path}`;
  const { origin } = parseUrl(start);
  const own: IncomingMessage[] = [];
  let address = parseUrl(start);
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const atHub = address.origin === origin;
    // A signed address needs no token, and its host is not to have it.
    const authorization =
      atHub && settings.token !== undefined ? { authorization: `Bearer ${settings.token}` } : {};
    const response = await requestOnce(address, {
      method,
      headers: { ...headers, ...authorization },
      limits: { stallMs },
    });
    if (atHub) own.unshift(response);
    const get = (header: string) =>
      own.map((answer) => headerOf(answer, header)).find((value) => value !== undefined);
    const next = redirectTarget(response, address);
    if (next === undefined || (method === "HEAD" && next.origin !== origin)) {
      return { response, address: next ?? address, headers: { get } };
    }
    response.destroy();
    address = next;
  }
  throw new ThawError(`${start}: more than ${MAX_REDIRECTS} redirects`);
}
