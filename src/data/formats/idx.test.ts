import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { idxBytes } from "../../../test/support/tiny-dataset.ts";
import { DamagedFileError } from "./damaged.ts";
import { gunzipBounded, isGzip } from "./gzip.ts";
import { idxImageSet, parseIdx } from "./idx.ts";

const good = idxBytes(
  [3, 2, 2],
  Uint8Array.from({ length: 12 }, (_, i) => i),
);
const labels = idxBytes([3], Uint8Array.of(2, 0, 1));

test("an array comes back with its shape", () => {
  const { shape, data } = parseIdx(good, "images");
  expect(shape).toEqual([3, 2, 2]);
  expect([...data]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

test("images and labels make a set", () => {
  const set = idxImageSet({ bytes: good, where: "i" }, { bytes: labels, where: "l" }, [
    "a",
    "b",
    "c",
  ]);
  expect(set).toMatchObject({
    count: 3,
    channels: 1,
    height: 2,
    width: 2,
    classes: ["a", "b", "c"],
  });
  expect([...set.labels]).toEqual([2, 0, 1]);
  expect([set.images.constructor, set.labels.constructor]).toEqual([Uint8Array, Uint8Array]);
});

test.each([
  ["empty", Buffer.alloc(0), "does not begin with two zero bytes"],
  ["text", Buffer.from("<html>not found</html>"), "does not begin with two zero bytes"],
  ["floats", Buffer.from([0, 0, 0x0d, 1, 0, 0, 0, 0]), "element type 0x0d"],
  ["no dimensions", Buffer.from([0, 0, 8, 0]), "0 dimensions"],
  ["255 dimensions", Buffer.concat([Buffer.from([0, 0, 8, 255]), Buffer.alloc(2000)]), "255 dim"],
  ["header cut off", good.subarray(0, 9), "header of 16 bytes cut off at 9"],
  ["body cut off", good.subarray(0, 20), "says [3, 2, 2], 12 bytes, but 4 follow"],
  ["bytes too many", Buffer.concat([good, Buffer.alloc(1)]), "12 bytes, but 13 follow"],
  [
    "sizes that overflow",
    idxBytes([0xffffffff, 0xffffffff, 0xffffffff], new Uint8Array(8)),
    "but 8 follow",
  ],
])("%s is refused", (_, bytes, reason) => {
  expect(() => parseIdx(bytes, "the-file")).toThrow(DamagedFileError);
  expect(() => parseIdx(bytes, "the-file")).toThrow(reason);
  expect(() => parseIdx(bytes, "the-file")).toThrow(/^the-file: /);
});

test("images and labels that do not belong together are refused", () => {
  const set = (a: Buffer, b: Buffer) => () =>
    idxImageSet({ bytes: a, where: "i.gz" }, { bytes: b, where: "l.gz" }, ["a"]);
  expect(set(good, idxBytes([2], new Uint8Array(2)))).toThrow("i.gz has 3 images, but l.gz has 2");
  expect(set(labels, labels)).toThrow("i.gz: images want 3 dimensions [n, h, w], the file has [3]");
  expect(set(good, good)).toThrow("l.gz: labels want 1 dimension");
});

test("whatever the bytes: an array of exactly these bytes, or a DamagedFileError", () => {
  const mutated = fc
    .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    .map((changes) => {
      const bytes = Buffer.from(good);
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
  const any = fc.oneof(mutated, fc.uint8Array({ maxLength: 64 }));
  fc.assert(
    fc.property(any, (bytes) => {
      try {
        const { shape, data } = parseIdx(bytes, "f");
        expect(shape.reduce((product, size) => product * size, 1)).toBe(data.length);
        expect(data.buffer).toBe(bytes.buffer);
      } catch (error) {
        expect(error).toBeInstanceOf(DamagedFileError);
      }
    }),
    { numRuns: 2000 },
  );
});

test("gzip is unpacked up to the bytes allowed, and no further", async () => {
  const bomb = gzipSync(Buffer.alloc(5_000_000));
  expect(isGzip(bomb)).toBe(true);
  expect((await gunzipBounded(bomb, 5_000_000, "f.gz")).length).toBe(5_000_000);
  await expect(gunzipBounded(bomb, 4_999_999, "f.gz")).rejects.toThrow(
    "f.gz: unpacks to more than the 4999999 bytes it may have",
  );
  await expect(gunzipBounded(bomb.subarray(0, 100), 5_000_000, "f.gz")).rejects.toThrow(
    /^f\.gz: damaged gzip data \(unexpected end of file\)$/,
  );
});

test("mutated gzip gives bytes or a DamagedFileError", async () => {
  const packed = gzipSync(good);
  await fc.assert(
    fc.asyncProperty(fc.nat(packed.length - 1), fc.nat(255), async (at, value) => {
      const bytes = Buffer.from(packed);
      bytes[at] = value;
      try {
        expect((await gunzipBounded(bytes, 100, "f")).length).toBeLessThanOrEqual(100);
      } catch (error) {
        expect(error).toBeInstanceOf(DamagedFileError);
      }
    }),
  );
});
