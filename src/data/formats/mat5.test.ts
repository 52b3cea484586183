import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { DamagedFileError } from "./damaged.ts";
import { cellTexts } from "./mat5.ts";

const fixtures = resolve(import.meta.dirname, "../../../test/fixtures/mat");
/** What scipy wrote and reads: test/oracle/scipy_mat_lists.py. */
const expected = JSON.parse(readFileSync(join(fixtures, "expected.json"), "utf8")) as Record<
  "train" | "test",
  string[]
>;
const file = (name: string) => readFileSync(join(fixtures, name));

describe("a MAT-file's cell array of texts", () => {
  it.each([
    ["compressed", "train_list.mat", expected.train],
    ["plain", "test_list.mat", expected.test],
  ])("%s", (_, name, texts) => {
    expect(cellTexts(file(name), "file_list", name)).toEqual(texts);
  });

  it("cut short anywhere, or with any byte changed, is an error of ours or the texts", () => {
    for (const name of ["train_list.mat", "test_list.mat"]) {
      const whole = file(name);
      for (let at = 0; at < whole.length; at++) {
        const changed = Buffer.from(whole);
        changed[at]! ^= 0xff;
        for (const bytes of [whole.subarray(0, at), changed]) {
          try {
            const texts = cellTexts(bytes, "file_list", name);
            expect(texts.length).toBe(cellTexts(whole, "file_list", name).length);
          } catch (error) {
            expect(error).toBeInstanceOf(DamagedFileError);
            expect((error as Error).message).toMatch(/^t\w+_list\.mat: /);
          }
        }
      }
    }
  });

  it("that is missing, of another kind, or a bomb", () => {
    expect(() => cellTexts(file("test_list.mat"), "lists", "x")).toThrow(
      "x: has no variable lists",
    );
    expect(() => cellTexts(file("test_list.mat"), "labels", "x")).toThrow(
      "labels is no cell array",
    );
    expect(() => cellTexts(new Uint8Array(500), "a", "x")).toThrow("x: no MAT-file of level 5");
    const bomb = deflateSync(Buffer.alloc(80 * 2 ** 20));
    const tag = Buffer.alloc(8);
    tag.writeUInt32LE(15, 0);
    tag.writeUInt32LE(bomb.length, 4);
    const header = file("test_list.mat").subarray(0, 128);
    const packed = Buffer.concat([header, tag, bomb]);
    expect(() => cellTexts(packed, "a", "x")).toThrow(/x: is damaged: .*cannot be unpacked/);
  });
});
