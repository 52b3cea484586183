import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packageRoot } from "../src/libtorch/home.ts";

const example = join(packageRoot(), "examples/browser");
let folder: string;
let model: string;
let child: ChildProcess;
let port: number;

/** The server as a process of its own, on a port that is free. */
async function start(file: string): Promise<{ child: ChildProcess; port: number }> {
  const started = spawn(process.execPath, [join(example, "serve.mjs"), file, "0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(started.stdout!, "data")) as [Buffer];
  return { child: started, port: Number(new URL(line.toString()).port) };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-serve-"));
  model = join(folder, "model.onnx");
  writeFileSync(model, "a model");
  // A file with a hole: as large as a model, and nearly nothing on the disk.
  truncateSync(model, 64 << 20);
  ({ child, port } = await start(model));
});
afterAll(() => {
  child.kill();
  rmSync(folder, { recursive: true });
});

async function open(): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** The answer to bytes as they are, up to `most` of it. */
async function said(bytes: string, most = 2000): Promise<string> {
  const socket = await open();
  socket.write(bytes);
  let answer = "";
  for await (const chunk of socket) {
    answer += (chunk as Buffer).toString("latin1");
    if (answer.length > most) break;
  }
  return answer;
}

const ask = (target: string, method = "GET", more = "") =>
  said(`${method} ${target} HTTP/1.1\r\nhost: x\r\n${more}connection: close\r\n\r\n`);
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);

test.each([
  "/%",
  "/%zz",
  "/%00",
  "//[",
  "//host/x",
  "http://[bad",
  "*",
  "/..",
  "/../../package.json",
  "/%2e%2e/%2e%2e/package.json",
  "/..%2f..%2fpackage.json",
  "/ort/../serve.mjs",
  "/ort/..%5c..%5cpackage.json",
  "/ort",
  "/ort/",
  "/.hidden",
  "/nothing.js",
  `/${"a".repeat(300)}`,
  `/${"a".repeat(9000)}`,
])("%.40s is not found, and the server goes on", async (target) => {
  expect(statusOf(await ask(target))).toBe(404);
  expect(child.exitCode).toBeNull();
});

test.each<[string, string, number]>([
  ["a path that is too long", `GET /${"a".repeat(20_000)} HTTP/1.1\r\n\r\n`, 431],
  ["headers that are too many", `GET / HTTP/1.1\r\n${"x: y\r\n".repeat(3500)}\r\n`, 431],
  ["a null byte", "GET /\0 HTTP/1.1\r\nhost: x\r\n\r\n", 400],
  ["no HTTP", "\x16\x03\x01\x02\0\x01\0\x01\xfc\r\n\r\n", 400],
])("%s is refused, and the server goes on", async (_what, bytes, status) => {
  expect(statusOf(await said(bytes))).toBe(status);
  expect(child.exitCode).toBeNull();
});

test("GET and HEAD are answered, other methods are not", async () => {
  const page = await ask("/?x=1#y");
  expect(statusOf(page)).toBe(200);
  expect(page).toContain("What is on the picture?");
  const head = await ask("/main.js", "HEAD");
  expect([statusOf(head), head.split("\r\n\r\n")[1]]).toEqual([200, ""]);
  expect(head).toContain(`content-length: ${readFileSync(join(example, "main.js")).length}`);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"]) {
    expect(statusOf(await ask("/", method, "content-length: 0\r\n"))).toBe(405);
  }
  // A part that is asked for is no duty: the whole comes.
  const part = await ask("/model.onnx", "GET", "range: bytes=0-0,-1,5-1,99999999999999-\r\n");
  expect(statusOf(part)).toBe(200);
  expect(part).toContain(`content-length: ${64 << 20}`);
});

const descriptors = () => readdirSync(`/proc/${child.pid}/fd`).length;

test("a download that is left in the middle leaves no descriptor", async ({ skip }) => {
  skip(!existsSync("/proc/self/fd"), "no /proc, where the descriptors of a process are listed");
  await ask("/");
  const before = descriptors();
  for (let i = 0; i < 30; i++) {
    const socket = await open();
    socket.write("GET /model.onnx HTTP/1.1\r\nhost: x\r\n\r\n");
    await once(socket, "data");
    // Half of them abruptly.
    if (i % 2 === 0) socket.destroy();
    else socket.resetAndDestroy();
  }
  await expect.poll(descriptors, { timeout: 20_000 }).toBeLessThanOrEqual(before);
  expect(child.exitCode).toBeNull();
});

test("more connections than a browser has keep nobody out for good", async () => {
  const idle = await Promise.all(Array.from({ length: 100 }, open));
  await expect
    .poll(() => idle.filter((socket) => socket.closed || socket.readableEnded).length)
    .toBeGreaterThan(30);
  for (const socket of idle) socket.destroy();
  await expect.poll(async () => statusOf(await ask("/").catch(() => ""))).toBe(200);
});

test("a model that is no file is not found, and none is waited for", async () => {
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  const folderLink = join(folder, "link");
  symlinkSync(folder, folderLink);
  for (const path of [pipe, folderLink, join(folder, "nothing")]) {
    const other = await start(path);
    const response = await fetch(`http://127.0.0.1:${other.port}/model.onnx`);
    expect(response.status).toBe(404);
    other.child.kill();
  }
});

test("a link in the folder leads nowhere", async () => {
  const link = join(example, "linked-by-a-test.txt");
  symlinkSync("/etc/hostname", link);
  try {
    expect(statusOf(await ask("/linked-by-a-test.txt"))).toBe(404);
  } finally {
    rmSync(link);
  }
});
