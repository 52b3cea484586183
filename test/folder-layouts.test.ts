import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { InfoReport } from "../src/data/info/report.ts";
import { makeHome, thaw } from "./support/thaw-process.ts";
import { encodeTiny, writeTiny, writeTinyFolder } from "./support/tiny-images.ts";
import { makeZip } from "./zip.ts";

let root: string;
let env: { THAW_HOME: string };
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "thaw-layouts-"));
  env = await makeHome(join(root, "home"));
  const tumours = { glioma: 8, meningioma: 8, pituitary: 8 };
  await writeTinyFolder(join(root, "tumours/Training"), tumours);
  await writeTinyFolder(join(root, "tumours/Testing"), tumours, { seed: 100 });
  await writeTinyFolder(join(root, "one"), { only: 6 });
  await writeTinyFolder(join(root, "competition"), { train_images: 4 });
  writeFileSync(join(root, "competition/train.csv"), "image_id,label\n0.png,1\n");
  await writeTinyFolder(join(root, "kaggle/train"), { cat: 8, dog: 8 });
  await writeTinyFolder(join(root, "kaggle"), { test: 4 }, { seed: 100 });
  for (const name of ["0.png", "kaggle/1.png"]) await writeTiny(join(root, name), { seed: 200 });
});
afterAll(() => rmSync(root, { recursive: true }));

const matrix = (data: string) => {
  const file = join(root, "matrix.yaml");
  writeFileSync(file, `base: { data: "${data}", epochs: 1 }\nmatrix: { model: [simple_cnn] }\n`);
  return file;
};
/** Every command that opens a data set to train on. */
const commands = (data: string): string[][] => {
  const runs = ["--out", join(root, "runs")];
  const small = ["--epochs", "1", "--batch-size", "8", "--threads", "1", "--precision", "fp32"];
  return [
    ["data", "info", data, "--no-sheet"],
    ["data", "prepare", data, "--out", join(root, "out")],
    ["data", "pack", data, "--out", join(root, "out.zip"), "--overwrite"],
    ["train", "--data", data, "--model", "simple_cnn", ...small, ...runs],
    ["compare", matrix(data), ...runs],
  ];
};

test("Training/ and Testing/ are splits for all who read them", () => {
  const data = join(root, "tumours");
  const info = thaw(["data", "info", data, "--no-sheet", "--json"], env);
  expect((JSON.parse(info.stdout) as InfoReport).counts).toEqual({
    glioma: { train: 8, test: 8 },
    meningioma: { train: 8, test: 8 },
    pituitary: { train: 8, test: 8 },
  });
  const made = join(root, "made");
  const prepared = thaw(["data", "prepare", data, "--out", made, "--json"], env);
  expect(JSON.parse(prepared.stdout)).toMatchObject({
    counts: { glioma: { train: 8, val: 0, test: 8, rejected: 0 } },
  });
  const train = commands(data).find(([name]) => name === "train")!;
  const { code, stderr } = thaw(train, env);
  expect(stderr).toContain("note: test images are those in Testing/");
  expect(stderr).toMatch(/test (accuracy|.*)/);
  expect(code).toBe(0);
});

test("one class is refused by every command, with the same words", () => {
  for (const args of commands(join(root, "one"))) {
    const { code, stderr } = thaw(args, env);
    expect(stderr).toContain("one: all images belong to one class, only");
    expect(stderr).toContain("→ at least two classes are needed");
    expect(code).toBe(args[0] === "compare" ? 1 : 2);
  }
});

test("one class in a CSV, and in both splits of an archive", async () => {
  writeFileSync(join(root, "one/list.csv"), "path,label\nonly/0.png,a\nonly/1.png,a\n");
  const content = await encodeTiny({ seed: 1 }, "png");
  const files = [
    { name: "x/train/a/1.png", content },
    { name: "x/test/a/2.png", content },
  ];
  writeFileSync(join(root, "split.zip"), makeZip(files));
  for (const name of ["one/list.csv", "split.zip"]) {
    const { code, stderr } = thaw(["data", "info", join(root, name), "--no-sheet"], env);
    expect(stderr).toContain("all images belong to one class, a");
    expect(code).toBe(2);
  }
});

test("images beside a table of labels: the table is named", () => {
  const all = commands(join(root, "competition"));
  for (const args of [all[0]!, all[3]!]) {
    const { code, stderr } = thaw(args, env);
    expect(stderr).toContain("competition: train_images/ holds 4 images, but no classes");
    expect(stderr).toContain(
      `if train.csv has the labels, give --data ${join(root, "competition/train.csv")}`,
    );
    expect(code).toBe(args[0] === "compare" ? 1 : 2);
  }
});

test("test images without classes and loose ones are counted and named by every command that goes on", () => {
  const data = join(root, "kaggle");
  for (const args of [commands(data)[1]!, commands(data)[2]!]) {
    const { code, stderr } = thaw(args, env);
    expect(stderr).toContain(
      "warning: 1 image outside the class folders is not used (1.png): move it into a class's folder",
    );
    expect(stderr).toContain(
      `warning: 4 images in test/ have no class and are not used (test/0.png, test/1.png, test/2.png and 1 more): label them with \`thaw predict <run> ${join(data, "test")}\``,
    );
    expect(code).toBe(0);
  }
});

test("errors name the archive and not the cache", async () => {
  const content = await encodeTiny({ seed: 1 }, "png");
  const archive = (name: string, ...files: string[]) => {
    writeFileSync(join(root, name), makeZip(files.map((file) => ({ name: file, content }))));
    return thaw(["data", "info", join(root, name)], env);
  };
  for (const [{ code, stderr }, what] of [
    [archive("flat.zip", "1.png", "2.png"), "flat.zip: holds 2 images, but no classes"],
    [
      archive("deep.zip", "a/b/1.png", "a/b/2.png", "a/b/c.csv"),
      "deep: all images belong to one class, b",
    ],
    [
      archive("folds.zip", "x/fold1/a/1.png", "x/fold2/a/1.png"),
      "folds.zip/x: fold1/, fold2/ look like pieces",
    ],
  ] as const) {
    expect(stderr).toContain(what);
    expect(stderr).not.toContain(env.THAW_HOME);
    expect(code).toBe(2);
  }
});
