import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadModel, saveModel } from "../src/run/checkpoint.ts";
import { makeHome, type Outcome, thaw, thawMain } from "./support/thaw-process.ts";

let folder: string;
let out: string;
let env: { THAW_HOME: string };
let file: string;
const run = (...args: string[]): Outcome => thaw(args, env);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-cli-export-"));
  out = join(folder, "runs");
  env = await makeHome(join(folder, "home"), 400);
  const trained = run(
    ...["train", "--data", "fashion-mnist", "--model", "simple_cnn", "--out", out, "--name", "a"],
    ...["--epochs", "1", "--train-size", "128", "--batch-size", "32"],
    ...["--precision", "fp32", "--threads", "1"],
  );
  expect(trained.code, trained.stderr).toBe(0);
  mkdirSync(join(folder, "photos/deep"), { recursive: true });
  for (const [i, name] of ["a.png", "deep/b.png", "c.png"].entries()) {
    const pixels = Uint8Array.from({ length: 28 * 28 }, (_, j) => (j * (i + 3)) & 255);
    await sharp(pixels, { raw: { width: 28, height: 28, channels: 1 } }).toFile(
      join(folder, "photos", name),
    );
  }
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

test("thaw export writes a file, says how well it agrees, and does not write over it", () => {
  const { code, stderr } = run("export", "a", "--out", out);
  expect(stderr).toMatch(/export: \d+\.\d MB in fp32, opset 17, \d+ nodes/);
  expect(stderr).toMatch(/ONNX Runtime on \d+ validation images: .* 100\.00 % get the same class/);
  expect(code).toBe(0);
  file = join(out, "a/export/model.onnx");
  const again = run("export", "a", "--out", out);
  expect([again.code, again.stderr]).toEqual([
    2,
    expect.stringContaining("--overwrite replaces it"),
  ]);
  const int8 = run(
    "export",
    "a",
    "--out",
    out,
    "--overwrite",
    "--int8",
    "--max-drop",
    "50",
    "--json",
  );
  expect(int8.code, int8.stderr).toBe(0);
  expect(JSON.parse(int8.stdout)).toMatchObject({
    precision: "int8",
    int8: { images: 80, maxDrop: 50 },
  });
  expect(run("export", "a", "--out", out, "--overwrite").code).toBe(0);
});

test("thaw predict says the same of a file and of the run, in three forms", () => {
  const photos = join(folder, "photos");
  const [fromFile, fromRun] = [file, "a"].map((model) =>
    // --out is where a run is looked for by its name.
    run("predict", model, photos, ...(model === "a" ? ["--out", out] : []), "--top", "2", "--json"),
  ) as [Outcome, Outcome];
  expect(fromFile.code, fromFile.stderr).toBe(0);
  type Answers = { file: string; top: { label: string; probability: number }[] }[];
  const [a, b] = [fromFile, fromRun].map(({ stdout }) => JSON.parse(stdout) as Answers) as [
    Answers,
    Answers,
  ];
  expect(a).toHaveLength(3);
  expect(a.map(({ top }) => top.map(({ label }) => label))).toEqual(
    b.map(({ top }) => top.map(({ label }) => label)),
  );
  const csv = run("predict", file, photos, "--top", "1", "--csv").stdout.trim().split("\n");
  expect(csv[0]).toBe("file,label1,probability1,error");
  expect(csv.slice(1).map((line) => line.split(",")[1])).toEqual(a.map(({ top }) => top[0]!.label));
  const { stdout } = run("predict", file, join(photos, "a.png"));
  expect(stdout).toMatch(/a\.png {2}.+ \d+\.\d\d %/);
});

test("thaw predict tells files that cannot be read, labels the others and ends with 1", () => {
  const broken = join(folder, "broken.png");
  writeFileSync(broken, readFileSync(join(folder, "photos/a.png")).subarray(0, 50));
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [thawMain, "predict", file, "-", "--csv", "--top", "1"],
    {
      encoding: "utf8",
      input: `${broken}\n${join(folder, "photos/a.png")}\n${join(folder, "gone.png")}\n`,
      env: { ...process.env, ...env },
    },
  );
  expect(stderr).toContain(`${broken}: cannot be decoded`);
  expect(stderr).toContain("2 of 3 images could not be read");
  expect(stdout.trim().split("\n")).toHaveLength(4);
  expect(status).toBe(1);
});

test("what thaw predict prints of a name moves no cursor, and --json is a whole document", () => {
  const named = join(folder, "a\x1b[2J\n.png");
  writeFileSync(named, readFileSync(join(folder, "photos/a.png")));
  const plain = run("predict", file, named, "--top", "1");
  expect(plain.stdout).toContain("a\\x1b[2J\\x0a.png  ");
  expect(plain.stdout.trim().split("\n")).toHaveLength(1);
  const names = [named, named, join(folder, "gone")];
  const gone = run("predict", file, ...names, "--batch-size", "1", "--json");
  expect(gone.code).toBe(2);
  expect(JSON.parse(gone.stdout)).toMatchObject([{ file: named }]);
});

test.each([
  [["predict", "nothing", "x.png"], 2, "nothing: no run of this name"],
  [["export", "a", "--half", "--int8"], 2, "--half and --int8"],
  [["export", "a", "--max-drop", "2"], 2, "--max-drop requires --int8"],
  [["export", "a", "--opset", "9"], 1, "opset 9: 14 to 21 are written"],
  [["push", "a", "dogs"], 2, "dogs is no repository of the hub"],
])("%j", (args, code, message) => {
  const said = run(...args, "--out", out);
  expect(said.stderr).toContain(message);
  expect(said.code).toBe(code);
});

test("large outputs may differ by more, --max-difference sets the limit: exit code 3, and nothing is written", () => {
  const best = join(out, "a/checkpoints/best.safetensors");
  const { tensors, metadata } = loadModel(best);
  const weight = tensors.get("fc2.weight")!;
  // So large that fp32's own rounding is more than any fixed limit.
  const values = new Float32Array(weight.bytes.slice().buffer).map((value) => value * 1e6);
  const changed = new Map(tensors).set("fc2.weight", {
    ...weight,
    bytes: new Uint8Array(values.buffer),
  });
  const { sha256: _, ...rest } = metadata;
  saveModel(best, changed, rest);
  const to = join(folder, "differs");
  const refused = run("export", "a", "--out", out, "--to", to, "--max-difference", "1e-9");
  expect(refused.stderr).toContain(
    "the exported file does not match its model: outputs differ by up to",
  );
  expect(refused.stderr).toMatch(
    /must have a difference of at most 1e-9 and .*; --max-difference \S+ allows more/,
  );
  expect([refused.code, existsSync(to)]).toEqual([3, false]);
  const { code, stderr } = run("export", "a", "--out", out, "--to", to);
  expect(stderr).toMatch(/outputs differ by up to \d\S+ \(the largest output is \d{6,}/);
  expect(code).toBe(0);
  const half = run("export", "a", "--out", out, "--to", to, "--overwrite", "--half");
  expect(half.stderr).toMatch(/the file's outputs are NaN or infinite for \d+ of 14 images/);
  expect(half.stderr).toContain("float16 overflows above 65,504");
  expect([half.code, existsSync(to)]).toEqual([3, true]);
});
