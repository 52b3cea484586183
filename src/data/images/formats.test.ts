import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { ThawError } from "../../errors.ts";
import { turboJpeg } from "../../tensor/index.ts";
import { decodeImage } from "./decode.ts";

/** What Pillow says of a file: test/oracle/pillow_formats.py. */
interface Expected {
  readonly size?: readonly [number, number];
  readonly mode?: string;
  readonly pixels?: string;
  readonly error?: string;
}

const fixtures = resolve(import.meta.dirname, "../../../test/fixtures/images/formats");
const { files } = JSON.parse(readFileSync(join(fixtures, "formats.json"), "utf8")) as {
  files: Record<string, Expected>;
};
const read = (name: string): Uint8Array => readFileSync(join(fixtures, name));
const decode = (name: string, pixelRange?: readonly [number, number]) =>
  decodeImage(read(name), name, { pixelRange });

/** Thaw scales these by what the file says, or asks for a range; Pillow cuts bits off or does nothing. */
const notAsPillow = new Set([
  ...["twelve-of-16-said.tif", "twelve-of-16-said-by-341.tif"],
  ...["signed-16.tif", "float.tif", "grey-32.tif", "twelve-bits.tif"],
]);
/** Pillow rounds halves to even, and 16 bits of colour where it cuts those of grey off; transparency is taken out and put back. */
const nearly = new Set(["associated-alpha.tif", "p2-hundred.pgm", "p5-hundred.pgm", "p6-16.ppm"]);

describe("TIFF, BMP and Netpbm as Pillow decodes them", () => {
  it.each(Object.entries(files).filter(([name]) => !notAsPillow.has(name)))(
    "%s",
    async (name, expected) => {
      if (expected.error !== undefined) {
        const error = await decode(name).catch((thrown) => thrown);
        expect(error).toBeInstanceOf(ThawError);
        expect(error.message.startsWith(`${name}: `)).toBe(true);
        return;
      }
      const { pixels, width, height, mode } = await decode(name);
      expect([[width, height], mode]).toEqual([expected.size, expected.mode!.replace("16B", "16")]);
      const wanted = Buffer.from(expected.pixels!, "base64");
      expect(pixels.length).toBe(wanted.length);
      const most = Math.max(...wanted.map((value, i) => Math.abs(pixels[i]! - value)));
      expect(most).toBeLessThanOrEqual(nearly.has(name) ? 1 : 0);
    },
  );
});

describe("BMP", () => {
  const bmp = read("rle8.bmp");
  /** Run-length codes of 4 or 8 bits a pixel under the fixture's header: 13 × 7 pixels and 16 colours. */
  const encoded = (codes: readonly number[], bits: 4 | 8) => {
    const header = Buffer.from(bmp.subarray(0, 14 + 40 + 64));
    header.writeUInt16LE(bits, 28);
    header.writeUInt32LE(bits === 8 ? 1 : 2, 30);
    return Buffer.concat([header, Uint8Array.from(codes)]);
  };
  const palette = (index: number) => [8 * index, 255 - 16 * index, 17 * index];

  it("leaps, and absolute parts of an odd number of half bytes, as the format has them", async () => {
    const rest = Array.from({ length: 5 }, () => [13, 1, 0, 0]).flat();
    const leap = await decodeImage(encoded([2, 3, 0, 2, 4, 1, 3, 5, 0, 0, ...rest], 8), "x");
    const at = (x: number, y: number) => [
      ...leap.pixels.subarray(3 * (13 * y + x), 3 * (13 * y + x) + 3),
    ];
    // The first row is the lowest; 2 pixels, then 4 to the right in the row above.
    expect([at(1, 6), at(2, 6), at(5, 5), at(6, 5), at(8, 5), at(9, 5)]).toEqual(
      [3, 0, 0, 5, 5, 0].map(palette),
    );
    const seven = Array.from({ length: 7 }, () => [
      0, 5, 0x12, 0x34, 0x50, 0, 8, 0x99, 0, 0,
    ]).flat();
    const odd = await decodeImage(encoded(seven, 4), "x");
    const row = Array.from({ length: 13 }, (_, x) => [...odd.pixels.subarray(3 * x, 3 * x + 3)]);
    expect(row).toEqual([1, 2, 3, 4, 5, 9, 9, 9, 9, 9, 9, 9, 9].map(palette));
  });

  it("with codes at random is decoded or refused", async () => {
    const random = xorshift(7);
    for (let round = 0; round < 300; round++) {
      const codes = Array.from({ length: 60 }, () => random() % 256);
      const outcome = await decodeImage(encoded(codes, round % 2 ? 8 : 4), "x").catch((e) => e);
      if (outcome instanceof Error) expect(outcome.message).toMatch(/^x: /);
      else expect(outcome.pixels.length).toBe(13 * 7 * 3);
    }
  });
});

describe("16 bits and more", () => {
  const grey = Buffer.from(files["grey.tif"]!.pixels!, "base64");

  it("are scaled by the range that a file names", async () => {
    for (const name of ["twelve-of-16-said.tif", "twelve-of-16-said-by-341.tif", "p5-twelve.pgm"]) {
      const { pixels, depth } = await decode(name);
      // Of 12 bits the lower four are cut off, which is the image of 8 bits that they were made from.
      expect([...pixels]).toEqual([...grey]);
      expect(depth).toMatchObject({ kind: "unsigned", bits: 16, range: [0, 4095], from: "file" });
    }
  });

  it("not by the brightest pixel of each file, which would give every image a scale of its own", async () => {
    const { depth } = await decode("brightest-said.tif");
    expect(depth).toMatchObject({ range: [0, 65535], from: "type" });
    expect(depth!.most).toBeLessThan(4096);
  });

  it("are scaled by the range that is given, before any other", async () => {
    for (const name of ["twelve-of-16.tif", "twelve-of-16-said.tif", "brightest-said.tif"]) {
      expect([...(await decode(name, [0, 4095])).pixels]).toEqual([...grey]);
    }
    const half = await decode("twelve-of-16.tif", [0, 2000]);
    const expected = [...grey].map((value) =>
      Math.min(255, Math.round(((16 * value + 5) / 2000) * 255)),
    );
    expect([...half.pixels]).toEqual(expected);
    // Files of 8 bits stay as they are.
    expect([...(await decode("grey.tif", [0, 4095])).pixels]).toEqual([...grey]);
  });

  it("signed, floating-point and 32-bit samples need a range, and are refused without one", async () => {
    const ranges = {
      "signed-16.tif": [-32768, 32767],
      "float.tif": [0, 1],
      "grey-32.tif": [0, 255000],
    } as const;
    for (const [name, range] of Object.entries(ranges)) {
      const error = (await decode(name).catch((thrown) => thrown)) as ThawError;
      expect(error).toBeInstanceOf(ThawError);
      expect(error.message).toMatch(/nothing says which values are black and white/);
      expect(error.hint).toContain("--pixel-range");
      const { pixels } = await decode(name, range);
      const most = Math.max(...grey.map((value, i) => Math.abs(pixels[i]! - value)));
      expect(most).toBeLessThanOrEqual(1);
    }
    const { pixels, depth } = await decode("float-rgb.tif", [0, 1]);
    expect([...pixels]).toEqual([...Buffer.from(files["rgb.tif"]!.pixels!, "base64")]);
    expect(depth).toMatchObject({ kind: "float", bits: 32, from: "given" });
    expect((await decode("signed-16.tif").catch((e) => e)).message).toContain("(-29107 to 27981)");
    expect((await decode("twelve-bits.tif").catch((e) => e)).message).toContain(
      "samples of 12 bits",
    );
  });

  it("to look at an image, its own darkest and brightest value are a range", async () => {
    const look = (name: string) => decodeImage(read(name), name, { pixelRange: "extent" });
    const { pixels, depth } = await look("signed-16.tif");
    expect([Math.min(...pixels), Math.max(...pixels)]).toEqual([0, 255]);
    expect(depth).toMatchObject({ range: [-29107, 27981], from: "extent" });
    expect((await look("twelve-of-16.tif")).depth).toMatchObject({ from: "type" });
    const flat = await decodeImage(constantFloats(), "x", { pixelRange: "extent" });
    expect(new Set(flat.pixels)).toEqual(new Set([0]));
  });

  it("sBIT of a PNG: samples that were scaled as the format asks stay, others are scaled", async () => {
    const twelve = Uint16Array.from({ length: 64 }, (_, i) => i * 65);
    const png = async (values: Uint16Array, bits?: number) => {
      const plain = await sharp(values, { raw: { width: 8, height: 8, channels: 1 } })
        .toColourspace("grey16")
        .png()
        .toBuffer();
      return bits === undefined ? plain : withChunk(plain, "sBIT", Uint8Array.of(bits));
    };
    const pixelsOf = async (bytes: Uint8Array) => {
      const { pixels, depth } = await decodeImage(bytes, "x.png");
      return { levels: [...pixels].filter((_, i) => i % 3 === 0), depth };
    };
    const wanted = [...twelve].map((value) => value >> 4);
    const low = await pixelsOf(await png(twelve, 12));
    expect(low).toMatchObject({ levels: wanted, depth: { range: [0, 4095], from: "file" } });
    const repeated = twelve.map((value) => (value << 4) | (value >> 8));
    const scaled = await pixelsOf(await png(repeated, 12));
    expect(scaled).toMatchObject({ levels: wanted, depth: { range: [0, 65535], from: "type" } });
    const dark = await pixelsOf(
      await png(
        twelve.map((value) => (value >> 4) << 4),
        12,
      ),
    );
    expect(dark.depth).toMatchObject({ range: [0, 65535] });
    const silent = await pixelsOf(await png(twelve));
    expect(silent.depth).toMatchObject({ range: [0, 65535], from: "type", most: 4095 });
  });
});

describe("what a header claims", () => {
  it("pages: the first is decoded, and the others are not walked through", async () => {
    const two = await decode("two-pages.tif");
    expect([...two.pixels]).toEqual([...Buffer.from(files["rgb.tif"]!.pixels!, "base64")]);
    expect(two.pages).toBe(2);
    expect((await decode("many-pages.tif")).pages).toBe(40);
    // The directories lead to each other.
    expect((await decode("loop.tif")).pages).toBe(2);
    expect((await decode("rgb.tif")).pages).toBe(1);
  });

  it("tens of millions of pixels in a few bytes are refused before they are decoded", async () => {
    const gif = Buffer.from("R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAkQBADs=", "base64");
    for (const at of [6, 24]) {
      gif.writeUInt16LE(9000, at);
      gif.writeUInt16LE(9000, at + 2);
    }
    const create = { width: 5000, height: 5000, channels: 3, background: "black" } as const;
    const webp = await sharp({ create }).webp({ lossless: true, effort: 0 }).toBuffer();
    const names = {
      gif,
      webp,
      "huge.tif": read("huge.tif"),
      "huge.bmp": read("huge.bmp"),
      "huge.ppm": read("huge.ppm"),
    };
    for (const [name, bytes] of Object.entries(names)) {
      await expect(decodeImage(bytes, name)).rejects.toThrow(
        new RegExp(`^${name}: \\d+ × \\d+ pixels( in a file of|; at most)`),
      );
    }
  });

  it("scans of a JPEG, each of which goes through all pixels, are bounded", async ({ skip }) => {
    skip(turboJpeg() === undefined, "the addon was compiled without libturbojpeg");
    const create = { width: 4000, height: 4000, channels: 3, background: "gray" } as const;
    const jpeg = await sharp({ create }).jpeg({ progressive: true }).toBuffer();
    expect((await decodeImage(jpeg, "x")).width).toBe(4000);
    // The last scan again and again.
    const last = jpeg.lastIndexOf(Buffer.of(0xff, 0xda));
    const scan = jpeg.subarray(last, jpeg.length - 2);
    const many = Buffer.concat([
      jpeg.subarray(0, last),
      ...Array(2000).fill(scan),
      jpeg.subarray(-2),
    ]);
    await expect(decodeImage(many, "many.jpg")).rejects.toThrow(
      "many.jpg: a JPEG of 16000000 pixels in more than 134 scans is not decoded",
    );
  });

  it("cut anywhere, or with a byte changed: decoded or refused by name", async () => {
    const random = xorshift(11);
    for (const name of [
      "lzw.tif",
      "palette.tif",
      "planar.tif",
      "32-alpha.bmp",
      "rle4.bmp",
      "core.bmp",
      "p3.ppm",
      "p4.pbm",
      "p5-16.pgm",
    ]) {
      const whole = read(name);
      for (let round = 0; round < 16; round++) {
        const changed = Uint8Array.from(whole);
        changed[random() % whole.length]! ^= 1 << (random() % 8);
        for (const bytes of [changed, whole.subarray(0, random() % whole.length)]) {
          const outcome = await decodeImage(bytes, "x", { maxPixels: 1e6 }).catch((e) => e);
          if (outcome instanceof Error) expect(outcome.message).toMatch(/^x: /);
          else expect(outcome.pixels.length).toBe(outcome.width * outcome.height * 3);
        }
      }
    }
  });
});

/** float.tif, whose pixels lie at its start after 8 bytes, all of them 0.25. */
function constantFloats(): Uint8Array {
  const bytes = Uint8Array.from(read("float.tif"));
  new Float32Array(bytes.buffer, 8, 13 * 7).fill(0.25);
  return bytes;
}

/** A chunk after a PNG's header. Its checksum is not looked at before the pixels. */
function withChunk(png: Uint8Array, type: string, payload: Uint8Array): Buffer {
  const chunk = Buffer.alloc(12 + payload.length);
  chunk.writeUInt32BE(payload.length, 0);
  chunk.write(type, 4, "latin1");
  chunk.set(payload, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + payload.length)), 8 + payload.length);
  return Buffer.concat([png.subarray(0, 33), chunk, png.subarray(33)]);
}

function crc32(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return (value ^ 0xffffffff) >>> 0;
}

/** Numbers of 32 bits, the same in every run. */
function xorshift(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
