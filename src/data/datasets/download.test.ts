import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { serve } from "../../../test/support/file-server.ts";
import { ThawError } from "../../errors.ts";
import { downloadFile, NotOnServerError } from "./download.ts";

const body = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => i >> 3));
let folder: string;
let server: Awaited<ReturnType<typeof serve>>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-download-"));
  server = await serve((request, response) => {
    switch (request.url) {
      case "/file":
        response.writeHead(200, { "content-length": body.length }).end(body);
        return;
      case "/encoded":
        // As some servers label every .gz file: the bytes must stay as they are.
        response.writeHead(200, { "content-encoding": "x-gzip" }).end(body);
        return;
      case "/moved":
        response.writeHead(302, { location: "file" }).end();
        return;
      case "/circle":
        response.writeHead(302, { location: "/circle" }).end();
        return;
      case "/cut":
        response.writeHead(200, { "content-length": body.length });
        response.write(body.subarray(0, 100_000), () => response.destroy());
        return;
      case "/stall":
        response.writeHead(200, { "content-length": body.length });
        response.write(body.subarray(0, 1000));
        return;
      case "/drip": {
        const timer = setInterval(() => response.write("a"), 20);
        response.on("close", () => clearInterval(timer));
        return;
      }
      case "/nowhere":
        response.writeHead(302, { location: "http://[bad" }).end();
        return;
      case "/silent":
        return;
      case "/broken":
        response.writeHead(503).end("busy");
        return;
      default:
        response.writeHead(404).end();
    }
  });
});

afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const download = (path: string, options: Partial<Parameters<typeof downloadFile>[2]> = {}) =>
  downloadFile(`${server.url}${path}`, join(folder, "target"), {
    maxBytes: 1_000_000,
    accept: async () => "good",
    ...options,
  });

test.each(["/file", "/moved", "/encoded"])("%s arrives byte for byte", async (path) => {
  const progress: [number, number | undefined][] = [];
  const result = await download(path, {
    onProgress: (received, total) => progress.push([received, total]),
    accept: async (temporary) => {
      expect(readFileSync(temporary).equals(body)).toBe(true);
      expect(readdirSync(folder)).not.toContain("target");
      return 42;
    },
  });
  expect(result).toBe(42);
  expect(readFileSync(join(folder, "target")).equals(body)).toBe(true);
  expect(readdirSync(folder)).toEqual(["target"]);
  expect(progress.at(-1)).toEqual([body.length, path === "/encoded" ? undefined : body.length]);
});

test.each([
  ["/gone", /\/gone: HTTP 404/, {}],
  ["/broken", /\/broken: HTTP 503/, {}],
  ["/circle", /more than 5 redirects/, {}],
  ["/cut", /\/cut: the connection was cut after \d+ of 300000 bytes/, {}],
  ["/stall", /\/stall: no data arrived for 0.2 s after 1000 of 300000 bytes/, { stallMs: 200 }],
  ["/drip", /\/drip: less than 1024 bytes a second arrived for 0.2 s after \d+/, { stallMs: 200 }],
  ["/nowhere", /redirects to http:\/\/\[bad, which is not an http or https address/, {}],
  ["/silent", /\/silent: no data arrived for 0.2 s/, { stallMs: 200 }],
  ["/file", /300000 bytes or more, expected at most 200000/, { maxBytes: 200_000 }],
  ["/encoded", /bytes or more, expected at most 200000/, { maxBytes: 200_000 }],
])("%s fails and leaves nothing: %s", async (path, message, options) => {
  const failure = await download(path, options).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ThawError);
  expect((failure as Error).message).toMatch(message);
  expect(failure instanceof NotOnServerError).toBe(path === "/gone");
  expect(readdirSync(folder)).toEqual([]);
});

test("a file that is not accepted is not kept", async () => {
  const refuse = async () => {
    throw new ThawError("checksum");
  };
  await expect(download("/file", { accept: refuse })).rejects.toThrow("checksum");
  expect(readdirSync(folder)).toEqual([]);
});

test("no server, and what is no address", async () => {
  await server.close();
  await expect(download("/file")).rejects.toThrow(/ECONNREFUSED/);
  const to = join(folder, "t");
  const options = { maxBytes: 1, accept: async () => {} };
  await expect(downloadFile("ftp://host/file", to, options)).rejects.toThrow(
    "ftp://host/file is not an http or https address",
  );
});

test("a target that cannot be written is an error that says so", async () => {
  const options = { maxBytes: 1_000_000, accept: async () => {} };
  const target = join(folder, "no", "folder");
  await expect(downloadFile(`${server.url}/file`, target, options)).rejects.toThrow(
    /cannot be written: it, or a folder on the way to it, does not exist/,
  );
});
