import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { contentDigests } from "./digests.ts";

let root: string;
let cache: string;
let files: string[];
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "thaw-digests-"));
  cache = join(root, "cache");
  mkdirSync(join(root, "data/a"), { recursive: true });
  files = Array.from({ length: 210 }, (_, i) => join(root, "data/a", `${i}.bin`));
  for (const [i, file] of files.entries()) writeFileSync(file, `content ${i % 200}`);
});
afterAll(() => rmSync(root, { recursive: true }));

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const digests = async (of = files) => (await contentDigests([{ files: of }], cache))[0]!;

test("are sha256 of each file's bytes; equal files have equal ones", async () => {
  const found = await digests();
  expect(found[7]).toBe(sha256("content 7"));
  expect(found[207]).toBe(found[7]);
  expect(existsSync(join(cache, "digests"))).toBe(true);
});

test("another content of the same size and time is another digest", async () => {
  const { atime, mtime } = statSync(files[3]!);
  writeFileSync(files[3]!, "CONTENT 3");
  utimesSync(files[3]!, atime, mtime);
  const found = await digests();
  expect([found[3], found[4]]).toEqual([sha256("CONTENT 3"), sha256("content 4")]);
});

test("a damaged cache is made anew", async () => {
  const [name] = readdirSync(join(cache, "digests"));
  writeFileSync(join(cache, "digests", name!), '{"x": 3}');
  expect((await digests())[5]).toBe(sha256("content 5"));
});

test("a file that cannot be read is named", async () => {
  await expect(digests([join(root, "gone.png")])).rejects.toThrow("gone.png: cannot be read");
});
