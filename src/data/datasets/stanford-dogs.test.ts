import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tinyTar } from "../../../test/support/tiny-tar.ts";
import { DamagedFileError } from "../formats/damaged.ts";
import type { Artifact } from "./registry.ts";
import { listDogs } from "./stanford-dogs.ts";

const fixtures = resolve(import.meta.dirname, "../../../test/fixtures/mat");
const expected = JSON.parse(readFileSync(join(fixtures, "expected.json"), "utf8")) as Record<
  "train" | "test",
  string[]
>;

let mirror: string;
beforeEach(() => {
  mirror = mkdtempSync(join(tmpdir(), "thaw-dogs-"));
});
afterEach(() => rmSync(mirror, { recursive: true }));

/** Puts an archive into the mirror, or only says what it would be. */
function artifact(file: string, bytes: Buffer, written = true): Artifact {
  if (written) writeFileSync(join(mirror, file), bytes);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const packings = [{ file, checksums: [`sha256:${sha256}` as const] }];
  return { packings, maxBytes: 1e6, contents: [] };
}

const dogs = [...expected.train, ...expected.test.slice(0, 2), "n02088364-beagle/unlisted.jpg"];
const imagesTar = tinyTar(
  dogs.map((name) => ({ path: `Images/${name}`, bytes: Buffer.from("x") })),
);
const mat = (name: string) => ({ path: name, bytes: readFileSync(join(fixtures, name)) });
const listsTar = (...names: string[]) => tinyTar(names.map(mat));

const list = (lists: Artifact) =>
  listDogs(
    { images: artifact("images.tar", imagesTar), lists },
    { mirror, cache: join(mirror, "cache"), cacheFolder: join(mirror, "cache", "dogs") },
  );

test("the authors' lists beside the images say which image is in which split", async () => {
  const { files, classes, notes, hasSplits } = await list(
    artifact("lists.tar", listsTar("train_list.mat", "test_list.mat")),
  );
  expect(hasSplits).toBe(true);
  expect(classes).toEqual(["Chihuahua", "beagle"]);
  const of = (split: string) =>
    files.filter((file) => file.split === split).map(({ name }) => name);
  expect(of("train")).toEqual([...expected.train].sort());
  expect(of("test")).toEqual(expected.test.slice(0, 2));
  expect(notes).toContain("split by the authors' lists: 3 training and 2 test images");
  expect(notes).toContain("warning: 1 images in neither list are left out");
});

test("without them nothing is split, which is said", async () => {
  const { files, notes, hasSplits } = await list(artifact("lists.tar", listsTar(), false));
  expect([files.length, hasSplits]).toEqual([6, false]);
  expect(notes).toContain("lists.tar is not there: not split by the authors' lists");
});

test("lists that are damaged or not whole are an error", async () => {
  const lists = artifact("lists.tar", listsTar("train_list.mat", "test_list.mat"));
  writeFileSync(join(mirror, "lists.tar"), "something else");
  await expect(list(lists)).rejects.toThrow(/lists\.tar is damaged, or not the file that is meant/);
  const half = list(artifact("lists.tar", listsTar("train_list.mat")));
  await expect(half).rejects.toThrow(DamagedFileError);
  await expect(half).rejects.toThrow(/lists\.tar: test_list\.mat not in it/);
});
