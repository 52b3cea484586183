import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { UsageError } from "../../errors.ts";
import type { CsvOptions } from "./csv-columns.ts";
import { listCsv } from "./csv-list.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "thaw-csv-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function images(...names: string[]): void {
  for (const name of names) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), "");
  }
}
const list = (text: string | Buffer, options: CsvOptions = {}, name = "list.csv") => {
  writeFileSync(join(root, name), text);
  return listCsv(join(root, name), options);
};
const pairs = (text: string | Buffer, options: CsvOptions = {}) =>
  list(text, options).files.map(({ name, className }) => `${name}: ${className}`);
/** Message and hint. */
const refusal = (text: string, options: CsvOptions = {}) => {
  try {
    list(text, options);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    const { message, hint } = error as UsageError;
    return `${message.replaceAll(`${root}/`, "")} → ${hint}`;
  }
  throw new Error("was read");
};
const two = ["img/0.png: cat", "img/1.png: dog"];

describe("layouts", () => {
  beforeEach(() => images("img/0.png", "img/1.png"));

  test.each([
    ["a blank last line", "path,label\nimg/0.png,cat\nimg/1.png,dog\n\n"],
    ["backslashes", "path,label\nimg\\0.png,cat\nimg\\1.png,dog\n"],
    ["blanks and quotes", 'path, label\n"img/0.png", "cat"\n"img/1.png", "dog"\n'],
    ["filename,class", "filename,class\nimg/0.png,cat\nimg/1.png,dog\n"],
    ["semicolons", "Path;Label\nimg/0.png;cat\nimg/1.png;dog\n"],
    ["tabs", "image\ttarget\nimg/0.png\tcat\nimg/1.png\tdog\n"],
    ["Excel's first line", "sep=;\nfile name;Category\nimg/0.png;cat\nimg/1.png;dog\n"],
    ["CR alone", "path,label\rimg/0.png,cat\rimg/1.png,dog\r"],
    ["an index without a name", ",image_path,label\n0,img/0.png,cat\n1,img/1.png,dog\n"],
    ["empty columns at the end", "path,label,,\nimg/0.png,cat,,\nimg/1.png,dog,,\n"],
    ["./ before paths", "path,label\n.\\img\\0.png,cat\nimg/1.png,dog\n"],
  ])("%s", (_, text) => {
    expect(pairs(text).map((pair) => pair.replace(/^\.\//, ""))).toEqual(two);
  });

  test("UTF-16 with a byte order mark, as Excel's Unicode text", () => {
    const text = "\ufeffpath\tlabel\r\nimg\\0.png\tBär\r\nimg\\1.png\tBör\r\n";
    expect(pairs(Buffer.from(text, "utf16le"))).toEqual(["img/0.png: Bär", "img/1.png: Bör"]);
  });

  test("Windows-1252: classes stay two, and how it was read is said", () => {
    const listing = list(Buffer.from("path,label\nimg/0.png,Bär\nimg/1.png,Bör\n", "latin1"));
    expect(listing.classes).toEqual(["Bär", "Bör"]);
    expect(listing.notes[0]).toMatch(/^read as Windows-1252: line 2 is "img\/0.png,Bär"; if that/);
  });

  test("a letter that was lost before is no class", () => {
    expect(refusal("path,label\nimg/0.png,B\ufffdr\n")).toContain(
      'line 2: "B\ufffdr" contains U+FFFD, which marks a lost character → export the CSV again',
    );
  });

  test("1 and 1.0 are one class, two Unicode forms and two letter cases too", () => {
    images("img/2.png", "img/3.png");
    const rows = (...labels: string[]) =>
      list(`path,label\n${labels.map((label, i) => `img/${i}.png,${label}\n`).join("")}`);
    expect(rows("1", "1.0", "0.0", "0").classes).toEqual(["0", "1"]);
    expect(rows("0.0", "1.0").classes).toEqual(["0.0", "1.0"]);
    const forms = rows("B\u00e4r", "Ba\u0308r", "Cat", "cat");
    expect(forms.classes).toEqual(["B\u00e4r", "Cat"]);
    expect(forms.notes.join()).toContain("U+0061 U+0308");
    expect(forms.notes.join()).toContain('"Cat" and "cat" are treated as one class');
  });
});

describe("columns", () => {
  beforeEach(() => images("0.png", "1.png"));

  test("are found by name in any letter case, or named; which ones is said", () => {
    const text = "ID,Image Id,CLASS,note\n7,0.png,cat,x\n8,1.png,dog,y\n";
    expect(list(text).notes).toEqual(['paths are in the column "Image Id", labels in "CLASS"']);
    const named = list("where,what,when\n0.png,cat,TRAIN\n1.png,dog,Testing\n", {
      ...{ pathColumn: "where", labelColumn: "What", splitColumn: "when" },
    });
    expect(named.files.map(({ className, split }) => `${className} ${split}`)).toEqual([
      "cat train",
      "dog test",
    ]);
    // Of two columns the other one has the labels.
    expect(pairs("id,breed\n0,beagle\n1,boxer\n")).toEqual(["0.png: beagle", "1.png: boxer"]);
  });

  test("one-hot columns, as ISIC's", () => {
    const isic = "image,MEL,NV,BCC\n0,0.0,1.0,0.0\n1,1.0,0.0,0.0\n";
    expect(pairs(isic)).toEqual(["1.png: MEL", "0.png: NV"]);
    expect(list(isic).notes[0]).toBe("labels are one-hot: the column that is 1, of MEL, NV, BCC");
    expect(refusal("image,MEL,NV\n0,1,0\n1,1,1\n")).toContain("line 3: MEL and NV are both 1");
    expect(refusal("image,MEL,NV\n0,0,0\n1,1,0\n")).toContain(
      "line 2: none of the columns MEL, NV",
    );
    expect(refusal("image,MEL,NV\n0,1,0\n1,0.3,0.7\n")).toContain(
      'line 3: "0.3" in the column "MEL" is neither 0 nor 1',
    );
  });

  test.each([
    ["0.png,cat\n1.png,dog\n", "the first row is an image, not a header"],
    ["where,what\n0.png,cat\n", "for other column names use --path-column and --label-column"],
    ["path,size,date\n0.png,3,x\n", "in which no column is recognised as the labels"],
    ["path,label,label\n0.png,cat,dog\n", '"label" appears twice (columns 2 and 3)'],
    ["path,Label,label \n0.png,cat,dog\n", "appears twice (columns 2 and 3)"],
    ["path,class,category\n0.png,cat,pet\n", 'the labels could be in "class" or "category"'],
    ["image,A,A\n0,1,0\n", '"A" appears twice'],
  ])("%j is refused, and how to go on is said", (text, message) => {
    expect(refusal(text)).toContain(message);
  });

  test("a column that is named and not there", () => {
    expect(refusal("path,label\n0.png,cat\n", { labelColumn: "lable" })).toBe(
      '--label-column: list.csv has no column "lable" → did you mean "label"? its columns are "path", "label"',
    );
  });

  test("the predictions.csv of a run is read by its true classes", () => {
    const text = `file,true,predicted,p(cat),p('=x)\n0.png,cat,cat,0.9,0.1\n1.png,'=x,cat,0.8,0.2\n`;
    expect(pairs(text)).toEqual(["1.png: =x", "0.png: cat"]);
    expect(pairs(text, { labelColumn: "predicted" })).toEqual(["0.png: cat", "1.png: cat"]);
  });
});

describe("paths", () => {
  test("IDs of images in one folder below, as Kaggle's train.csv beside train_images/", () => {
    images("train_images/a1.jpg", "train_images/b.2.JPG", "test_images/a1.jpg", "notes/b.2.txt");
    const listing = list("image_id,label\na1,0\nb.2,1\n", {}, "train.csv");
    expect(listing.files.map(({ name }) => name)).toEqual([
      "train_images/a1.jpg",
      "train_images/b.2.JPG",
    ]);
    expect(listing.notes).toContain("images were found by their names in train_images/");
    expect(refusal("image_id,label\na1,0\nb.2,1\n")).toContain(
      "line 2: a1 matches several files: test_images/a1.jpg, train_images/a1.jpg → give paths with folder",
    );
    expect(pairs("image_id,label\na1,0\n", { imageFolder: "test_images" })).toEqual([
      "test_images/a1.jpg: 0",
    ]);
  });

  test("a stem of two images is refused, a whole name is not", () => {
    images("x/1.jpg", "x/1.png");
    expect(refusal("id,label\n1,cat\n")).toContain(
      "line 2: 1 matches several files: x/1.jpg, x/1.png",
    );
    expect(pairs("id,label\n1.jpg,cat\n")).toEqual(["x/1.jpg: cat"]);
  });

  test("letters of the file system: another Unicode form, another case of the extension", () => {
    images("pics/Ba\u0308r.JPG");
    expect(pairs("path,label\nB\u00e4r.jpg,cat\n")).toEqual(["pics/Ba\u0308r.JPG: cat"]);
    expect(pairs("path,label\npics\\B\u00e4r.jpg,cat\n")).toEqual(["pics/Ba\u0308r.JPG: cat"]);
  });

  test.skipIf(process.platform === "win32").each([
    ["C:\\data\\0.png", "is a path on a Windows drive"],
    ["D:/data/0.png", "is a path on a Windows drive"],
    ["\\\\server\\share\\0.png", "is a path on a Windows drive"],
    ["https://example.org/0.png", "is a URL, not a file → download the images"],
    ["img/9.png", "there is no file "],
  ])("%s is refused with the line", (path, message) => {
    images("img/0.png");
    expect(refusal(`path,label\n${path},cat\n`)).toContain(`line 2: `);
    expect(refusal(`path,label\n${path},cat\n`)).toContain(message);
  });

  test("a folder that is named and not there", () => {
    expect(refusal("path,label\n0.png,cat\n", { imageFolder: "nowhere" })).toContain(
      "--image-folder nowhere: there is no such folder",
    );
  });

  test("an image that stands there twice under two names is found", () => {
    images("a/0.png");
    expect(refusal("path,label\na/0.png,cat\na\\0.png,cat\n")).toContain(
      "line 3: a\\0.png is already listed in line 2",
    );
  });
});
