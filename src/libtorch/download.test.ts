import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { serve } from "../../test/support/file-server.ts";
import { ThawError } from "../errors.ts";
import { downloadVerified } from "./download.ts";

let folder: string;
let server: Awaited<ReturnType<typeof serve>>;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-libtorch-"));
  server = await serve((request, response) => {
    if (request.url === "/drip") {
      const timer = setInterval(() => response.write("a"), 20);
      response.on("close", () => clearInterval(timer));
    } else if (request.url === "/endless") {
      const more = (): unknown => response.destroyed || response.write(Buffer.alloc(60_000), more);
      more();
    } else if (request.url === "/announced") {
      response.writeHead(200, { "content-length": "99999999999" }).write("a");
    } else if (request.url === "/nowhere") {
      response.writeHead(302, { location: "http://[bad" }).end();
    }
  });
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

test.each([
  ["/drip", /broke off after \d+ bytes \(less than 1024 bytes a second arrived/],
  ["/endless", /more than the 1000000 bytes allowed for libtorch/],
  ["/announced", /more than the 1000000 bytes/],
  ["/nowhere", /redirects to http:\/\/\[bad, which is not an http/],
  ["/silent", /no data arrived for 0.3 s/],
])("%s is left, and nothing is kept", async (path, message) => {
  const file = join(folder, "libtorch.zip");
  const stallMs = ["/drip", "/silent"].includes(path) ? 300 : 20_000;
  const options = { maxBytes: 1e6, limits: { stallMs } };
  const error = await downloadVerified(`${server.url}${path}`, file, "0", options).catch((e) => e);
  expect(error).toBeInstanceOf(ThawError);
  expect(error.message).toMatch(message);
  expect(readdirSync(folder)).toEqual([]);
});
