import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FAKE_TOKEN, type FakeHub, fakeHub, sha256 } from "../../../../test/support/fake-hub.ts";
import { ThawError } from "../../../errors.ts";
import { type Connection, hubFileInfo } from "./client.ts";
import { downloadBlob } from "./download-blob.ts";

const commit = "a".repeat(40);
const bytes = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7) >> 4));
const info = { commit, etag: sha256(bytes), size: bytes.length };
const name = { repo: "owner/net", revision: "main", file: "model.safetensors" };

let hub: FakeHub;
let home: string;
let waits: number;
let connection: Connection;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "thaw-hostile-"));
  waits = 0;
  hub = await fakeHub({
    "owner/net": { commit, files: { "model.safetensors": { bytes, large: true } } },
  });
  connection = {
    settings: { cache: home, endpoint: hub.url, token: FAKE_TOKEN, offline: false },
    retry: {
      attempts: 3,
      firstDelayMs: 1,
      longestDelayMs: 1000,
      wait: async () => {
        waits++;
      },
    },
    stallMs: 20_000,
  };
});
afterEach(async () => {
  await hub.close();
  rmSync(home, { recursive: true });
});

const failure = async (promise: Promise<unknown>): Promise<ThawError> => {
  const error = await promise.then(
    () => expect.fail("it did not fail"),
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(ThawError);
  return error as ThawError;
};
const fetchBlob = (stallMs = 20_000) =>
  downloadBlob(join(home, "blob"), name, info, { ...connection, stallMs });

function drip(response: ServerResponse): void {
  const timer = setInterval(() => response.write("a"), 10);
  response.on("close", () => clearInterval(timer));
}

describe("a hub that", () => {
  test("sends a file a byte at a time is given up", async () => {
    hub.onCdn = (_, response) => {
      response.writeHead(200, { "content-length": bytes.length });
      drip(response);
      return true;
    };
    const error = await failure(fetchBlob(300));
    expect(error.message).toMatch(
      /less than 1024 bytes a second arrived for 0.3 s after \d+ of 300000/,
    );
    expect(error.hint).toContain("goes on where it was");
    expect(waits).toBe(2);
  });

  test("breaks off after every few bytes is given up, however often they are the next ones", async () => {
    let sent = 0;
    hub.onCdn = (request, response) => {
      const from = Number(/\d+/.exec(request.headers.range ?? "")?.[0] ?? 0);
      const rest = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
      const left = { "content-length": bytes.length - from, "content-range": rest };
      response.writeHead(from === 0 ? 200 : 206, left);
      sent += 100;
      response.write(bytes.subarray(from, from + 100), () => response.destroy());
      return true;
    };
    expect((await failure(fetchBlob())).message).toMatch(/300000 bytes, again and again/);
    expect(sent).toBe(300);
    // What came is kept, and a good hub completes it.
    hub.onCdn = () => false;
    await fetchBlob();
    expect(readFileSync(join(home, "blob")).equals(bytes)).toBe(true);
  });

  test("sends a file for ever is left once its size is exceeded", async () => {
    hub.onCdn = (_, response) => {
      const more = () => response.destroyed || response.write(Buffer.alloc(50_000), more);
      more();
      return true;
    };
    expect((await failure(fetchBlob())).message).toContain("longer than the 300000 bytes");
  });

  test.each([
    ["http://[bad", "which is not an http or https address"],
    ["gopher://host/", "which is not an http or https address"],
  ])("sends on to %s is an error of ours", async (location, message) => {
    hub.onHub = (_, response) => {
      response.writeHead(302, { location }).end();
      return true;
    };
    expect((await failure(hubFileInfo(name, connection))).message).toContain(message);
    expect((await failure(fetchBlob())).message).toContain(message);
  });

  test.each(["1e9", "-5", "0x10", "1.5", "9".repeat(40), ""])(
    "announces a size of %j is no hub",
    async (size) => {
      hub.onHub = (_, response) => {
        const headers = { "x-repo-commit": commit, "x-linked-etag": '"e"', "x-linked-size": size };
        response.writeHead(200, headers).end();
        return true;
      };
      const { message } = await failure(hubFileInfo(name, connection));
      expect(message).toContain("does not answer as a hub does");
    },
  );

  test("sends on from one file to the next without end is left, and its token stays", async () => {
    let hops = 0;
    hub.onHub = (_, response) => {
      response.writeHead(307, { location: `${hub.cdnUrl}/${++hops}` }).end();
      return true;
    };
    hub.onCdn = (_, response) => {
      response.writeHead(302, { location: `/${++hops}` }).end();
      return true;
    };
    expect((await failure(fetchBlob())).message).toContain("more than 5 redirects");
    expect(hub.cdnAuthorization.filter(Boolean)).toEqual([]);
  });
});
