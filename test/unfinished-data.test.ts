import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeHome, startThaw, thaw, thawMain } from "./support/thaw-process.ts";
import { writeTiny, writeTinyFolder } from "./support/tiny-images.ts";
import { makeZip } from "./zip.ts";

const JOURNAL = ".thaw-prepare.jsonl";
let root: string;
let env: { THAW_HOME: string };
/** A source in a folder whose name a shell would take apart. */
let source: string;
/** What `thaw data prepare` leaves when it is killed. */
let out: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "thaw-unfinished-"));
  env = await makeHome(join(root, "home"), 1000);
  source = join(root, "it's mine");
  out = join(root, "out");
  await writeTinyFolder(source, { cat: 5, dog: 5 });
  // The last in order; while it is decoded, the process is killed.
  await writeTiny(join(source, "dog/z.png"), { width: 4000, height: 4000, seed: 99 });
  const args = ["data", "prepare", source, "--out", out, "--split", "70/15/15", "--seed", "7"];
  const { child, ended } = startThaw(args, env);
  const watch = setInterval(() => {
    const journal = join(out, JOURNAL);
    if (!existsSync(journal) || readFileSync(journal, "utf8").split("\n").length < 8) return;
    child.kill("SIGKILL");
    clearInterval(watch);
  }, 1);
  const { code } = await ended;
  clearInterval(watch);
  expect(code).toBe(null);
}, 60_000);
afterAll(() => rmSync(root, { recursive: true }));

const train = ["--model", "simple_cnn", "--epochs", "1", "--threads", "1"];
const goOn = () => {
  const place = `'${source.replace("'", "'\\''")}'`;
  return `thaw data prepare ${place} --out ${out} --split 0.7/0.15/0.15 --seed 7 --min-size 8`;
};

test("every command refuses the folder, and names the command that goes on", () => {
  const matrix = join(root, "matrix.yaml");
  writeFileSync(matrix, `base: { data: "${out}", epochs: 1 }\nmatrix: { model: [simple_cnn] }\n`);
  for (const args of [
    ["data", "info", out],
    ["data", "prepare", out, "--out", join(root, "again")],
    ["data", "pack", out, "--out", join(root, "a.zip")],
    ["train", "--data", out, ...train, "--out", join(root, "runs")],
    ["compare", matrix, "--out", join(root, "runs")],
  ]) {
    const { code, stderr } = thaw(args, env);
    expect(stderr).toContain("`thaw data prepare` has not finished here: images are missing");
    expect(stderr).toContain(`continue with \`${goOn()}\``);
    expect(code).toBe(1);
  }
  expect(existsSync(join(root, "a.zip"))).toBe(false);
  expect(existsSync(join(root, "runs", "simple_cnn"))).toBe(false);
});

test("the command that is named goes on, as a shell reads it, and then the folder is data", () => {
  const copy = join(root, "copied");
  cpSync(out, copy, { recursive: true });
  const { stderr } = thaw(["data", "info", copy, "--no-sheet"], env);
  const command = /continue with `(.*)`$/m.exec(stderr)![1]!;
  const shell = spawnSync(
    "sh",
    ["-c", `thaw() { "${process.execPath}" "${thawMain}" "$@"; }; ${command}`],
    {
      encoding: "utf8",
      env: { ...process.env, ...env, NO_COLOR: "1" },
      cwd: tmpdir(),
    },
  );
  expect(shell.stderr).toContain("files had been checked by an interrupted run");
  expect(shell.stderr).toMatch(/11 images in .*out /);
  expect(thaw(["data", "info", out, "--no-sheet"], env).code).toBe(0);
  expect(readdirSync(out).sort()).toEqual([
    "manifest.json",
    "rejected.csv",
    "test",
    "train",
    "val",
  ]);
});

test("an archive appears under its name when it is whole; what a killed process left is no data", async () => {
  const folder = join(root, "packing");
  const args = ["data", "pack", "fashion-mnist", "--out", join(folder, "a.zip")];
  cpSync(join(source, "cat"), folder, { recursive: true });
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  const { child, ended } = startThaw(args, env);
  const watch = setInterval(() => {
    if (readdirSync(folder).length === 0) return;
    child.kill("SIGKILL");
    clearInterval(watch);
  }, 1);
  expect((await ended).code).toBe(null);
  const [left, ...more] = readdirSync(folder);
  expect(left).toMatch(/^\.a\.zip\..*\.tmp$/);
  expect(more).toEqual([]);
  const { code, stderr } = thaw(["data", "info", join(folder, left!)], env);
  expect(stderr).toContain("is an incomplete file, left by a Thaw command that was stopped");
  expect(code).toBe(2);
});

test("an archive that somebody packed of such a folder is refused, too", async () => {
  const image = readFileSync(join(source, "cat/0.png"));
  const zip = makeZip([
    ...["out/train/cat/0.png", "out/train/dog/0.png"].map((name) => ({ name, content: image })),
    { name: `out/${JOURNAL}`, content: '{"command":"thaw"}\n' },
  ]);
  writeFileSync(join(root, "half.zip"), zip);
  const { code, stderr } = thaw(["data", "info", join(root, "half.zip")], env);
  expect(stderr).toContain(
    "half.zip: was packed from a folder that `thaw data prepare` had not finished",
  );
  expect(code).toBe(1);
});
