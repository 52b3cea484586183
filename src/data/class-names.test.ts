import { expect, test } from "vitest";
import { classFinder, classKey, uniteNames } from "./class-names.ts";

const nfd = "Ba\u0308r";
const nfc = "B\u00e4r";
const counts = (names: Record<string, number>) => new Map(Object.entries(names));

test.each([
  [nfd, nfc],
  ["Cat", "cat"],
  ["1.0", "1"],
  ["-3.00", "-3"],
  ["STRASSE", "strasse"],
  ["\u212bngstr\u00f6m", "a\u030angstro\u0308m"],
])("%j and %j are one class", (a, b) => {
  expect(classKey(a)).toBe(classKey(b));
});

test.each([
  ["a", "A"],
  ["1", "1.5"],
  ["01", "1"],
  ["cat", "cat "],
  ["e", "\u00e9"],
])("%j and %j are two", (a, b) => {
  expect(classKey(a)).not.toBe(classKey(b));
});

test("the composed form, then the more frequent name stands for all; notes show why", () => {
  const { nameOf, notes } = uniteNames(counts({ [nfd]: 9, [nfc]: 1, Cat: 1, cat: 5, dog: 3 }));
  expect([...nameOf]).toEqual([
    [nfd, nfc],
    ["Cat", "cat"],
  ]);
  expect(notes).toEqual([
    `"${nfc}" (U+0042 U+00E4 U+0072) and "${nfd}" (U+0042 U+0061 U+0308 U+0072) are treated as one class, "${nfc}": they are two Unicode forms of one name`,
    '"cat" and "Cat" are treated as one class, "cat": the names differ only in letter case or in how a number is written; if they are two classes, rename one',
  ]);
  expect(uniteNames(counts({ a: 1, A: 1, b: 1 })).notes).toEqual([]);
  expect([...uniteNames(counts({ "1.0": 90, "1": 2 })).nameOf]).toEqual([["1.0", "1"]]);
});

test("a name is found as it is, else by what tells classes apart", () => {
  const find = classFinder(["Cat", "cat", "dog", nfc]);
  expect(["cat", "Cat", "CAT", "DOG", nfd, "bird"].map(find)).toEqual([1, 0, -1, 2, 3, -1]);
});
