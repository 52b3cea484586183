import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { type TarEntry, tinyTar } from "../../../test/support/tiny-tar.ts";
import { ThawError } from "../../errors.ts";
import { type ArchiveLimits, archiveEntries } from "./archive.ts";
import { DamagedFileError } from "./damaged.ts";

const folder = mkdtempSync(join(tmpdir(), "thaw-archive-"));
afterAll(() => rmSync(folder, { recursive: true }));

const xz = (bytes: Uint8Array) =>
  spawnSync("xz", ["-c", "--delta=dist=1", "--lzma2=preset=0"], { input: bytes });
const xzMissing = spawnSync("xz", ["--version"]).error !== undefined;
if (xzMissing) console.log("skipped: archives in .tar.xz, because xz is not installed");

function save(bytes: Uint8Array): string {
  const path = join(folder, "an-archive");
  writeFileSync(path, bytes);
  return path;
}

async function read(
  bytes: Uint8Array,
  options: { wanted?: (path: string) => boolean; limits?: Partial<ArchiveLimits> } = {},
) {
  const skipped: string[] = [];
  const found = new Map<string, Buffer>();
  const entries = archiveEntries(save(bytes), {
    wanted: () => true,
    onSkipped: (path, reason) => skipped.push(`${path}: ${reason}`),
    ...options,
  });
  for await (const entry of entries) found.set(entry.path, Buffer.from(entry.bytes));
  return { found, skipped };
}

const big = Buffer.from(Uint8Array.from({ length: 1_500_000 }, (_, i) => (i * i) >> 7));
const honest: TarEntry[] = [
  { path: "./data/", type: "5" },
  { path: "./data/one.bin", bytes: Buffer.from("one") },
  { path: "data/empty" },
  { path: "data/big.bin", bytes: big },
];

test.each([
  ["tar", (bytes: Buffer) => bytes],
  ["tar.gz", (bytes: Buffer) => gzipSync(bytes)],
  ...(xzMissing ? [] : [["tar.xz", (bytes: Buffer) => xz(bytes).stdout] as const]),
] as const)("%s: the regular files, whole and in order", async (_, pack) => {
  const { found, skipped } = await read(pack(tinyTar(honest)));
  expect([...found.keys()]).toEqual(["data/one.bin", "data/empty", "data/big.bin"]);
  expect(found.get("data/one.bin")?.toString()).toBe("one");
  expect(found.get("data/empty")?.length).toBe(0);
  expect(found.get("data/big.bin")?.equals(big)).toBe(true);
  expect(skipped).toEqual([]);
});

test("only what is wanted", async () => {
  const { found } = await read(tinyTar(honest), { wanted: (path) => path.endsWith("one.bin") });
  expect([...found.keys()]).toEqual(["data/one.bin"]);
});

test("leaving early ends it", async () => {
  const path = save(gzipSync(tinyTar(honest)));
  for await (const entry of archiveEntries(path, { wanted: () => true })) {
    expect(entry.path).toBe("data/one.bin");
    break;
  }
});

test("links and devices are passed over and said", async () => {
  const { found, skipped } = await read(
    tinyTar([
      { path: "a", type: "2", link: "/etc/passwd" },
      { path: "b", type: "1", link: "../../etc/passwd" },
      { path: "c", type: "6" },
      { path: "d", bytes: Buffer.from("d") },
    ]),
  );
  expect([...found.keys()]).toEqual(["d"]);
  expect(skipped).toEqual([
    "a: not a regular file (SymbolicLink)",
    "b: not a regular file (Link)",
    "c: not a regular file (FIFO)",
  ]);
});

test.each(["../evil", "a/../../evil", "/etc/passwd", "C:\\evil", "a\\..\\..\\evil", "\\\\host\\x"])(
  "the path %s ends it",
  async (path) => {
    const archive = tinyTar([{ path, bytes: Buffer.from("x") }]);
    await expect(read(archive)).rejects.toThrow("leads outside the archive");
  },
);

test("bombs are refused by size, by ratio, by number and by entry", async () => {
  const zeros = tinyTar([{ path: "zeros", bytes: Buffer.alloc(20 * 2 ** 20) }]);
  await expect(read(gzipSync(zeros))).rejects.toThrow("refused as a bomb");
  await expect(read(gzipSync(zeros), { limits: { maxRatio: 5000 } })).resolves.toBeDefined();
  await expect(read(tinyTar(honest), { limits: { maxTotalBytes: 1_000_000 } })).rejects.toThrow(
    "unpacks to more than 1000000 bytes",
  );
  await expect(read(tinyTar(honest), { limits: { maxEntries: 3 } })).rejects.toThrow(
    "more than 3 entries",
  );
  await expect(read(tinyTar(honest), { limits: { maxEntryBytes: 1000 } })).rejects.toThrow(
    "data/big.bin is of 1500000 bytes, more than 1000",
  );
  await expect(read(gzipSync(gzipSync(tinyTar(honest))))).rejects.toThrow("compressed twice");
});

test("a size that is only claimed allocates nothing", async () => {
  const archive = tinyTar([{ path: "a", bytes: Buffer.alloc(10), claimedSize: 8 ** 11 - 1 }]);
  await expect(read(archive, { limits: { maxEntryBytes: 2 ** 40 } })).rejects.toThrow(/Truncated/);
});

test.each([
  ["tar", (bytes: Buffer) => bytes],
  ["tar.gz", (bytes: Buffer) => gzipSync(bytes)],
  ...(xzMissing ? [] : [["tar.xz", (bytes: Buffer) => xz(bytes).stdout] as const]),
] as const)("%s cut off in the middle is damaged", async (_, pack) => {
  const packed = pack(tinyTar(honest));
  const cut = read(packed.subarray(0, packed.length >> 1));
  await expect(cut).rejects.toThrow(DamagedFileError);
  await expect(cut).rejects.toThrow(/an-archive: /);
});

test("what is no archive is refused", async () => {
  await expect(read(Buffer.from("<html>not found</html>"))).rejects.toThrow("not a tar archive");
  await expect(read(Buffer.alloc(0))).rejects.toThrow(DamagedFileError);
  await expect(read(Buffer.alloc(3000, "x"))).rejects.toThrow(DamagedFileError);
});

test.skipIf(xzMissing)("without xz, the error says how to get it", async () => {
  const packed = xz(tinyTar(honest)).stdout;
  const { PATH } = process.env;
  process.env["PATH"] = folder;
  try {
    const failure = await read(packed).catch((error: unknown) => error as ThawError);
    expect(failure).toBeInstanceOf(ThawError);
    expect(failure).not.toBeInstanceOf(DamagedFileError);
    expect((failure as ThawError).message).toContain("the program xz, which unpacks it");
    expect((failure as ThawError).hint).toContain("apt-get install xz-utils");
  } finally {
    process.env["PATH"] = PATH;
  }
});

test("mutated archives give files or a DamagedFileError, never more bytes than there are", async () => {
  const archive = tinyTar([
    { path: "data/one", bytes: Buffer.from("one") },
    { path: "data/two", bytes: Buffer.alloc(700, 2) },
  ]);
  const changes = fc.array(fc.tuple(fc.nat(archive.length - 1), fc.nat(255)), {
    minLength: 1,
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(changes, fc.boolean(), fc.nat(archive.length), async (list, fix, cut) => {
      const bytes = Buffer.from(archive);
      for (const [at, value] of list) bytes[fix ? at % 512 : at] = value;
      if (fix) writeChecksum(bytes);
      try {
        const { found } = await read(cut % 4 ? bytes : bytes.subarray(0, cut));
        for (const file of found.values()) expect(file.length).toBeLessThan(bytes.length);
      } catch (error) {
        expect(error).toBeInstanceOf(DamagedFileError);
      }
    }),
    { numRuns: 500 },
  );
});

/** Makes the first header's checksum right again, so that the change in it is believed. */
function writeChecksum(archive: Buffer): void {
  archive.write("        ", 148);
  const sum = archive.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  archive.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
}
