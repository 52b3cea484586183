import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serve } from "./support/file-server.ts";
import { writeSampleRun } from "./support/run-records.ts";
import { makeHome, type Outcome, startThaw, thaw, thawMain } from "./support/thaw-process.ts";
import { writeTiny } from "./support/tiny-images.ts";

/** Sets a terminal's title, clears it, colours it (by ESC and by the C1 character), and turns the order of letters. */
const evil = "\x1b]0;owned\x07\x1b[2J\x9b31mred\u202egnp\u2066";
/** A name whose second line looks like one of ours. */
const forged = "a\nthaw: all is well\r.png";
const foreign = /(?![\n\t])\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u;

let folder: string;
let images: string;
let env: Record<string, string>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-hostile-"));
  env = await makeHome(join(folder, "home"));
  images = join(folder, "images");
  for (const split of ["train", "val", "test"]) {
    for (const [i, name] of [evil, "plain"].entries()) {
      for (const seed of [1, 2]) {
        await writeTiny(join(images, split, name, `${seed}.png`), { seed: 10 * i + seed });
      }
    }
  }
  writeFileSync(join(images, "train", evil, forged), "no image");
});
afterAll(() => rmSync(folder, { recursive: true }));

function expectHarmless({ stdout, stderr }: Outcome): void {
  expect(stderr).not.toMatch(foreign);
  expect(stdout).not.toMatch(foreign);
  expect(`${stdout}${stderr}`).not.toMatch(/^thaw: all is well/m);
}

test("names of classes and files command no terminal, and --json has them as they are", () => {
  const shown = thaw(["data", "info", images], env);
  expect(shown.code).toBe(0);
  expectHarmless(shown);
  expect(shown.stdout).toContain("\\x1b]0;owned\\x07\\x1b[2J\\x9b31mred\\u202egnp\\u2066");
  expect(shown.stdout).toContain("a\\x0athaw: all is well\\x0d.png");
  const json = thaw(["data", "info", images, "--json"], env);
  expectHarmless(json);
  expect(Object.keys(JSON.parse(json.stdout).counts)).toContain(evil);
});

test("errors and notes with such names neither, nor do arguments", () => {
  const missing = thaw(["data", "info", join(folder, `${evil}\nthaw: all is well`)], env);
  expect(missing.code).not.toBe(0);
  expectHarmless(missing);
  const command = thaw([`${evil}\nthaw: all is well`], env);
  expect(command.code).toBe(2);
  expectHarmless(command);
});

test("reports of runs with such classes hold no such characters", () => {
  const out = join(folder, "runs");
  for (const name of ["one", "two"]) {
    writeSampleRun({ out, name, classes: [evil, "plain", forged], images: 60, epochs: 2 });
  }
  const told = thaw(["report", "--out", out], env);
  expect(told).toMatchObject({ code: 0 });
  expectHarmless(told);
  for (const file of ["report.html", "report.md"]) {
    const text = readFileSync(join(out, file), "utf8");
    expect(text.replaceAll("\\", "")).toContain("x1b]0;owned");
    expect(foreign.test(text)).toBe(false);
    // A line break in a page is a blank.
    if (file.endsWith(".md")) expect(text).not.toMatch(/^thaw: all is well/m);
  }
});

test("an MLflow server's error commands no terminal", async () => {
  writeSampleRun({ out: join(folder, "runs"), name: "sent", images: 20, epochs: 1 });
  const server = await serve((_, response) =>
    response
      .writeHead(400)
      .end(JSON.stringify({ error_code: "X", message: `${evil}\nthaw: all is well` })),
  );
  const uri = { MLFLOW_TRACKING_URI: server.url };
  const told = await startThaw(["track", join(folder, "runs", "sent")], { ...env, ...uri }).ended;
  await server.close();
  expect(told.code).toBe(1);
  expect(told.stderr).toContain("400 \\x1b]0;owned");
  expectHarmless(told);
});

test("a hub's error commands no terminal", async () => {
  const hub = createServer((socket) =>
    socket.end(`HTTP/1.1 418 \x9b31m\u202eowned\r\nlocation: \x9b\r\ncontent-length: 0\r\n\r\n`),
  );
  hub.listen(0, "127.0.0.1");
  await once(hub, "listening");
  const { port } = hub.address() as AddressInfo;
  const args = ["train", "--data", images, "--model", "resnet18", "--weights", "owner/net"];
  const places = { HF_ENDPOINT: `http://127.0.0.1:${port}`, HF_HOME: join(folder, "hf") };
  const told = await startThaw(args, { ...env, ...places }).ended;
  hub.close();
  expect(told.code).toBe(1);
  expect(told.stderr).toMatch(/HTTP 418 /);
  expectHarmless(told);
});

test("on a terminal our colours are there, and nothing else", ({ skip }) => {
  const script = "/usr/bin/script";
  skip(!existsSync(script), "no script(1), which gives a process a terminal");
  const bare = join(folder, `bare ${evil}`);
  mkdirSync(bare);
  const command = `"${process.execPath}" "${thawMain}" data info "$BARE"`;
  const { NO_COLOR: _, ...colourful } = process.env;
  const { stdout } = spawnSync(script, ["-qec", command, "/dev/null"], {
    encoding: "utf8",
    env: { ...colourful, ...env, BARE: bare, SHELL: "/bin/sh", TERM: "xterm" },
  });
  expect(stdout).toContain("\x1b[31mthaw:\x1b[39m");
  expect(stdout).toContain("bare \\x1b]0;owned");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal's own line ends, and our colours
  expect(stdout.replaceAll(/\x1b\[(31|39|2|22)m|\r\n/g, "")).not.toMatch(foreign);
});
