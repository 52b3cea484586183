import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UsageError } from "../../errors.ts";
import { listImageFolder } from "./image-folder.ts";
import type { Listing } from "./listing.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "thaw-folder-"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** Empty files: a listing goes by names alone. */
function files(...names: string[]): void {
  for (const name of names) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    if (!name.endsWith("/")) writeFileSync(join(root, name), "");
    else mkdirSync(join(root, name), { recursive: true });
  }
}
const names = ({ files }: Listing) => files.map(({ name }) => name);

test("a folder a class; classes and files by code point, as torchvision sorts", () => {
  // By UTF-16 unit 𐐷 (U+10437, D801) would come before ﬀ (U+FB00).
  files("b/2.jpg", "b/10.jpg", "a/1.PNG", "B/x.jpeg", "ﬀ/1.jpg", "𐐷/1.jpg", "a-b/1.webp");
  const listing = listImageFolder(root);
  expect(listing.classes).toEqual(["B", "a", "a-b", "b", "ﬀ", "𐐷"]);
  expect(names(listing)).toEqual([
    "B/x.jpeg",
    "a/1.PNG",
    "a-b/1.webp",
    "b/10.jpg",
    "b/2.jpg",
    "ﬀ/1.jpg",
    "𐐷/1.jpg",
  ]);
  expect(listing).toMatchObject({ hasSplits: false, notes: [], passedOver: [] });
});

test("torchvision's extensions, GIF and AVIF are images; others are counted and named", () => {
  const known = ["jpg", "jpeg", "png", "ppm", "bmp", "pgm", "tif", "tiff", "webp", "gif", "avif"];
  files(...known.map((extension) => `a/1.${extension}`), "a/readme.txt", "a/none", "b/1.jpg");
  const listing = listImageFolder(root);
  expect(listing.files).toHaveLength(known.length + 1);
  expect(listing.passedOver.map(({ name }) => name).sort()).toEqual(["a/none", "a/readme.txt"]);
  expect(listing.notes).toEqual(["2 files are not images: a/none, a/readme.txt"]);
});

test("hidden folders and files are passed over with a note", () => {
  files("a/1.jpg", "b/1.jpg", ".ipynb_checkpoints/1.jpg", "a/.ipynb_checkpoints/2.jpg");
  files("a/._1.jpg", "__MACOSX/a/1.jpg");
  const listing = listImageFolder(root);
  expect(listing.classes).toEqual(["a", "b"]);
  expect(names(listing)).toEqual(["a/1.jpg", "b/1.jpg"]);
  expect(listing.notes).toEqual([
    "hidden folders are ignored: .ipynb_checkpoints, __MACOSX",
    "1 file is not an image: a/._1.jpg",
  ]);
  expect(listing.passedOver[0]!.why).toBe("a hidden file");
});

test.each(["val", "valid", "validation", "Validation"])(
  "the validation folder may be called %s, and which one is said",
  (val) => {
    files("train/a/1.jpg", "train/b/1.jpg", `${val}/a/2.jpg`, "test/b/3.jpg");
    const listing = listImageFolder(root);
    expect(listing.hasSplits).toBe(true);
    expect(listing.files.map(({ className, split }) => `${split} ${className}`).sort()).toEqual([
      "test b",
      "train a",
      "train b",
      "val a",
    ]);
    expect(listing.notes).toEqual([`validation images are those in ${val}/`]);
  },
);

test("two validation folders are an error; folders beside the splits a warning", () => {
  files("train/a/1.jpg", "val/a/1.jpg", "other/a/1.jpg");
  expect(listImageFolder(root).notes).toContain(
    "warning: folders that are not used: other/ (1 image)",
  );
  files("valid/a/1.jpg");
  expect(() => listImageFolder(root)).toThrow("both val and valid could be the val split");
});

test("splits without training images are an error, one such folder alone is the data", () => {
  files("test/a/1.jpg", "test/b/1.jpg");
  expect(listImageFolder(root)).toMatchObject({ classes: ["a", "b"], hasSplits: false });
  files("val/a/1.jpg");
  expect(() => listImageFolder(root)).toThrow("has test and val, but no train folder");
});

test("a class may be called test", () => {
  files("test/1.jpg", "control/1.jpg");
  expect(listImageFolder(root)).toMatchObject({ classes: ["control", "test"], hasSplits: false });
});

test("a class without images is in the class list", () => {
  files("a/1.jpg", "empty/");
  expect(listImageFolder(root).classes).toEqual(["a", "empty"]);
});

test("a folder in a folder in a folder is found, and so are images below a class", () => {
  files("outer/inner/a/2024/1.jpg", "outer/inner/a/1.jpg", "outer/inner/b/1.jpg");
  const listing = listImageFolder(root);
  expect(listing.root).toBe(join(root, "outer/inner"));
  expect(names(listing)).toEqual(["a/1.jpg", "a/2024/1.jpg", "b/1.jpg"]);
});

test("links are followed, but not in circles; one that leads nowhere is passed over", () => {
  files("a/1.jpg", "b/1.jpg");
  symlinkSync("..", join(root, "a", "up"));
  symlinkSync("nothing", join(root, "b", "2.jpg"));
  symlinkSync("self.jpg", join(root, "b", "self.jpg"));
  symlinkSync("../a/1.jpg", join(root, "b", "3.jpg"));
  const listing = listImageFolder(root);
  expect(names(listing).filter((name) => name.startsWith("b/"))).toEqual(["b/1.jpg", "b/3.jpg"]);
  expect(names(listing).every((name) => name.split("/").length < 8)).toBe(true);
  expect(listing.passedOver.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["b/2.jpg", "b/self.jpg"]),
  );
});

const jpeg = Buffer.from("ffd8ffe000104a464946", "hex");
const heic = Buffer.from("00000018667479706865696300000000", "hex");

test("content decides what is an image where the name does not", () => {
  files("b/1.JPG");
  mkdirSync(join(root, "a"));
  for (const name of ["photo.jfif", "none", "1.txt", "2.jpg!large", "猫.jpe"]) {
    writeFileSync(join(root, "a", name), jpeg);
  }
  for (const name of ["3.heic", "4.HEIC", "5"]) writeFileSync(join(root, "a", name), heic);
  writeFileSync(join(root, "a", "notes.txt"), "BMW and others, in words");
  writeFileSync(join(root, "a", "parts.md"), "P1 is a part");
  const listing = listImageFolder(root);
  expect(names(listing)).toEqual([
    ...["a/1.txt", "a/2.jpg!large", "a/none", "a/photo.jfif", "a/猫.jpe"],
    "b/1.JPG",
  ]);
  expect(listing.notes).toEqual([
    "warning: 3 HEIC files are not used, because Thaw cannot decode the format (a/3.heic, a/4.HEIC, a/5): convert to JPEG or PNG",
    "2 files are not images: a/notes.txt, a/parts.md",
  ]);
  expect(Object.fromEntries(listing.passedOver.map(({ name, why }) => [name, why]))).toMatchObject({
    "a/5": "HEIC, which is not supported",
    "a/notes.txt": "not an image",
  });
});

test("loose images and other files are counted and named at every level", () => {
  files("LICENSE", "0.png", "all/train.csv", "all/1.png", "all/train/2.png", "all/test/notes.md");
  files("all/train/cat/1.png", "all/train/dog/1.png", "all/test/cat/1.png", ".gitignore");
  writeFileSync(join(root, "all/test/3.jfif"), jpeg);
  const { notes, files: used } = listImageFolder(root);
  expect(used).toHaveLength(3);
  expect(notes).toEqual([
    "warning: 4 images outside the class folders are not used (0.png, all/1.png, all/test/3.jfif, all/train/2.png): move them into a class's folder, list them in a CSV of path,label, or label them with `thaw predict`",
    "3 files are not images: LICENSE, all/test/notes.md, all/train.csv",
  ]);
});

test("images without class folders and an empty folder are wrong usage", () => {
  expect(() => listImageFolder(root)).toThrow("holds no folders of images");
  files("1.jpg", "2.jpg");
  expect(() => listImageFolder(root)).toThrow("holds 2 images, but no classes");
  expect(() => listImageFolder(root)).toThrow(UsageError);
});

test("names of one class in other letters are one class, with a note, in any split", () => {
  files("train/Cat/1.jpg", "train/dog/1.jpg", "val/cat/2.jpg", "val/dog/2.jpg", "test/CAT/3.jpg");
  files("train/Ba\u0308r/1.jpg", "val/B\u00e4r/2.jpg", "test/a/3.jpg", "train/A/1.jpg");
  const listing = listImageFolder(root);
  expect(listing.classes).toEqual(["A", "B\u00e4r", "CAT", "a", "dog"]);
  expect(listing.notes.join("\n")).toContain('"CAT" and "Cat" and "cat" are treated as one class');
  expect(listing.notes.join("\n")).toContain(
    "(U+0042 U+0061 U+0308 U+0072) are treated as one class",
  );
});

test.skipIf(process.platform !== "linux")(
  "names that are no UTF-8 are refused by their bytes",
  () => {
    files("a/1.jpg", "b/1.jpg");
    const bytes = (text: string) => Buffer.from(join(root, text), "latin1");
    mkdirSync(bytes("B\u00e4r"));
    mkdirSync(bytes("B\u00f6r"));
    expect(() => listImageFolder(root)).toThrow(/: the name B\\x(e4|f6)r is not valid UTF-8/);
    rmSync(bytes("B\u00e4r"), { recursive: true });
    rmSync(bytes("B\u00f6r"), { recursive: true });
    writeFileSync(bytes("a/caf\u00e9.jpg"), "");
    expect(() => listImageFolder(root)).toThrow("the name caf\\xe9.jpg is not valid UTF-8");
  },
);
