import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { abandonedPath } from "../../../test/support/abandoned.ts";
import { type TarEntry, tinyTar } from "../../../test/support/tiny-tar.ts";
import { makeZip, type ZipFileEntry } from "../../../test/zip.ts";
import { ThawError } from "../../errors.ts";
import { DamagedFileError } from "../formats/damaged.ts";
import { zipEntries } from "../formats/zip.ts";
import { extractArchive } from "./extract.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "thaw-extract-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const cache = () => join(root, "cache");
const archive = (name: string, bytes: Uint8Array) => {
  writeFileSync(join(root, name), bytes);
  return join(root, name);
};
const tar = (entries: readonly TarEntry[]) => archive("a.tar", tinyTar(entries));
const zip = (entries: readonly ZipFileEntry[]) => archive("a.zip", makeZip(entries));
const extract = (path: string) => extractArchive(path, cache());
const tree = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => !name.startsWith("."))
    .sort();

const one = Buffer.from("one");

test.each(["tar", "tar.gz", "tar.xz", "zip"])(
  "a %s is unpacked once, by its content",
  async (kind) => {
    const plain = tinyTar([{ path: "./set/cat/1.jpg", bytes: one }]);
    const bytes =
      kind === "zip"
        ? makeZip([{ name: "set/cat/1.jpg", content: "one" }])
        : kind === "tar.gz"
          ? gzipSync(plain)
          : kind === "tar.xz"
            ? execFileSync("xz", ["-c"], { input: plain })
            : plain;
    const { folder, notes } = await extract(archive(`a.${kind}`, bytes));
    expect(tree(folder)).toEqual(["set", "set/cat", "set/cat/1.jpg"]);
    expect(readFileSync(join(folder, "set/cat/1.jpg"), "utf8")).toBe("one");
    expect(notes).toEqual([]);
    // A file put there by hand shows that the second call did not unpack again.
    writeFileSync(join(folder, "mark"), "");
    const again = await extract(archive(`copy.${kind}`, bytes));
    expect(again.folder).toBe(folder);
    expect(tree(folder)).toContain("mark");
  },
);

test.each(["../evil.jpg", "a/../../evil.jpg", "/etc/evil.jpg", "C:\\evil.jpg", "a\\..\\..\\evil"])(
  "the path %s ends it, and nothing is left",
  async (name) => {
    for (const path of [tar([{ path: name, bytes: one }]), zip([{ name, content: "one" }])]) {
      await expect(extract(path)).rejects.toThrow("which leads outside the archive");
    }
    expect(readdirSync(join(cache(), "extracted"))).toEqual([]);
  },
);

test("links are not made, and said", async () => {
  const { folder, notes } = await extract(
    tar([
      { path: "a/1.jpg", bytes: one },
      { path: "a/passwd", type: "2", link: "/etc/passwd" },
      { path: "a/hard", type: "1", link: "a/1.jpg" },
    ]),
  );
  expect(tree(folder)).toEqual(["a", "a/1.jpg"]);
  expect(notes).toEqual(["links and devices in the archive are not unpacked: a/passwd, a/hard"]);
  const other = await extract(
    zip([
      { name: "a/1.jpg", content: "one" },
      { name: "a/passwd", content: "/etc/passwd", mode: 0o120777 },
    ]),
  );
  expect(tree(other.folder)).toEqual(["a", "a/1.jpg"]);
  expect(other.notes).toEqual(["links and devices in the archive are not unpacked: a/passwd"]);
});

test("a name twice, however written, is refused", async () => {
  const twice = "holds a/1.jpg twice";
  await expect(
    extract(
      tar([
        { path: "a/1.jpg", bytes: one },
        { path: "./a//1.jpg", bytes: one },
      ]),
    ),
  ).rejects.toThrow(twice);
  await expect(
    extract(
      zip([
        { name: "a/1.jpg", content: "1" },
        { name: "a\\1.jpg", content: "2" },
      ]),
    ),
  ).rejects.toThrow(twice);
});

test("a name that is a file and a folder, and one too long, are refused", async () => {
  await expect(
    extract(
      tar([
        { path: "a", bytes: one },
        { path: "a/1.jpg", bytes: one },
      ]),
    ),
  ).rejects.toThrow("a/1.jpg cannot be unpacked: it is file and folder at once");
  await expect(extract(zip([{ name: `a/${"x".repeat(300)}.jpg`, content: "1" }]))).rejects.toThrow(
    "the name is too long",
  );
});

test("names in UTF-8 without a flag are read as such, others as CP437", async () => {
  const { folder } = await extract(
    zip([
      { name: "naïve-猫/1.jpg", content: "1" },
      // "é" in CP437 is 0x82, which is no UTF-8.
      { name: Buffer.from([0x61, 0x2f, 0x82, 0x2e, 0x70, 0x6e, 0x67]), content: "2" },
    ]),
  );
  expect(tree(folder)).toEqual(["a", "a/é.png", "naïve-猫", "naïve-猫/1.jpg"]);
});

test("a tar whose names are no UTF-8 is refused: two of them could become one", async () => {
  const bytes = tinyTar([{ path: "a/X.jpg", bytes: one }]);
  // As the header has it: é in Latin-1; the checksum is of the bytes, so it grows by the difference.
  bytes[2] = 0xe9;
  const sum = Number.parseInt(bytes.toString("latin1", 148, 154), 8) + 0xe9 - 0x58;
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  await expect(extract(archive("latin.tar", bytes))).rejects.toThrow(
    'holds the name "a/\ufffd.jpg", which is not valid UTF-8: create the archive again',
  );
});

test("hidden files stay in the archive", async () => {
  const { folder } = await extract(
    zip([
      { name: "a/1.jpg", content: "1" },
      { name: "__MACOSX/a/._1.jpg", content: "2" },
      { name: "a/.DS_Store", content: "3" },
    ]),
  );
  expect(tree(folder)).toEqual(["a", "a/1.jpg"]);
});

const readAll = async (path: string, limits: Parameters<typeof zipEntries>[1]["limits"]) => {
  const entries = zipEntries(path, { wanted: () => true, ...(limits && { limits }) });
  for await (const _ of entries) {
    // Only read.
  }
};

test("zip bombs are refused by total, ratio, number, entry and by what they really hold", async () => {
  const path = zip([
    { name: "1", content: "x".repeat(1000) },
    { name: "2", content: "x".repeat(1000) },
  ]);
  await readAll(path, { maxTotalBytes: 2000, maxEntries: 2, maxEntryBytes: 1000 });
  await expect(readAll(path, { maxTotalBytes: 1999 })).rejects.toThrow("refused as a bomb");
  await expect(readAll(path, { maxEntries: 1 })).rejects.toThrow("more than 1 entries");
  await expect(readAll(path, { maxEntryBytes: 999 })).rejects.toThrow("1 is of 1000 bytes");
  const bomb = zip([{ name: "1", content: Buffer.alloc(40 * 2 ** 20), deflate: true }]);
  await expect(readAll(bomb, {})).rejects.toThrow("refused as a bomb");
  const lies = zip([{ name: "1", content: Buffer.alloc(9000), deflate: true, claimedSize: 10 }]);
  await expect(readAll(lies, {})).rejects.toThrow(DamagedFileError);
});

test("mutated zips give files or a DamagedFileError", async () => {
  const good = Buffer.from(
    makeZip([
      { name: "data/one", content: "one" },
      { name: "data/two", content: Buffer.alloc(700, 2), deflate: true },
    ]),
  );
  const changes = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), {
    minLength: 1,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(changes, fc.nat(good.length), async (list, cut) => {
      const bytes = Buffer.from(good);
      for (const [at, value] of list) bytes[at] = value;
      const path = archive("mutated.zip", cut % 4 ? bytes : bytes.subarray(0, cut));
      await readAll(path, {}).catch((error: unknown) => {
        expect(error).toBeInstanceOf(DamagedFileError);
      });
    }),
    { numRuns: 300 },
  );
});

test("a tar bomb is refused while it is unpacked", async () => {
  const path = archive("bomb.tar.gz", gzipSync(Buffer.alloc(40 * 2 ** 20)));
  await expect(extract(path)).rejects.toThrow("refused as a bomb");
});

test.each([
  ["a.zip", makeZip([{ name: "a/1.jpg", content: "1" }]).subarray(0, 40)],
  ["a.tar", Buffer.from("no archive at all")],
  [
    "a.tar.gz",
    gzipSync(tinyTar([{ path: "a/1.jpg", bytes: Buffer.alloc(9000, "x") }])).subarray(0, 80),
  ],
  ["empty.zip", makeZip([])],
  ["empty.tar", tinyTar([])],
])("%s that is damaged or empty is refused by its name", async (name, bytes) => {
  const failure = await extract(archive(name, bytes)).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(DamagedFileError);
  expect((failure as Error).message).toContain(join(root, name));
});

test("what a killed process left is removed", async () => {
  const path = zip([{ name: "a/1.jpg", content: "1" }]);
  const { folder } = await extract(path);
  rmSync(folder, { recursive: true });
  mkdirSync(abandonedPath(folder));
  await extract(path);
  expect(readdirSync(join(cache(), "extracted"))).toEqual([folder.split("/").at(-1)]);
});

test("a cache that cannot be written is said with what to do", async () => {
  writeFileSync(cache(), "a file stands where the folder should");
  const failure = await extract(zip([{ name: "a/1.jpg", content: "1" }])).catch(
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(ThawError);
  expect((failure as ThawError).hint).toContain("THAW_HOME");
});
