import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { UsageError } from "../../errors.ts";
import { listImageFolder } from "./image-folder.ts";
import { splitFolderName } from "./split-names.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "thaw-layout-"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** `train/{cat,dog}/{1,2}.jpg` → four files, which are empty: a layout goes by names. */
function files(...patterns: string[]): void {
  for (const name of patterns.flatMap(expanded)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), "");
  }
}

function expanded(pattern: string): string[] {
  const found = /^(.*?)\{([^}]*)\}(.*)$/.exec(pattern);
  if (found === null) return [pattern];
  const [, before, middle, after] = found;
  return middle!.split(",").flatMap((one) => expanded(`${before}${one}${after}`));
}

const list = (classes?: string[]) => listImageFolder(root, { shown: "DATA", classes });
/** `train: cat dog` of every split, or `cat dog` where there are none. */
function summary(classes?: string[]): string[] {
  const found = new Map<string, Set<string>>();
  for (const { split = "", className } of list(classes).files) {
    found.set(split, (found.get(split) ?? new Set()).add(className));
  }
  return [...found]
    .map(([split, names]) => `${split}: ${[...names].sort().join(" ")}`.replace(/^: /, ""))
    .sort();
}
const refusal = (classes?: string[]) => {
  try {
    list(classes);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    const { message, hint } = error as UsageError;
    return `${message}\n${hint}`;
  }
  throw new Error("nothing was refused");
};

describe("folders of splits", () => {
  test.each([
    ["Training", "Testing"],
    ["TRAIN", "Test"],
    ["train_set", "test_set"],
    ["training-set", "test-set"],
    ["TrainingSet", "TestSet"],
    ["trainset", "testset"],
    ["train_images", "test_images"],
    ["images_train", "images_test"],
    ["Train Data", "Test Data"],
    ["seg_train", "seg_test"],
    ["train2017", "test2017"],
    ["cell_images_train", "cell_images_test"],
  ])("%s/ and %s/", (train, test) => {
    files(`${train}/{cat,dog}/1.jpg`, `${test}/{cat,dog}/2.jpg`);
    expect(summary()).toEqual(["test: cat dog", "train: cat dog"]);
    expect(list().notes.join()).toBe(
      /^train$/i.test(train)
        ? ""
        : `training images are those in ${train}/,test images are those in ${test}/`,
    );
  });

  test.each(["val", "Valid", "validation", "dev", "eval", "val_images", "evaluation"])(
    "%s/ for validation",
    (val) => {
      files(`train/{cat,dog}/1.jpg`, `${val}/{cat,dog}/2.jpg`);
      expect(summary()).toEqual(["train: cat dog", "val: cat dog"]);
    },
  );

  test.each([
    ["archive/dataset/{train,test}/{cat,dog}/1.jpg"],
    ["{train/train,test/test}/{cat,dog}/1.jpg"],
    ["{seg_train/seg_train,seg_test/seg_test}/{cat,dog}/1.jpg"],
    ["a/b/{Training/images,Testing/images}/{cat,dog}/1.jpg"],
    ["images/{train,test}/{cat,dog}/1.jpg"],
    ["{train/animals,test/animals}/{cat,dog}/1.jpg"],
  ])("nested: %s", (pattern) => {
    files(pattern);
    expect(summary()).toEqual(["test: cat dog", "train: cat dog"]);
  });

  test("one class in the test split is not taken for a folder around it", () => {
    files("train/{cat,dog}/1.jpg", "test/cat/{2023,2024}/1.jpg");
    expect(summary()).toEqual(["test: cat", "train: cat dog"]);
  });

  test("a second copy of the data beside the splits is counted and not used", () => {
    files("chest/{train,test}/{cat,dog}/1.jpg", "chest/chest/{train,test}/{cat,dog}/1.jpg");
    expect(summary()).toEqual(["test: cat dog", "train: cat dog"]);
    expect(list().notes).toEqual(["warning: folders that are not used: chest/chest/ (4 images)"]);
  });

  test("images for prediction are counted and named, in any of the places people put them", () => {
    files("seg_train/seg_train/{cat,dog}/1.jpg", "seg_test/seg_test/{cat,dog}/1.jpg");
    files("seg_pred/seg_pred/{1,2,3,4}.jpg");
    expect(summary()).toEqual(["test: cat dog", "train: cat dog"]);
    expect(list().notes.at(-1)).toMatch(
      /^warning: 4 images in seg_pred\/ have no class and are not used \(seg_pred\/seg_pred\/1\.jpg, .* and 1 more\): label them with `thaw predict <run> \/.*seg_pred`, or, to use them, move them to seg_pred\/<class>\/ or list them in a CSV/,
    );
  });

  test.each([
    "test/{1,2}.jpg",
    "test/images/{1,2}.jpg",
    "test/unknown/{1,2}.jpg",
    "Testing/test/{1,2}.jpg",
  ])("unlabelled test images: %s", (pattern) => {
    files("train/{cat,dog}/1.jpg", pattern);
    expect(summary()).toEqual(["cat dog"]);
    expect(list().notes).toEqual([
      expect.stringMatching(/^warning: 2 images in test.*\/ have no class and are not used/i),
    ]);
  });

  test("of test/ with classes and test1/ without, the first is the split", () => {
    files("train/{cat,dog}/1.jpg", "test/{cat,dog}/1.jpg", "test1/{1,2}.jpg");
    expect(summary()).toEqual(["test: cat dog", "train: cat dog"]);
    expect(list().notes.join()).toContain("2 images in test1/ have no class");
  });

  test("two folders of one split are refused", () => {
    files("train/{cat,dog}/1.jpg", "{train_old,test}/{cat,dog}/1.jpg");
    expect(summary()).toEqual(["test: cat dog", "train: cat dog"]);
    files("training_images/{cat,dog}/1.jpg");
    expect(refusal()).toContain("both train and training_images could be the train split");
  });
});

describe("what is no class is refused, and --classes is the way in", () => {
  test.each([
    // Images beside a table of labels.
    [
      ["train_images/{1,2}.jpg", "train.csv"],
      /train_images\/ holds 2 images, but no classes\n.*--data DATA\/train\.csv/,
    ],
    [
      ["a/images/{1,2}.jpg", "a/labels.csv"],
      /images\/ holds 2 images, but no classes\n.*DATA\/a\/labels\.csv/,
    ],
    [
      ["{train,test}/{1,2}.jpg", "train.csv"],
      /has test and train, but no class folders for training\n.*train\.csv/,
    ],
    // Images beside what describes them.
    [
      ["images/{1,2}.jpg", "annotations/trimaps/{1,2}.png"],
      /DATA: images\/ lies beside annotations\/, and has no class folders/,
    ],
    [
      ["images/{train,val}/1.jpg", "labels/{train,val}/1.txt"],
      /has train and val, but no class folders/,
    ],
    // Splits without training images, or of other names.
    [["{Testing,validation}/{a,b}/1.jpg"], /has Testing and validation, but no train folder/],
    [["{labeled,unlabeled}/{1,2}.jpg"], /labeled\/, unlabeled\/ look like parts of a data set/],
    [
      ["{training_real,training_fake}/1.jpg"],
      /training_fake\/, training_real\/ look like parts of a data set/,
    ],
    [
      ["{lerne,pruefe}/{cat,dog}/1.jpg"],
      /lerne\/, pruefe\/ contain folders with the same names: cat, dog/,
    ],
    // Pieces.
    [["fold{1,2,3}/{cat,dog}/1.jpg"], /fold1\/, fold2\/, fold3\/ look like pieces of a data set/],
    [["Part {1,2}/1.jpg"], /Part 1\/, Part 2\/ look like pieces of a data set/],
    [
      ["{east,west}/{Cat,dog}/1.jpg"],
      /east\/, west\/ contain folders with the same names: cat, dog/,
    ],
    [
      ["train/{east,west}/{cat,dog}/1.jpg", "test/{east,west}/{cat,dog}/1.jpg"],
      /DATA\/train: east\/, west\/ contain folders with the same names/,
    ],
    [
      ["{north,south}/cat/1.jpg", "west/dog/1.jpg"],
      /north\/, south\/ contain folders with the same names: cat/,
    ],
    // Splits below classes.
    [
      ["{cat,dog}/{train,test}/1.jpg"],
      /cat\/, dog\/ contain folders with the same names: test, train\nsplits come above classes/,
    ],
    // A class, or a split?
    [["{train_images,extra,more}/1.jpg"], /train_images\/ looks like a split, but lies beside/],
    [
      ["test/{a,b}/1.jpg", "{cat,dog}/1.jpg"],
      /test\/ looks like a split, but lies beside cat\/, dog\//,
    ],
    [
      ["train/{steam,diesel}/1.jpg", "{bus,car}/1.jpg"],
      /train\/ could be the training images, or a class like bus\/, car\//,
    ],
  ])("%j", (patterns, message) => {
    files(...patterns);
    expect(refusal()).toMatch(message);
  });

  test.each([
    [["{test,Training}/1.jpg"], ["test", "Training"], "Training test"],
    [
      ["{training_real,training_fake}/1.jpg"],
      ["training_real", "training_fake"],
      "training_fake training_real",
    ],
    [["fold{1,2}/{cat,dog}/1.jpg"], ["fold1", "fold2"], "fold1 fold2"],
    [["train/{steam,diesel}/1.jpg", "{bus,car}/1.jpg"], ["bus", "car", "train"], "bus car train"],
    [["{train,test}/{cat,dog}/1.jpg"], ["train", "test"], "test train"],
  ])("%j with --classes %j", (patterns, classes, expected) => {
    files(...patterns);
    if (!/cat/.test(patterns.join()) || classes[0] !== "train")
      expect(refusal()).toContain("--classes");
    expect(summary(classes)).toEqual([expected]);
  });

  test("--classes says which are classes, and what lies in them is used together, which is said", () => {
    files("{cat,dog}/{train,test}/1.jpg");
    expect(summary(["cat", "dog"])).toEqual(["cat dog"]);
    expect(list(["cat", "dog"]).notes).toEqual([
      "warning: cat, dog contain folders with the same names (test, train): all of their images are used together",
    ]);
  });

  test("--classes of classes below the splits leaves the splits alone", () => {
    files("{train,test}/{cat,dog,train}/1.jpg");
    expect(summary(["cat", "train"])).toEqual(["test: cat dog train", "train: cat dog train"]);
  });
});

describe("classes stay classes", () => {
  test.each([
    [
      ["{bus,car,train}/1.jpg"],
      "bus car train",
      "warning: train/ is treated as a class, not as a split",
    ],
    [
      ["{valid,invalid}/1.jpg"],
      "invalid valid",
      "warning: valid/ is treated as a class, not as a split",
    ],
    [
      ["{train_station,airport}/1.jpg"],
      "airport train_station",
      "train_station/ is treated as a class, not as a split",
    ],
    [["{with_mask,mask}/1.jpg"], "mask with_mask", ""],
    [["{0,1,2}/1.jpg"], "0 1 2", ""],
    [["{cat,dog}/images/1.jpg"], "cat dog", ""],
    [["{cat,dog}/2024/1.jpg"], "cat dog", "the images of cat, dog lie in folders called 2024"],
    [["{cat,dog}/1.jpg", "cat/{old,new}/1.jpg", "dog/old/1.jpg"], "cat dog", ""],
    [["{photos,drawings}/1.jpg"], "drawings photos", ""],
  ])("%j", (patterns, expected, note) => {
    files(...patterns);
    // More of them in the folders themselves than below.
    if (patterns.length > 1) files("{cat,dog}/{2,3,4}.jpg");
    expect(summary()).toEqual([expected]);
    expect(list().notes.join()).toBe(note);
  });

  test("folders of other files are no classes", () => {
    files("{cat,dog}/1.jpg", "scripts/train.py", "annotations/1.xml", "empty/.gitkeep");
    expect(list().classes).toEqual(["cat", "dog", "empty"]);
    expect(list().notes).toEqual([
      "warning: folders without any image are not classes: annotations/, scripts/",
      "2 files are not images: annotations/1.xml, scripts/train.py",
    ]);
  });
});

test.each([
  ["train", "train", "", true],
  ["Validation_Set", "val", "", false],
  ["TrainVal", "train", "", false],
  ["my-test_2", "test", "my", false],
  ["ｔｒａｉｎ", undefined, "", false],
  ["trainer", undefined, "", false],
  ["contest", undefined, "", false],
  ["train_test", undefined, "", false],
  ["constructor", undefined, "", false],
])("the name %s speaks of %s", (name, split, rest, isBare) => {
  expect(splitFolderName(name)).toEqual(split === undefined ? undefined : { split, rest, isBare });
});
