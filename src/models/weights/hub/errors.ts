import type { IncomingMessage } from "node:http";
import { ThawError } from "../../../errors.ts";
import type { HubSettings } from "./environment.ts";
import { didYouMean } from "./reference.ts";

/** One file at one revision of a repository. */
export interface HubFileName {
  readonly repo: string;
  readonly revision: string;
  readonly file: string;
}

/** The hub cannot be reached, or fails: what is cached will do. */
export class HubUnavailableError extends ThawError {}

/** The hub does not show the repository: it is not there, private, or gated. What is cached will do. */
export class HubRefusedError extends ThawError {}

/** The repository is there, and has not this revision. */
export class NoSuchRevisionError extends ThawError {}

/** The revision is there, and has not this file. */
export class NoSuchFileError extends ThawError {
  readonly commit: string | undefined;

  constructor(message: string, commit: string | undefined) {
    super(message);
    this.commit = commit;
  }
}

/** Other ways to the same weights, for hints. */
export const otherWays =
  "set HF_ENDPOINT to another address of the hub, --mirror to a folder that has the weights, or --weights to a file";

/** What the hub's answer of status 4xx or 5xx means, by its `X-Error-Code`. */
export function errorOf(
  response: IncomingMessage,
  { repo, revision, file }: HubFileName,
  settings: HubSettings,
): ThawError {
  const status = response.statusCode ?? 0;
  const code = headerOf(response, "x-error-code");
  const page = `${settings.endpoint}/${repo}`;
  if (code === "RevisionNotFound") {
    return new NoSuchRevisionError(`${repo} has no revision ${revision} on ${settings.endpoint}`, {
      hint: `its branches and tags are at ${page}/tree/main; without @ it is main`,
    });
  }
  if (code === "EntryNotFound") {
    return new NoSuchFileError(
      `${repo} has no ${file} at ${revision}`,
      headerOf(response, "x-repo-commit"),
    );
  }
  if (code === "GatedRepo" || (status === 403 && code !== "RepoNotFound")) {
    const who =
      settings.token === undefined ? "then set HF_TOKEN" : "with the account that HF_TOKEN is of";
    return new HubRefusedError(`${repo} is gated: HTTP ${status} from ${settings.endpoint}`, {
      hint: `accept its licence at ${page}, ${who}`,
    });
  }
  if (code === "RepoNotFound" || status === 401 || status === 404) {
    const token =
      settings.token === undefined
        ? "if it is private, set HF_TOKEN"
        : "if it is private, the token that is set does not reach it or has expired";
    return new HubRefusedError(
      `${repo}: no such repository on ${settings.endpoint} (HTTP ${status})`,
      { hint: `${didYouMean(repo)}${token}` },
    );
  }
  const message = `${page}: HTTP ${status} ${response.statusMessage ?? ""}`.trimEnd();
  return new HubUnavailableError(message, { hint: `try again later; or ${otherWays}` });
}

export function headerOf(response: IncomingMessage, name: string): string | undefined {
  const value = response.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
