import { execFile, execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ThawError } from "../errors.ts";
import { NoAnswerError, readText, requestOnce } from "./http.ts";

const VARIABLES = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"];
beforeEach(() => {
  for (const name of VARIABLES) {
    vi.stubEnv(name, undefined);
    vi.stubEnv(name.toUpperCase(), undefined);
  }
});
afterEach(async () => {
  vi.unstubAllEnvs();
  // Tunnels are no requests that a server would end by itself.
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await Promise.all(servers.splice(0).map((server) => new Promise((end) => server.close(end))));
});

const servers: Server[] = [];
const sockets = new Set<Socket>();

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  server.on("connection", (socket) => sockets.add(socket));
  servers.push(server);
  return (server.address() as AddressInfo).port;
}

/** A proxy that notes what it is asked for; `tunnelTo` is where CONNECT leads, else it is refused. */
async function startProxy(
  options: {
    answer?: (response: ServerResponse) => void;
    tunnelTo?: number;
    refusal?: string;
  } = {},
): Promise<{ url: string; asked: string[]; authorization: () => string | undefined }> {
  const asked: string[] = [];
  let authorization: string | undefined;
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    authorization = request.headers["proxy-authorization"];
    if (options.answer) options.answer(response);
    else response.end("by the proxy");
  });
  server.on("connect", (request, socket: Duplex) => {
    asked.push(`CONNECT ${request.url}`);
    authorization = request.headers["proxy-authorization"];
    if (options.tunnelTo === undefined) {
      socket.end(`HTTP/1.1 ${options.refusal ?? "502 Bad Gateway"}\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const target: Socket = connect(options.tunnelTo, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      target.pipe(socket).pipe(target);
    });
    target.on("error", () => socket.destroy());
    socket.on("error", () => target.destroy());
  });
  return {
    url: `127.0.0.1:${await listen(server)}`,
    asked,
    authorization: () => authorization,
  };
}

const get = async (url: string): Promise<string> =>
  readText(await requestOnce(new URL(url)), 10_000);
const failureOf = (url: string): Promise<ThawError> =>
  get(url).then(
    () => expect.unreachable("it should have failed"),
    (error) => error,
  );

describe("http", () => {
  test.each(["http_proxy", "HTTP_PROXY", "ALL_PROXY"])("%s is obeyed", async (variable) => {
    const proxy = await startProxy();
    vi.stubEnv(variable, `http://${proxy.url}`);
    expect(await get("http://hub.test/models/a?b=1")).toBe("by the proxy");
    expect(proxy.asked).toEqual(["GET http://hub.test/models/a?b=1"]);
  });

  test("an address without a scheme, and a user and password", async () => {
    const proxy = await startProxy();
    vi.stubEnv("HTTP_PROXY", `anna:secret@${proxy.url}`);
    await get("http://hub.test/");
    const basic = Buffer.from("anna:secret").toString("base64");
    expect(proxy.authorization()).toBe(`Basic ${basic}`);
  });

  test.each(["hub.test", ".test", "*", "other.example,hub.test"])(
    "NO_PROXY=%s goes round it",
    async (hosts) => {
      const proxy = await startProxy();
      vi.stubEnv("HTTP_PROXY", `http://${proxy.url}`);
      vi.stubEnv("NO_PROXY", hosts);
      const failure = await failureOf("http://hub.test/");
      expect(failure).toBeInstanceOf(NoAnswerError);
      expect(failure.message).not.toContain("proxy");
      expect(proxy.asked).toEqual([]);
    },
  );

  test("this machine is reached without it", async () => {
    const proxy = await startProxy();
    const port = await listen(createServer((_request, response) => response.end("direct")));
    vi.stubEnv("ALL_PROXY", `http://${proxy.url}`);
    for (const host of ["127.0.0.1", "localhost"]) {
      expect(await get(`http://${host}:${port}/`)).toBe("direct");
    }
    expect(proxy.asked).toEqual([]);
  });

  test("a proxy that does not answer is named, without its password", async () => {
    vi.stubEnv("HTTP_PROXY", "http://anna:secret@127.0.0.1:9");
    const failure = await failureOf("http://hub.test/a");
    expect(failure.message).toBe(
      "http://hub.test/a: connect ECONNREFUSED 127.0.0.1:9, through the proxy http://127.0.0.1:9 (HTTP_PROXY)",
    );
    expect(failure.hint).toBe("check the proxy; NO_PROXY=hub.test goes round it");
  });

  test("a proxy that wants to know who one is", async () => {
    const proxy = await startProxy({
      answer: (response) => response.writeHead(407, "Proxy Authentication Required").end(),
    });
    vi.stubEnv("HTTP_PROXY", `http://${proxy.url}`);
    expect((await failureOf("http://hub.test/")).message).toMatch(
      /the proxy refused: HTTP 407 Proxy Authentication Required \(user:password@ before its host\), through the proxy/,
    );
  });

  test.each(["socks5://127.0.0.1:1080", "http://[bad", "ftp://x"])(
    "%s is no proxy's address",
    async (value) => {
      vi.stubEnv("HTTP_PROXY", value);
      const failure = await failureOf("http://hub.test/");
      expect(failure).toBeInstanceOf(ThawError);
      expect(failure.message).toBe("HTTP_PROXY is not the address of an http or https proxy");
    },
  );
});

describe("https", () => {
  test.each(["502 Bad Gateway", "403 Forbidden", "407 Proxy Authentication Required"])(
    "a tunnel that the proxy refuses is the proxy's error: %s",
    async (refusal) => {
      const proxy = await startProxy({ refusal });
      vi.stubEnv("HTTPS_PROXY", `http://${proxy.url}`);
      const failure = await failureOf("https://hub.test/a");
      expect(failure).toBeInstanceOf(NoAnswerError);
      expect(failure.message).toContain(`https://hub.test/a: the proxy refused: HTTP ${refusal}`);
      expect(failure.message).toContain(`through the proxy http://${proxy.url} (HTTPS_PROXY)`);
      expect(proxy.asked).toEqual(["CONNECT hub.test:443"]);
    },
  );

  const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;
  if (!hasOpenssl) console.log("skipped: a tunnel to an https server, because there is no openssl");
  test.skipIf(!hasOpenssl)(
    "goes through a tunnel, and the server's certificate is checked",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "thaw-tunnel-"));
      try {
        const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
        execFileSync(
          "openssl",
          [
            ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert],
            ...["-days", "2", "-subj", "/CN=hub.test", "-addext", "subjectAltName=DNS:hub.test"],
          ],
          { stdio: "ignore" },
        );
        const secure = createSecureServer(
          { key: readFileSync(key), cert: readFileSync(cert) },
          (_request, response) => response.end("by the server"),
        );
        const proxy = await startProxy({ tunnelTo: await listen(secure) });
        vi.stubEnv("HTTPS_PROXY", `http://${proxy.url}`);
        const failure = await failureOf("https://hub.test/a");
        expect(failure.message).toMatch(/self-signed certificate/);
        // Node reads this variable when it starts.
        const module = new URL("./http.ts", import.meta.url).pathname.replace(
          /src(.*)\.ts$/,
          "dist$1.js",
        );
        const program = `
        import { readText, requestOnce } from ${JSON.stringify(module)};
        console.log(await readText(await requestOnce(new URL("https://hub.test/a")), 1000));`;
        const child = promisify(execFile)(
          process.execPath,
          ["--input-type=module", "-e", program],
          {
            env: { ...process.env, NODE_EXTRA_CA_CERTS: cert },
          },
        );
        expect((await child).stdout).toBe("by the server\n");
        expect(proxy.asked.at(-1)).toBe("CONNECT hub.test:443");
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});
