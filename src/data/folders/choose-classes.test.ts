import { expect, test } from "vitest";
import { UsageError } from "../../errors.ts";
import { chooseClasses } from "./choose-classes.ts";
import { makeListing } from "./listing.ts";

const listing = (...folders: string[]) =>
  makeListing({
    name: "dogs",
    root: "/dogs",
    files: folders.map((className) => ({
      path: `/dogs/${className}/1.jpg`,
      name: `${className}/1.jpg`,
      className,
    })),
    passedOver: [],
    notes: [],
  });

const official = listing(
  "n02088364-beagle",
  "n02108089-boxer",
  "n02106662-German_shepherd",
  "n02099601-golden_retriever",
  "n02113624-toy_poodle",
  "n02113712-miniature_poodle",
  "n02113799-standard_poodle",
);
const asked = ["beagle", "boxer", "german_shepherd", "golden_retriever", "poodle"];

test("breeds are found in the official folders, the poodle in all of its sizes", () => {
  const chosen = chooseClasses(official, asked);
  expect(chosen.classes).toEqual(asked);
  expect(chosen.files.map(({ className, name }) => `${className}: ${name}`)).toEqual([
    "beagle: n02088364-beagle/1.jpg",
    "boxer: n02108089-boxer/1.jpg",
    "german_shepherd: n02106662-German_shepherd/1.jpg",
    "golden_retriever: n02099601-golden_retriever/1.jpg",
    "poodle: n02113624-toy_poodle/1.jpg",
    "poodle: n02113712-miniature_poodle/1.jpg",
    "poodle: n02113799-standard_poodle/1.jpg",
  ]);
  expect(chosen.notes.join()).toContain("n02113624-toy_poodle and n02113712-miniature_poodle");
});

test("the same names serve a plain folder of breeds", () => {
  const plain = listing(
    "beagle",
    "boxer",
    "german_shepherd",
    "golden_retriever",
    "standard_poodle",
  );
  const chosen = chooseClasses(plain, asked);
  expect(chosen.classes).toEqual(asked);
  expect(chosen.files).toHaveLength(5);
  expect(chosen.notes).toEqual([]);
});

test("the classes are in the order in which they are named", () => {
  const order = ["poodle", "boxer", "beagle"];
  const chosen = chooseClasses(official, order);
  expect(chosen.classes).toEqual(order);
  expect(chosen.files.map(({ className }) => className)).toEqual([
    ...["beagle", "boxer", "poodle", "poodle", "poodle"],
  ]);
});

test("a folder of exactly that name comes first", () => {
  const both = listing("poodle", "toy_poodle", "beagle");
  const chosen = chooseClasses(both, ["poodle", "beagle"]);
  expect(chosen.files.map(({ name }) => name)).toEqual(["beagle/1.jpg", "poodle/1.jpg"]);
});

test.each([
  [["beagle", "boxr"], 'there is no class "boxr"', 'did you mean "boxer"?'],
  [["beagle", "beagle"], "beagle is named twice", undefined],
  [
    ["poodle", "toy_poodle"],
    "poodle and toy_poodle are both the folder n02113624-toy_poodle",
    undefined,
  ],
  [["poodle"], "1 class is nothing to tell apart", undefined],
])("%j is wrong usage", (classes, message, hint) => {
  const choose = () => chooseClasses(official, classes);
  expect(choose).toThrow(UsageError);
  expect(choose).toThrow(message);
  if (hint !== undefined) {
    try {
      choose();
    } catch (error) {
      expect((error as UsageError).hint).toContain(hint);
    }
  }
});
