import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeTiny, writeTinyFolder } from "../../../test/support/tiny-images.ts";
import { ThawError, UsageError } from "../../errors.ts";
import { type DatasetSpec, openDataset } from "../datasets/open.ts";
import type { DatasetSplits } from "../imageset.ts";

const formats = resolve(import.meta.dirname, "../../../test/fixtures/images/formats");

let root: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "thaw-check-"));
  const size = { width: 80, height: 70, extension: "jpg" };
  await writeTinyFolder(join(root, "photos/train"), { cat: 14, dog: 14 }, size);
  await writeTinyFolder(join(root, "photos/val"), { cat: 3, dog: 3 }, { ...size, seed: 50 });
  await writeTinyFolder(join(root, "photos/test"), { cat: 3, dog: 3 }, { ...size, seed: 70 });
});
afterAll(() => rmSync(root, { recursive: true }));

let copies = 0;
/** A copy of the photographs that a test may spoil, and a way to open it. */
function photographs() {
  const folder = join(root, `copy-${++copies}`);
  cpSync(join(root, "photos"), folder, { recursive: true });
  const open = (spec: Partial<DatasetSpec> = {}) =>
    openDataset({ seed: 42, cache: join(root, "cache"), data: folder, ...spec });
  const fails = async (spec: Partial<DatasetSpec> = {}): Promise<ThawError> => {
    const error = await open(spec).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(ThawError);
    return error;
  };
  return { open, fails, at: (name: string) => join(folder, name) };
}
const cut = (path: string) => truncateSync(path, Math.floor(statSync(path).size / 2));
const sizes = ({ train, val, test }: DatasetSplits) => [train.count, val.count, test.count];

describe("images that cannot be used", () => {
  it("are all named before anything is trained, in whatever split they are", async () => {
    const { fails, at } = photographs();
    cut(at("test/dog/1.jpg"));
    writeFileSync(at("train/cat/3.jpg"), "");
    writeFileSync(at("val/cat/0.jpg"), "<html>404 not found</html>");
    const png = await encodeTiny({ width: 80, height: 70, seed: 5 }, "png");
    writeFileSync(at("train/dog/2.jpg"), png.subarray(0, png.length - 12));
    const { message, hint } = await fails();
    expect(message.split("\n")).toEqual([
      "4 of 40 images cannot be used:",
      "train/cat/3.jpg: cannot be decoded: the file is empty",
      "train/dog/2.jpg: cannot be decoded: the file is cut short",
      "val/cat/0.jpg: this is HTML or XML",
      "test/dog/1.jpg: cannot be decoded: the file is cut short",
    ]);
    expect(hint).toContain("thaw data prepare");
    expect(hint).toContain("--on-bad-image skip");
  });

  it("are named up to ten, and counted", async () => {
    const { fails, at } = photographs();
    for (let i = 0; i < 14; i++) cut(at(`train/cat/${i}.jpg`));
    const { message } = await fails();
    expect(message.split("\n")).toHaveLength(12);
    expect(message).toMatch(/^14 of 40 images/);
    expect(message).toMatch(/\nand 4 more$/);
  });

  it("are left out where that is asked for, which is said and recorded", async () => {
    const { open, at } = photographs();
    cut(at("test/dog/1.jpg"));
    cut(at("train/cat/3.jpg"));
    const data = await open({ onBadImage: "skip" });
    expect(sizes(data)).toEqual([27, 6, 5]);
    expect(data.unusable).toEqual([
      {
        file: "train/cat/3.jpg",
        split: "train",
        reason: "cannot be decoded: the file is cut short",
      },
      { file: "test/dog/1.jpg", split: "test", reason: "cannot be decoded: the file is cut short" },
    ]);
    expect(data.notes.filter((note) => note.includes("left out"))).toEqual([
      "warning: 2 images cannot be used and are left out (1 training, 1 test): train/cat/3.jpg (cannot be decoded: the file is cut short), test/dog/1.jpg (cannot be decoded: the file is cut short)",
    ]);
    if (data.kind !== "files") throw new Error("in memory");
    expect(data.test.files).not.toContain(at("test/dog/1.jpg"));
    expect(data.test.labels).toHaveLength(5);
    const whole = await photographs().open({ onBadImage: "skip" });
    expect([sizes(whole), whole.unusable]).toEqual([[28, 6, 6], undefined]);
  });

  it("are refused all the same where they are more than a tenth", async () => {
    const { fails, at } = photographs();
    for (let i = 0; i < 5; i++) cut(at(`train/cat/${i}.jpg`));
    const { message, hint } = await fails({ onBadImage: "skip" });
    expect(message).toMatch(/^5 of 40 images \(12.5 %\) cannot be used:/);
    expect(hint).toContain("10 % at most");
  });

  it("a class that has lost all its training images by it is named", async () => {
    const { fails, at } = photographs();
    rmSync(at("train/cat"), { recursive: true });
    mkdirSync(at("train/cat"));
    writeFileSync(at("train/cat/0.jpg"), "text");
    expect((await fails({ onBadImage: "skip" })).message).toContain(
      "no training image, but validation or test images, of: cat",
    );
  });

  it("do not matter where they are not read", async () => {
    const { open, fails, at } = photographs();
    cut(at("train/dog/1.jpg"));
    expect(sizes(await open({ reads: ["test"] }))).toEqual([28, 6, 6]);
    await fails({ reads: ["train"] });
  });

  it("many files are looked at in threads, with the same result", async () => {
    const { fails, at } = photographs();
    for (const split of ["train", "val"]) {
      const folder = at(`${split}/cat`);
      for (const name of readdirSync(folder)) {
        copyFileSync(join(folder, name), join(folder, `again-${name}`));
      }
    }
    cut(at("train/cat/again-5.jpg"));
    const { message } = await fails();
    expect(message).toBe(
      "1 of 57 images cannot be used:\ntrain/cat/again-5.jpg: cannot be decoded: the file is cut short",
    );
  });

  it("that the system does not let anybody read are named too", async ({ skip }) => {
    skip(process.getuid?.() === 0, "root may read everything");
    const { fails, at } = photographs();
    chmodSync(at("val/dog/0.jpg"), 0);
    expect((await fails()).message).toMatch(/val\/dog\/0.jpg: cannot be read: .*permission/i);
  });
});

describe("what was found good", () => {
  it("is remembered by path, size and time, and looked at again where one of them changed", async () => {
    const { open, fails, at } = photographs();
    const path = at("val/dog/2.jpg");
    const time = new Date(1_700_000_000_000);
    utimesSync(path, time, time);
    await open();
    const { size } = statSync(path);
    // The same size and time: nothing tells that it is another file.
    writeFileSync(path, Buffer.alloc(size));
    utimesSync(path, time, time);
    expect(sizes(await open())).toEqual([28, 6, 6]);
    utimesSync(path, time, new Date(time.getTime() + 5000));
    expect((await fails()).message).toContain("val/dog/2.jpg: this is not an image");
    // What was damaged is looked at again even so.
    copyFileSync(at("val/dog/1.jpg"), path);
    await open();
  });

  it("a damaged cache is no obstacle", async () => {
    const { open } = photographs();
    const cache = join(root, "own-cache");
    await open({ cache });
    const folder = join(cache, "checked");
    const [file] = readdirSync(folder);
    const path = join(folder, file!);
    const text = readFileSync(path, "utf8");
    writeFileSync(path, `${text.slice(0, 300)}\n{"a": 1}\n["x", 3]\n\0\n`);
    expect(sizes(await open({ cache }))).toEqual([28, 6, 6]);
    rmSync(folder, { recursive: true });
    // A file where the folder should be: nothing can be remembered.
    writeFileSync(folder, "");
    expect(sizes(await open({ cache }))).toEqual([28, 6, 6]);
    expect(existsSync(join(folder, file!))).toBe(false);
  });
});

describe("what nothing can be learned from", () => {
  const spoil = async (how: (i: number) => Promise<Buffer>, names: (i: number) => string) => {
    const { fails, at } = photographs();
    for (const split of ["train", "val", "test"]) {
      rmSync(at(split), { recursive: true });
      for (const name of ["cat", "dog"]) mkdirSync(at(`${split}/${name}`), { recursive: true });
    }
    for (let i = 0; i < 8; i++)
      writeFileSync(at(`train/${i % 2 ? "cat" : "dog"}/${names(i)}`), await how(i));
    for (const name of ["cat", "dog"]) {
      for (const split of ["val", "test"]) {
        copyFileSync(join(root, `photos/${split}/${name}/0.jpg`), at(`${split}/${name}/0.jpg`));
      }
    }
    return fails();
  };
  const black = (width: number) =>
    sharp({ create: { width, height: 70, channels: 3, background: "black" } });

  it("training images that are all black, of whatever size and format", async () => {
    const error = await spoil(
      (i) => (i % 2 ? black(80 + i).png() : black(90).jpeg()).toBuffer(),
      (i) => `${i}.jpg`,
    );
    expect(error.message).toBe(
      "all 8 training images are a single colour (RGB 0, 0, 0): nothing can be learned",
    );
  });

  it("training images that are copies of one", async () => {
    const one = await encodeTiny({ width: 80, height: 70, seed: 3 }, "jpeg");
    const error = await spoil(
      async () => one,
      (i) => `${i}.jpg`,
    );
    expect(error.message).toBe("all 8 training images are identical: nothing can be learned");
  });
});

describe("images of 16 bits", () => {
  /** Photographs of which some are a fixture's file. */
  const withFixture = (fixture: string, names: readonly string[]) => {
    const own = photographs();
    for (const name of names) copyFileSync(join(formats, fixture), own.at(name));
    return own;
  };
  const some = ["train/cat/0.jpg", "train/dog/0.jpg", "test/cat/0.jpg"];

  it("that use few of their values are told of, with the range to give", async () => {
    const { open } = withFixture("twelve-of-16.tif", some);
    expect((await open()).notes).toContain(
      "warning: the values of 3 16-bit images only go up to 3797 of 65535, which uses 15 of 256 grey levels: if 4095 is white, use --pixel-range 0,4095",
    );
    expect((await open({ pixelRange: [0, 4095] })).notes.join()).not.toContain("16-bit");
    for (const fine of ["twelve-of-16-said.tif", "grey-16.tif"]) {
      expect((await withFixture(fine, some).open()).notes.join()).not.toContain("16-bit");
    }
  });

  it("a range is another data set, and is kept with it", async () => {
    const { open } = withFixture("twelve-of-16.tif", some);
    const [plain, ranged] = [await open(), await open({ pixelRange: [0, 4095] })];
    expect(ranged.fingerprint).not.toBe(plain.fingerprint);
    for (const split of ["train", "val", "test"] as const) {
      expect(ranged[split].pixelRange).toEqual([0, 4095]);
    }
  });

  it("signed samples without a range are named, with what to give", async () => {
    const { open, fails } = withFixture("signed-16.tif", some);
    const { message, hint } = await fails();
    expect(message).toContain("train/cat/0.jpg: its samples are 16-bit signed integers");
    expect(hint).toMatch(/^set them for all images with --pixel-range BLACK,WHITE/);
    expect(sizes(await open({ pixelRange: [-32768, 32767] }))).toEqual([28, 6, 6]);
  });

  it("a range that no image needs is refused in training", async () => {
    const { fails, open } = photographs();
    const error = await fails({ pixelRange: [0, 4095] });
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toContain("no image has more than 8 bits per sample");
    await open({ pixelRange: [0, 4095], reads: ["test"] });
  });

  it("pages beside the first are told of", async () => {
    const { open } = withFixture("two-pages.tif", some);
    expect((await open()).notes).toContain(
      "warning: only the first page is used of 3 TIFF files with several pages",
    );
  });
});
