import type { Agent } from "node:http";
import { HttpProxyAgent } from "http-proxy-agent";
import { HttpsProxyAgent } from "https-proxy-agent";
import { getProxyForUrl } from "proxy-from-env";
import { ThawError } from "../errors.ts";

/** What the environment says about the way to an address. */
export interface Proxy {
  readonly agent: Agent;
  /** For messages: the variable and the proxy's address, without its password. */
  readonly shown: string;
}

/**
 * The proxy of `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY` (lower case goes first) for an address, or undefined where
 * none is set, `NO_PROXY` exempts the host, or the host is this machine.
 * @throws ThawError for a variable that holds no http or https address.
 */
export function proxyFor(address: URL): Proxy | undefined {
  // As in Go's net/http: what a proxy would reach as "localhost" is another machine.
  if (/^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(address.hostname)) return undefined;
  if (getProxyForUrl(address.href) === "") return undefined;
  const variable = proxyVariable(address);
  if (variable === undefined) return undefined;
  const value = process.env[variable]!;
  const text = value.includes("://") ? value : `http://${value}`;
  const proxy = URL.canParse(text) ? new URL(text) : undefined;
  if (proxy?.protocol !== "http:" && proxy?.protocol !== "https:") {
    throw new ThawError(`${variable} is not the address of an http or https proxy`, {
      hint: `set it to something like http://proxy.example:3128, or unset it; NO_PROXY=${address.hostname} goes round the proxy`,
    });
  }
  return {
    agent: address.protocol === "https:" ? new HttpsProxyAgent(proxy) : new HttpProxyAgent(proxy),
    shown: `the proxy ${proxy.origin} (${variable})`,
  };
}

function proxyVariable(address: URL): string | undefined {
  const scheme = address.protocol.slice(0, -1);
  return [`${scheme}_proxy`, "all_proxy"]
    .flatMap((name) => [name, name.toUpperCase()])
    .find((name) => process.env[name]);
}
