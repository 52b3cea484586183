import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { BuiltinDataset, Checksum } from "../../src/data/datasets/registry.ts";
import { cifarImageSet } from "../../src/data/formats/cifar.ts";
import { idxImageSet } from "../../src/data/formats/idx.ts";
import { tinyTar } from "./tiny-tar.ts";

const hash = (algorithm: "md5" | "sha256", bytes: Uint8Array) =>
  createHash(algorithm).update(bytes).digest("hex");

/** The bytes of an IDX file of unsigned bytes. */
export function idxBytes(shape: readonly number[], data: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header[2] = 0x08;
  header[3] = shape.length;
  shape.forEach((size, i) => {
    header.writeUInt32BE(size, 4 + 4 * i);
  });
  return Buffer.concat([header, data]);
}

/** `count` CIFAR records with labels 0, 1, 2, 0, … and pixels made by a formula. */
export function cifarBytes(count: number, classes: number, salt: number): Buffer {
  const bytes = Buffer.alloc(count * 3073);
  for (let row = 0; row < count; row++) {
    bytes[row * 3073] = row % classes;
    for (let i = 1; i < 3073; i++) bytes[row * 3073 + i] = (row * 7 + i * 3 + salt) & 255;
  }
  return bytes;
}

export interface TinyDataset {
  readonly dataset: BuiltinDataset;
  /** The packed files, by name. */
  readonly files: Map<string, Buffer>;
}

/** Like Fashion-MNIST: gzipped IDX files, 8 × 8 pixels, `train` and `test` images. */
export function tinyIdxDataset(url: string, train = 60, test = 20): TinyDataset {
  const classes = ["coat", "bag", "boot"];
  const parts = {
    "train-images": idxBytes([train, 8, 8], pixels(train * 64, 1)),
    "train-labels": idxBytes([train], labels(train)),
    "test-images": idxBytes([test, 8, 8], pixels(test * 64, 2)),
    "test-labels": idxBytes([test], labels(test)),
  };
  const files = new Map<string, Buffer>();
  const artifacts = Object.entries(parts).map(([name, bytes]) => {
    const packed = gzipSync(bytes);
    files.set(`${name}.gz`, packed);
    const checksums: Checksum[] = [`md5:${hash("md5", packed)}`];
    return {
      packings: [{ file: `${name}.gz`, checksums }],
      url: `${url}/${name}.gz`,
      maxBytes: bytes.length + 4096,
      contents: [{ name, maxBytes: bytes.length, sha256: [hash("sha256", bytes)] }],
    };
  });
  const dataset: BuiltinDataset = {
    name: "tiny-idx",
    title: "Tiny IDX",
    classes,
    channels: 1,
    height: 8,
    width: 8,
    officialCounts: { train, test },
    artifacts,
    decode: (content) => ({
      train: idxImageSet(content("train-images"), content("train-labels"), classes),
      test: idxImageSet(content("test-images"), content("test-labels"), classes),
    }),
  };
  return { dataset, files };
}

/**
 * Like CIFAR-10: an official tar.gz of two batches and, under another name, a mirror's copy with the
 * first 6 of 12 test records.
 */
export function tinyTarDataset(url: string): TinyDataset {
  const classes = ["cat", "dog", "frog"];
  const train = cifarBytes(30, 3, 5);
  const test = cifarBytes(12, 3, 9);
  const part = test.subarray(0, 6 * 3073);
  const tarOf = (testBatch: Buffer) =>
    gzipSync(
      tinyTar([
        { path: "tiny/readme.html", bytes: Buffer.from("<p>hello</p>") },
        { path: "tiny/train.bin", bytes: train },
        { path: "tiny/test.bin", bytes: testBatch },
      ]),
    );
  const official = tarOf(test);
  const mirrored = tarOf(part);
  const dataset: BuiltinDataset = {
    name: "tiny-tar",
    title: "Tiny tar",
    classes,
    channels: 3,
    height: 32,
    width: 32,
    officialCounts: { train: 30, test: 12 },
    artifacts: [
      {
        packings: [
          { file: "tiny.tar.gz", checksums: [`md5:${hash("md5", official)}`] },
          { file: "tiny-part.tgz", checksums: [`sha256:${hash("sha256", mirrored)}`] },
        ],
        url: `${url}/tiny.tar.gz`,
        maxBytes: 1_000_000,
        contents: [
          { name: "train.bin", maxBytes: train.length, sha256: [hash("sha256", train)] },
          { name: "test.bin", maxBytes: test.length, sha256: [hash("sha256", part)] },
        ],
      },
    ],
    decode: (content) => ({
      train: cifarImageSet([content("train.bin")], classes),
      test: cifarImageSet([content("test.bin")], classes),
    }),
  };
  return {
    dataset,
    files: new Map([
      ["tiny.tar.gz", official],
      ["tiny-part.tgz", mirrored],
    ]),
  };
}

function pixels(count: number, salt: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => (i * 31 + salt * 17) & 255);
}

function labels(count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => i % 3);
}
