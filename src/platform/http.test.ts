import { once } from "node:events";
import { createReadStream } from "node:fs";
import type { RequestListener } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { serve } from "../../test/support/file-server.ts";
import { ThawError } from "../errors.ts";
import {
  NoAnswerError,
  parseUrl,
  type RequestOptions,
  readText,
  redirectTarget,
  requestFollowing,
  requestOnce,
} from "./http.ts";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

async function web(listener: RequestListener): Promise<string> {
  const server = await serve(listener);
  closing.push(server.close);
  return server.url;
}

/** A server that says what it likes, byte for byte, and knows when the client has gone. */
async function raw(talk: (socket: Socket, gone: () => boolean) => void): Promise<{
  url: URL;
  gone: Promise<unknown>;
}> {
  const sockets = new Set<Socket>();
  let left = (): void => {};
  const gone = new Promise<void>((resolve) => {
    left = resolve;
  });
  const server = createServer((socket) => {
    sockets.add(socket);
    let isGone = false;
    socket.on("error", () => {});
    socket.on("close", () => {
      isGone = true;
      left();
    });
    socket.once("data", () => talk(socket, () => isGone));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/x`), gone };
}

/** Sends `bytes` again and again until the client leaves. */
function repeat(socket: Socket, bytes: string, gone: () => boolean, pauseMs: number): void {
  if (gone()) return;
  socket.write(bytes, () => setTimeout(() => repeat(socket, bytes, gone, pauseMs), pauseMs));
}

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n";
/** Where the clock decides; else time is no matter, however busy the machine. */
const short = { stallMs: 300, slowest: 1000 };
const limits = { stallMs: 20_000 };

async function ask(url: URL, options: RequestOptions = {}, maxBytes = 1000): Promise<string> {
  return readText(await requestOnce(url, { limits, ...options }), maxBytes);
}

const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => expect.fail("it did not fail"),
    (error: Error) => error,
  );

describe("a server that", () => {
  it.each<[what: string, talk: (socket: Socket, gone: () => boolean) => void]>([
    ["says nothing", () => {}],
    [
      "sends its headers a byte at a time",
      (socket, gone) => {
        socket.write("HTTP/1.1 200 OK\r\nx: ");
        repeat(socket, "a", gone, 20);
      },
    ],
    [
      "sends interim answers without end",
      (socket, gone) => repeat(socket, "HTTP/1.1 102 Processing\r\n\r\n", gone, 0),
    ],
    [
      "sends its body a byte at a time",
      (socket, gone) => {
        socket.write(`${HEAD}content-length: 900\r\n\r\n`);
        repeat(socket, "a", gone, 20);
      },
    ],
    [
      "sends a chunked body a byte at a time",
      (socket, gone) => {
        socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\n`);
        repeat(socket, "1\r\na\r\n", gone, 30);
      },
    ],
    [
      "stops in the middle",
      (socket) => socket.write(`${HEAD}content-length: 900\r\n\r\n${"a".repeat(400)}`),
    ],
  ])("%s is left in time", async (_what, talk) => {
    const { url, gone } = await raw(talk);
    const error = await failure(ask(url, { limits: short }));
    expect(error.message).toMatch(
      /(no data|no complete response|less than 1000 bytes a second) arrived for 0.3 s/,
    );
    // The connection is closed, whatever the server still has to say.
    await gone;
  });

  it.each<[what: string, talk: (socket: Socket, gone: () => boolean) => void, message: RegExp]>([
    [
      "sends headers without end",
      (socket, gone) => {
        socket.write(HEAD);
        repeat(socket, `x-${"h".repeat(500)}: 1\r\n`, gone, 0);
      },
      /overflow/i,
    ],
    [
      "sends a body without end",
      (socket, gone) => {
        socket.write(`${HEAD}\r\n`);
        repeat(socket, "a".repeat(10_000), gone, 0);
      },
      /the response has more than 1000 bytes/,
    ],
    [
      "closes midway",
      (socket) => socket.end(`${HEAD}content-length: 900\r\n\r\nabc`),
      /aborted|socket hang up/,
    ],
    [
      "has a length that is none",
      (socket) => socket.end(`${HEAD}content-length: 9x\r\n\r\nabc`),
      /Parse Error/,
    ],
    [
      "has two lengths",
      (socket) => socket.end(`${HEAD}content-length: 3\r\ncontent-length: 4\r\n\r\nabc`),
      /Parse Error/,
    ],
    ["speaks another protocol", (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"), /Parse Error/],
  ])("%s is left", async (_what, talk, message) => {
    const { url, gone } = await raw(talk);
    const error = await failure(ask(url));
    expect(error.message).toMatch(message);
    await gone;
  });

  it("is fast enough for silence and pace, and never done, is left when the time is over", async () => {
    const { url, gone } = await raw((socket, isGone) => {
      socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\n`);
      repeat(socket, `64\r\n${"a".repeat(100)}\r\n`, isGone, 10);
    });
    const slow = { stallMs: 20_000, slowest: 10, totalMs: 300 };
    const error = await failure(ask(url, { limits: slow }, 1e9));
    expect(error.message).toBe("no response in time (0.3 s)");
    await gone;
  });

  it("takes nothing of what is sent is left", async () => {
    const { url } = await raw((socket) => socket.pause());
    const body = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(1 << 16);
      })(),
    );
    const headers = { "content-length": String(2 ** 40) };
    const error = await failure(
      ask(url, { method: "PUT", body: () => body, headers, limits: short }),
    );
    expect(error).toBeInstanceOf(NoAnswerError);
    expect(error.message).toMatch(/arrived for 0.3 s/);
    expect(body.destroyed).toBe(true);
  });

  it("is slow only because nobody reads is not left", async () => {
    const size = 8 << 20;
    const url = await web((_, response) => response.end(Buffer.alloc(size)));
    const response = await requestOnce(new URL(url), { limits: short });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    let received = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) received += chunk.length;
    expect(received).toBe(size);
  });

  it("compresses without being asked is understood, and bounded by what it unpacks to", async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    const url = await web(({ url = "" }, response) => {
      const encoding = url === "/br" ? "br" : "gzip";
      const body = { "/small": gzipSync("small"), "/bomb": bomb }[url] ?? Buffer.from("not gzip");
      response.writeHead(200, { "content-encoding": encoding }).end(body);
    });
    const at = (path: string) => ask(new URL(path, url), {}, 1 << 20);
    expect(await at("/small")).toBe("small");
    expect((await failure(at("/bomb"))).message).toBe("the response has more than 1048576 bytes");
    expect((await failure(at("/damaged"))).message).toContain("damaged gzip");
    expect((await failure(at("/br"))).message).toContain("encoded as br");
  });
});

describe("redirects", () => {
  it.each([
    ["http://[bad", "http://[bad, which is not an http or https address"],
    ["file:///etc/passwd", "file:///etc/passwd, which is not"],
    ["javascript:alert(1)", "which is not an http or https address"],
    [`ftp://${"long.".repeat(900)}`, "which is not an http or https address"],
  ])("to %.30s lead nowhere", async (location, message) => {
    const url = await web((_, response) => response.writeHead(302, { location }).end());
    const error = await failure(requestFollowing(new URL(url)));
    expect(error).toBeInstanceOf(ThawError);
    expect(error.message).toContain(message);
    expect(error.message.length).toBeLessThan(400);
  });

  it("in a circle, and from one address to the next without end, are left", async () => {
    let hops = 0;
    const url = await web((_, response) =>
      response.writeHead(307, { location: `/${++hops}?secret=1` }).end(),
    );
    const error = await failure(requestFollowing(new URL(url)));
    expect(error.message).toBe(`${url}/: more than 5 redirects`);
    expect(hops).toBe(6);
  });

  it("from https to http are refused", async () => {
    const url = await web((_, response) =>
      response.writeHead(302, { location: "http://elsewhere/x?key=1" }).end(),
    );
    const response = await requestOnce(new URL(url));
    expect(() => redirectTarget(response, new URL("https://hub/x"))).toThrow(
      "https://hub/x: redirects from https to http://elsewhere/x",
    );
  });

  it("to another origin do not take the authorization along", async () => {
    const seen: (string | undefined)[] = [];
    const other = await web((request, response) => {
      seen.push(request.headers.authorization);
      response.end("there");
    });
    const first = await web((request, response) => {
      seen.push(request.headers.authorization);
      const location = request.url === "/" ? "/second" : other;
      response.writeHead(302, { location }).end();
    });
    const headers = { authorization: "Bearer secret" };
    const { response, address } = await requestFollowing(new URL(first), { headers });
    expect(await readText(response, 100)).toBe("there");
    expect(address.origin).toBe(other);
    expect(seen).toEqual(["Bearer secret", "Bearer secret", undefined]);
  });

  it("of a body that is sent are followed only where it may be sent again", async () => {
    const seen: string[] = [];
    const url = await web((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      const status = Number(request.url?.slice(1));
      if (status > 0) response.writeHead(status, { location: "/end" }).end();
      else request.pipe(response);
    });
    const post = async (path: string, body: string | (() => Readable)) => {
      const headers = { "content-length": "4" };
      const options = { method: "POST", body, headers } as const;
      const { response } = await requestFollowing(new URL(path, url), options);
      return [response.statusCode, await readText(response, 100)];
    };
    expect(await post("/308", "text")).toEqual([200, "text"]);
    expect(await post("/302", "text")).toEqual([302, ""]);
    expect(await post("/307", () => Readable.from(["text"]))).toEqual([307, ""]);
    expect(seen).toEqual(["POST /308", "POST /end", "POST /302", "POST /307"]);
  });
});

describe("a body that is sent", () => {
  const headers = { "content-length": "4" };

  it("is not opened where nothing is sent", async () => {
    let opened = 0;
    const body = () => {
      opened++;
      return Readable.from(["text"]);
    };
    const bad = { ...headers, authorization: "a\nb" };
    const url = new URL("http://127.0.0.1:1/");
    await failure(requestOnce(url, { method: "PUT", body, headers: bad }));
    expect(opened).toBe(0);
  });

  it("and cannot be read is an error of the request", async () => {
    const url = await web((request) => request.resume());
    const body = () => createReadStream("/nowhere/at/all");
    const error = await failure(requestOnce(new URL(url), { method: "PUT", body, headers }));
    expect(error.message).toContain("ENOENT");
  });
});

describe("an address", () => {
  it.each(["http://[bad", "//host", "ftp://host", "", "javascript:0"])("%j is none", (text) => {
    expect(() => parseUrl(text)).toThrow(ThawError);
  });

  it("is shown without its password and its signature", async () => {
    const url = parseUrl("http://user:word@127.0.0.1:1/path?Signature=abc");
    const error = await failure(requestOnce(url));
    expect(error.message).toMatch(/^http:\/\/127\.0\.0\.1:1\/path: .*ECONNREFUSED/);
  });

  it("or a header that HTTP does not carry is an error of ours", async () => {
    const headers = { authorization: "Bearer a\nb" };
    const error = await failure(requestOnce(new URL("http://127.0.0.1:1/"), { headers }));
    expect(error).toBeInstanceOf(NoAnswerError);
    expect(await failure(requestOnce(new URL("http://%@127.0.0.1:1/")))).toBeInstanceOf(
      NoAnswerError,
    );
  });
});
