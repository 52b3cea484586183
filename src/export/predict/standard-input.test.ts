import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Readable } from "node:stream";
import { expect, it } from "vitest";
import { UsageError } from "../../errors.ts";
import { listImages } from "./list-images.ts";

const fixture = (name: string) =>
  readFileSync(resolve(import.meta.dirname, "../../../test/fixtures/images", name));

/** What `-` stands for where standard input comes in these chunks. */
async function listed(...chunks: (Buffer | string)[]) {
  const notes: string[] = [];
  const found: unknown[] = [];
  const stdin = Readable.from(chunks, { objectMode: false });
  for await (const image of listImages(["-"], stdin, (text) => notes.push(text))) found.push(image);
  return { found, notes };
}

it.each(["plain.jpg", "grey.png", "lossless.webp"])(
  "%s is an image, however it is cut",
  async (name) => {
    const bytes = fixture(name);
    const image = { name: "-", bytes };
    expect(await listed(bytes)).toEqual({ found: [image], notes: [] });
    const [one, two, rest] = [bytes.subarray(0, 1), bytes.subarray(1, 8), bytes.subarray(8)];
    expect(await listed(one, two, rest)).toEqual({ found: [image], notes: [] });
  },
);

it.each([
  ["names", ["a.jpg\n", "b/c.png\n"], ["a.jpg", "b/c.png"]],
  [
    "names of which chunks end anywhere, the last without an end",
    ["a.j", "pg\r\nb.", "png"],
    ["a.jpg", "b.png"],
  ],
  [
    "names that begin as images do",
    ["BMW.jpg\nGIF89a.gif\nP5\nRIFF\n"],
    ["BMW.jpg", "GIF89a.gif", "P5", "RIFF"],
  ],
  ["names that are not ASCII", ["höhe.jpg\n"], ["höhe.jpg"]],
  ["nothing", [], []],
])("%s stay names", async (_name, chunks, names) => {
  expect(await listed(...chunks)).toEqual({ found: names, notes: [] });
});

it("two images behind each other: the first one, and a note", async () => {
  const { found, notes } = await listed(fixture("plain.jpg"), fixture("grey.png"));
  expect(found).toHaveLength(1);
  expect(notes).toEqual([expect.stringContaining("more than one image")]);
});

it.each([
  ["a HEIC image", Buffer.from("\0\0\0\x18ftypheic\0\0\0\0", "latin1"), "HEIC data"],
  ["a zip archive", Buffer.from("PK\x03\x04\x14\0\0\0", "latin1"), "zip archive data"],
  ["names with zeros between them", Buffer.from("a.jpg\0b.jpg\0"), "binary data"],
])("%s is refused as what it is", async (_name, bytes, what) => {
  const error = await listed(bytes).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UsageError);
  expect((error as UsageError).message).toContain(`standard input is ${what}`);
  expect((error as UsageError).hint).toContain("not -print0");
});
