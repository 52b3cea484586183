import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseUrl } from "../../../platform/http.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where hub files lie and how the hub is reached, as huggingface_hub reads it from the environment. */
export interface HubSettings {
  /** Folder of `models--owner--name`. */
  readonly cache: string;
  /** Without a slash at the end. */
  readonly endpoint: string;
  /** Sent to the endpoint's origin only. */
  readonly token: string | undefined;
  readonly offline: boolean;
}

const ENDPOINT = "https://huggingface.co";

/**
 * `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME`; `HF_ENDPOINT`; `HF_TOKEN`, its file and
 * `HF_HUB_DISABLE_IMPLICIT_TOKEN`; `HF_HUB_OFFLINE`. A variable that is empty counts as unset.
 * @throws ThawError if the endpoint is no http(s) address.
 */
export function hubSettings(env: Environment, userHome: string = homedir()): HubSettings {
  const expanded = (path: string) => path.replace(/^~(?=$|[/\\])/, userHome);
  const home = expanded(
    env["HF_HOME"] || join(env["XDG_CACHE_HOME"] || join(userHome, ".cache"), "huggingface"),
  );
  const cache = env["HF_HUB_CACHE"] || env["HUGGINGFACE_HUB_CACHE"] || join(home, "hub");
  const endpoint = (env["HF_ENDPOINT"] || ENDPOINT).replace(/\/+$/, "");
  parseUrl(endpoint);
  return {
    cache: expanded(cache),
    endpoint,
    token: tokenOf(env, expanded(env["HF_TOKEN_PATH"] || join(home, "token"))),
    offline: isTrue(env["HF_HUB_OFFLINE"] || env["TRANSFORMERS_OFFLINE"]),
  };
}

function tokenOf(env: Environment, file: string): string | undefined {
  const given = clean(env["HF_TOKEN"] || env["HUGGING_FACE_HUB_TOKEN"]);
  if (given !== undefined) return given;
  if (isTrue(env["HF_HUB_DISABLE_IMPLICIT_TOKEN"])) return undefined;
  try {
    return clean(readFileSync(file, "utf8"));
  } catch {
    // Nobody has logged in.
    return undefined;
  }
}

function clean(token: string | undefined): string | undefined {
  return token?.replace(/[\r\n]/g, "").trim() || undefined;
}

/** The words that huggingface_hub takes for true. */
function isTrue(value: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(value ?? "");
}
