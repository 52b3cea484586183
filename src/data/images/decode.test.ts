import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { extract } from "tar";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { turboJpeg } from "../../tensor/index.ts";
import { DamagedFileError } from "../formats/damaged.ts";
import { decodeBySharp, REFUSED_LOADERS, USED_LOADERS } from "./by-sharp.ts";
import {
  type DecodedImage,
  decodeImage,
  decodeJpegSync,
  MAX_PIXELS,
  PixelBuffer,
} from "./decode.ts";
import { hasEndOfImage, jpegOrientation } from "./jpeg-markers.ts";

/** What Pillow says of a file: test/oracle/pillow_decode.py. */
interface Expected {
  readonly size?: readonly [number, number];
  readonly mode?: string;
  readonly mean?: number;
  readonly samples?: readonly number[];
  readonly error?: string;
}

const fixtures = resolve(import.meta.dirname, "../../../test/fixtures/images");
const { own, nasty } = JSON.parse(readFileSync(join(fixtures, "decode.json"), "utf8")) as {
  own: Record<string, Expected>;
  nasty: Record<string, Expected>;
};
const read = (name: string): Uint8Array => readFileSync(join(fixtures, name));

/** Largest difference at the fixture's places, of 255. */
function difference({ pixels, width, height }: DecodedImage, expected: Expected): number {
  expect([width, height]).toEqual(expected.size);
  expect(pixels.length).toBe(width * height * 3);
  const mean = pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
  expect(Math.abs(mean - expected.mean!)).toBeLessThan(0.5);
  const samples = expected.samples!;
  const places = samples.map((_, i) => Math.floor(((i + 0.5) * pixels.length) / samples.length));
  return Math.max(...places.map((place, i) => Math.abs(pixels[place]! - samples[i]!)));
}

/** Formats that Thaw names and refuses, whatever Pillow makes of them. */
const refused = /\.(ico|jp2|heif)$/;

describe("images made by Pillow", () => {
  it.each(Object.entries(own))("%s", async (name, expected) => {
    const decoding = decodeImage(read(name), name);
    if (expected.error !== undefined || refused.test(name)) {
      const error = await decoding.catch((thrown) => thrown);
      expect(error).toBeInstanceOf(DamagedFileError);
      expect(error.message).toContain(name);
      return;
    }
    const image = await decoding;
    expect(difference(image, expected)).toBeLessThanOrEqual(1);
    const { mode } = image;
    // Pillow opens both as wider modes, or as one of one bit.
    const ours = { I: "I;16", 1: "L" }[expected.mode!] ?? expected.mode;
    expect(mode).toBe(ours);
  });

  it("JPEG by libturbojpeg is Pillow's to the last bit: both are libjpeg-turbo", ({ skip }) => {
    skip(turboJpeg() === undefined, "the addon was compiled without libturbojpeg");
    for (const name of ["plain.jpg", "444.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg"]) {
      expect(difference(decodeJpegSync(read(name), name), own[name]!)).toBe(0);
    }
  });

  it.each(["plain.jpg", "grey.jpg", "cmyk.jpg", "exif-6.jpg"])(
    "%s by sharp, the fallback",
    async (name) => {
      const image = await decodeBySharp(read(name), "jpeg", name, { maxPixels: MAX_PIXELS });
      // Another libjpeg, with another way to make colour planes larger.
      expect(difference(image, own[name]!)).toBeLessThanOrEqual(name === "cmyk.jpg" ? 3 : 2);
      await expect(
        decodeBySharp(read("cut.jpg"), "jpeg", "cut.jpg", { maxPixels: MAX_PIXELS }),
      ).rejects.toThrow(/^cut.jpg: cannot be decoded/);
    },
  );

  it("says what a file is that is no image", async () => {
    const message = async (name: string) =>
      (await decodeImage(read(name), name).catch((error) => error)).message;
    expect(await message("text.jpg")).toBe("text.jpg: this is not an image");
    expect(await message("empty.jpg")).toBe("empty.jpg: cannot be decoded: the file is empty");
    expect(await message("cut.jpg")).toBe("cut.jpg: cannot be decoded: the file is cut short");
  });

  it("refuses more pixels than allowed, before it decodes them", async () => {
    for (const name of ["plain.jpg", "grey.png", "lossless.webp", "frames.gif"]) {
      const decoding = decodeImage(read(name), name, { maxPixels: 850 });
      await expect(decoding).rejects.toThrow(`${name}: 37 × 23 pixels; at most 850`);
    }
  });
});

describe("libvips", () => {
  const root = resolve(import.meta.dirname, "../../../node_modules/@img");
  const builds = readdirSync(root).filter((name) => name.startsWith("sharp-libvips-"));
  const libraries = builds.flatMap((build) =>
    readdirSync(join(root, build, "lib"))
      .filter((name) => /^libvips-cpp\..*(so|dylib)/.test(name))
      .map((name) => join(root, build, "lib", name)),
  );

  it.each(libraries)("has no loader that is neither used nor refused", (library) => {
    const names = readFileSync(library, "latin1").matchAll(/\0VipsForeignLoad([A-Z]\w*?)\0/g);
    const formats = new Set(
      [...names].map(([, name]) => name!.replace(/(Buffer|File|Source)$/, "")),
    );
    expect([...formats]).toEqual(expect.arrayContaining([...USED_LOADERS]));
    const known: readonly string[] = [...USED_LOADERS, ...REFUSED_LOADERS];
    expect([...formats].filter((name) => !known.includes(name))).toEqual([]);
  });

  it("never refuses, for another thread's sake either, what is used", async () => {
    const { default: sharp } = await import("sharp");
    const block = vi.spyOn(sharp, "block");
    vi.resetModules();
    const again = await import("./by-sharp.ts");
    await again.decodeBySharp(read("grey.png"), "png", "grey.png", { maxPixels: MAX_PIXELS });
    const blocked = block.mock.calls.flatMap(([{ operation }]) => operation);
    expect(blocked).toContain("VipsForeignLoadSvg");
    const parents = ["VipsObject", "VipsOperation", "VipsForeign", "VipsForeignLoad"];
    const used = USED_LOADERS.map((name) => `VipsForeignLoad${name}`);
    const harmful = [...parents, ...used, ...used.map((name) => `${name}Buffer`)];
    expect(blocked.filter((name) => harmful.includes(name))).toEqual([]);
  });
});

describe("JPEG", () => {
  const bytes = read("plain.jpg");

  it("reduced while decoding stays at least as large as asked", ({ skip }) => {
    skip(turboJpeg() === undefined, "the addon was compiled without libturbojpeg");
    const size = (atLeast: [number, number], of = bytes) => {
      const { width, height } = decodeJpegSync(of, "x", { atLeast });
      return [width, height];
    };
    expect(size([37, 23])).toEqual([37, 23]);
    expect(size([19, 12])).toEqual([19, 12]);
    expect(size([20, 12])).toEqual([37, 23]);
    expect(size([10, 6])).toEqual([10, 6]);
    expect(size([1, 1])).toEqual([5, 3]);
    // Turned by EXIF, the sides are the upright picture's.
    expect(size([12, 19], read("exif-6.jpg"))).toEqual([12, 19]);
  });

  it("into memory that is used again", ({ skip }) => {
    skip(turboJpeg() === undefined, "the addon was compiled without libturbojpeg");
    const scratch = new PixelBuffer();
    const first = decodeJpegSync(bytes, "x", { scratch }).pixels;
    const second = decodeJpegSync(bytes, "x", { scratch }).pixels;
    expect(second.buffer).toBe(first.buffer);
    expect([...second]).toEqual([...decodeJpegSync(bytes, "x").pixels]);
  });

  it("cut anywhere, or with a byte changed, is decoded or refused, never a crash", async () => {
    for (let length = 0; length < bytes.length; length += 5) {
      await expect(decodeImage(bytes.subarray(0, length), "x")).rejects.toThrow(/^x: /);
    }
    const outcomes = new Set<string>();
    for (let at = 0; at < bytes.length; at++) {
      const changed = Uint8Array.from(bytes);
      changed[at]! ^= 1 << (at % 8);
      const result = await decodeImage(changed, "x", { maxPixels: 1e6 }).catch((error) => error);
      outcomes.add(result instanceof Error ? "refused" : "decoded");
      if (result instanceof Error) expect(result.message).toMatch(/^x: /);
    }
    expect(outcomes).toEqual(new Set(["refused", "decoded"]));
  });

  it("markers: orientation and end, in whole and in damaged files", () => {
    expect(jpegOrientation(bytes)).toBe(1);
    for (let value = 2; value <= 8; value++) {
      const turned = read(`exif-${value}.jpg`);
      expect(jpegOrientation(turned)).toBe(value);
      for (let end = 0; end < 60; end++) jpegOrientation(turned.subarray(0, end));
    }
    expect([hasEndOfImage(bytes), hasEndOfImage(read("cut.jpg"))]).toEqual([true, false]);
    expect(hasEndOfImage(read("progressive.jpg"))).toBe(true);
  });
});

const folder =
  process.env["THAW_MIRROR"] ?? resolve(import.meta.dirname, "../../../../shared/data");
const archive = join(folder, "nasty-images.tar.gz");

describe.skipIf(!existsSync(archive))("every file of nasty-images.tar.gz", () => {
  let temporary = "";
  beforeAll(async () => {
    temporary = await mkdtemp(join(tmpdir(), "thaw-nasty-"));
    await extract({ file: archive, cwd: temporary, strip: 1 });
  });
  afterAll(() => rm(temporary, { recursive: true, force: true }));

  /** What Pillow refuses and Thaw reads, for Pillow 9.4 has no AVIF; and the reverse. */
  const otherwise: Readonly<Record<string, "decoded" | "refused">> = {
    "other-formats/hopper.avif": "decoded",
    "other-formats/rot1mir0.avif": "decoded",
    "other-formats/transparency.avif": "decoded",
    // Its runs lead out of the picture.
    "broken/badrle.bmp": "refused",
  };

  it("is decoded as Pillow does, or refused with a reason that names it", async () => {
    const wrong: string[] = [];
    for (const [name, expected] of Object.entries(nasty)) {
      const bytes = readFileSync(join(temporary, name));
      const result = await decodeImage(bytes, name).catch((error: unknown) => error);
      const refuses = refused.test(name) || expected.error !== undefined;
      const wanted = otherwise[name] ?? (refuses ? "refused" : "decoded");
      if (result instanceof Error) {
        if (wanted !== "refused" || !result.message.startsWith(`${name}: `)) {
          wrong.push(result.message);
        }
      } else if (wanted === "refused") wrong.push(`${name} was decoded`);
      else if (expected.samples !== undefined) {
        const most = difference(result as DecodedImage, expected);
        if (most > 1) wrong.push(`${name} differs by ${most}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(Object.keys(nasty).length).toBe(112);
  });
});

if (!existsSync(archive)) console.warn(`nasty-images are not tested: no ${archive}`);
