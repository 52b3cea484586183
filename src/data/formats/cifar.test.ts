import fc from "fast-check";
import { expect, test } from "vitest";
import { cifarBytes } from "../../../test/support/tiny-dataset.ts";
import { cifarImageSet } from "./cifar.ts";
import { DamagedFileError } from "./damaged.ts";

const classes = ["cat", "dog", "frog"];

test("batches follow one another, and their records are counted", () => {
  const first = cifarBytes(4, 3, 1);
  const second = cifarBytes(2, 3, 2);
  const set = cifarImageSet(
    [
      { bytes: first, where: "a" },
      { bytes: second, where: "b" },
    ],
    classes,
  );
  expect(set).toMatchObject({ count: 6, channels: 3, height: 32, width: 32, classes });
  expect([...set.labels]).toEqual([0, 1, 2, 0, 0, 1]);
  expect(Buffer.from(set.images.subarray(3072, 6144))).toEqual(first.subarray(3074, 6146));
  expect(Buffer.from(set.images.subarray(5 * 3072))).toEqual(second.subarray(3074));
});

test("a file that is not whole records is refused", () => {
  const read = (bytes: Uint8Array) => () => cifarImageSet([{ bytes, where: "test.bin" }], classes);
  expect(read(cifarBytes(2, 3, 0).subarray(1))).toThrow(
    "test.bin: 6145 bytes are not a whole number of CIFAR records (3073 bytes each)",
  );
  expect(read(new Uint8Array())).toThrow(DamagedFileError);
});

test("a label outside the class list is refused with its record", () => {
  const bytes = cifarBytes(3, 3, 0);
  bytes[2 * 3073] = 3;
  expect(() => cifarImageSet([{ bytes, where: "test.bin" }], classes)).toThrow(
    "test.bin: record 2 has label 3, but there are 3 classes",
  );
});

test("mutated bytes give a set of the same size or a DamagedFileError", () => {
  const good = cifarBytes(2, 3, 0);
  fc.assert(
    fc.property(fc.nat(good.length), fc.nat(255), fc.nat(good.length - 1), (cut, value, at) => {
      const bytes = Buffer.from(good);
      bytes[at] = value;
      try {
        const set = cifarImageSet(
          [{ bytes: bytes.subarray(cut % 2 ? 0 : cut), where: "f" }],
          classes,
        );
        expect(set.images.length).toBe(set.count * 3072);
      } catch (error) {
        expect(error).toBeInstanceOf(DamagedFileError);
      }
    }),
  );
});
