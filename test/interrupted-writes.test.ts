import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageRoot } from "../src/libtorch/home.ts";
import { isTemporary } from "../src/platform/temporary.ts";
import { abandonedPath } from "./support/abandoned.ts";
import { type Failure, failingCalls } from "./support/failing-calls.ts";
import { makeHome, type Outcome, thaw, thawMain } from "./support/thaw-process.ts";
import { writeTinyFolder } from "./support/tiny-images.ts";

const folder = mkdtempSync(join(tmpdir(), "thaw-interrupted-"));
afterAll(() => rmSync(folder, { recursive: true }));
const failing = failingCalls(folder);
if (typeof failing === "string") console.log(`interrupted writes: skipped: ${failing}`);

const out = join(folder, "runs");
const dir = join(out, "a");
let env: { THAW_HOME: string };

/** Runs `thaw` while these operations fail, or kill it. */
const run = (args: readonly string[], ...failures: Failure[]): Outcome =>
  thaw(args, { ...env, ...(failures.length > 0 && asEnvironment(failures)) });
const asEnvironment = (failures: readonly Failure[]) =>
  (failing as Exclude<typeof failing, string>)(...failures);

/** Runs a few lines that use modules of Thaw, without its start. */
function script(lines: string, ...failures: Failure[]): Outcome {
  const from = (module: string) => pathToFileURL(join(packageRoot(), "dist", module)).href;
  const text = `
    import { appendLine, writeDurably, writeWhole } from "${from("platform/durable.js")}";
    import { withRunLock } from "${from("run/run-lock.js")}";
    import { RunRecord } from "${from("run/record.js")}";
    import { saveCheckpoint } from "${from("run/checkpoint.js")}";
    import { reportError } from "${from("cli/frame.js")}";
    try { ${lines} } catch (error) { process.exitCode = reportError(error, false); }`;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "-e", text],
    { encoding: "utf8", env: { ...process.env, ...asEnvironment(failures) } },
  );
  return { code: status, stdout, stderr };
}

const temporaries = (where: string) => readdirSync(where).filter(isTemporary);

describe.skipIf(typeof failing === "string")("a process killed while it writes", () => {
  const pictures = ["curves.png", "confusion_matrix.png", "reliability.svg", "misclassified.png"];
  const missing = () => pictures.filter((file) => !existsSync(join(dir, file)));
  const exported = join(dir, "export");
  const digestOf = (file: string) => readFileSync(join(exported, file)).toString("base64");

  beforeAll(async () => {
    env = await makeHome(join(folder, "home"), 200);
    const killed = run(
      [
        ...[
          "train",
          "--data",
          "fashion-mnist",
          "--model",
          "simple_cnn",
          "--out",
          out,
          "--name",
          "a",
        ],
        ...["--epochs", "4", "--train-size", "64", "--val-size", "20", "--test-size", "20"],
        ...["--batch-size", "32", "--threads", "1", "--precision", "fp32"],
      ],
      // An old checkpoint that cannot be removed is no reason to end a run whose new one is saved.
      { call: "unlink", path: "step-000000002.safetensors", with: "EIO" },
      { call: "create", path: "/.curves.svg.", with: "kill" },
    );
    expect([killed.code, killed.stderr]).toEqual([
      null,
      expect.stringMatching(/step-000000002\.safetensors .* cannot be removed: the disk reports/),
    ]);
  }, 60_000);

  test("between its last result and its pictures: train --resume draws them", () => {
    expect(JSON.parse(readFileSync(join(dir, "summary.json"), "utf8")).status).toBe("finished");
    expect(missing()).toEqual(pictures);
    expect(temporaries(dir)).toHaveLength(1);
    const { code, stderr } = run(["train", "--resume", "a", "--out", out]);
    expect(stderr).toMatch(/pictures missing since an interruption were drawn: curves\.png, /);
    expect(code).toBe(0);
    expect([missing(), temporaries(dir)]).toEqual([[], []]);
  });

  test("report draws what is missing, leaves what is there, and clears what a report left", () => {
    for (const file of ["reliability.svg", "misclassified.png"]) rmSync(join(dir, file));
    const before = statSync(join(dir, "curves.png")).mtimeMs;
    const killed = script(`writeDurably(${JSON.stringify(join(out, "report.html"))}, "half");`, {
      ...{ call: "fsync", path: "report.html", with: "kill" },
    });
    expect([killed.code, temporaries(out).length]).toEqual([null, 1]);
    const { code, stderr } = run(["report", "--out", out]);
    expect(stderr).toContain("were drawn: reliability.png, misclassified.png");
    expect([code, missing(), temporaries(out)]).toEqual([0, [], []]);
    expect(statSync(join(dir, "curves.png")).mtimeMs).toBe(before);
  });

  test("compare draws the pictures of a member that was finished before", () => {
    rmSync(join(dir, "curves.svg"));
    const file = join(folder, "matrix.json");
    const {
      name: _,
      out: __,
      ...base
    } = JSON.parse(readFileSync(join(dir, "config.json"), "utf8")) as Record<string, unknown>;
    writeFileSync(file, JSON.stringify({ base, matrix: { seed: [base["seed"]] } }));
    const { code, stderr } = run(["compare", file, "--out", out]);
    expect(stderr).toMatch(/\[1\/1\] a: is finished/);
    expect(stderr).toContain("were drawn: curves.png");
    expect([code, existsSync(join(dir, "curves.svg"))]).toEqual([0, true]);
  });

  test("export --overwrite, between its two renames: the earlier export comes back", () => {
    expect(run(["export", "a", "--out", out]).code).toBe(0);
    const earlier = digestOf("model.onnx");
    const swap: Failure = { call: "rename", path: `${exported}>`, with: "kill", which: 1 };
    const half = ["export", "a", "--out", out, "--half", "--overwrite"];
    expect(run(half, swap).code).toBeNull();
    expect([existsSync(exported), temporaries(dir).length]).toEqual([false, 2]);
    const predicted = run(["predict", exported, join(dir, "misclassified.png"), "--top", "1"]);
    expect(predicted.stderr).toContain("the earlier export was restored");
    expect([predicted.code, digestOf("model.onnx")]).toEqual([0, earlier]);
    // An image on standard input, whatever lies there under another name.
    const piped = spawnSync(process.execPath, [thawMain, "predict", exported, "-", "--json"], {
      ...{ input: readFileSync(join(dir, "misclassified.png")), encoding: "utf8" },
      env: { ...process.env, ...env },
    });
    const answers = JSON.parse(piped.stdout) as { top: unknown[] }[];
    expect(answers).toEqual([{ file: "-", top: expect.any(Array) as unknown[] }]);
    expect(answers[0]!.top).toHaveLength(5);
    // A full disk names the file and a flag that there is; nothing is left, and the earlier export is as it was.
    const full = run(half, { call: "write", path: ".export.json.", with: "ENOSPC" });
    expect(full.stderr).toMatch(/a\/export\/export\.json: the disk is full: \d+ bytes to write/);
    expect(full.stderr).toContain("free some space, or choose another folder with --to");
    expect([full.code, digestOf("model.onnx"), temporaries(dir)]).toEqual([1, earlier, []]);
  });

  test("data prepare: what is left of rejected.csv and of copies is cleared by the next", async () => {
    const [from, to] = [join(folder, "photos"), join(folder, "prepared")];
    await writeTinyFolder(from, { cat: 3, dog: 3 }, { width: 70, height: 66 });
    const prepare = ["data", "prepare", from, "--out", to];
    const killed = run(prepare, { call: "fsync", path: ".rejected.csv.", with: "kill" });
    expect([killed.code, temporaries(to).length]).toEqual([null, 1]);
    writeFileSync(abandonedPath(join(to, "train/cat/1.png")), "half");
    expect(run(prepare).code).toBe(0);
    expect(
      readdirSync(to, { recursive: true })
        .map(String)
        .filter((name) => name.includes(".tmp")),
    ).toEqual([]);
  });
});

describe.skipIf(typeof failing === "string")("a disk that fails", () => {
  const where = join(folder, "failing");
  const locked = (body: string) =>
    `await withRunLock(${JSON.stringify(join(where, "b"))}, async () => { ${body} });`;
  const record = `const run = new RunRecord(${JSON.stringify(join(where, "b"))});`;
  const save = `saveCheckpoint(${JSON.stringify(join(where, "b/checkpoints"))},
    { step: 3, epoch: 1, samplePosition: 0, configDigest: "", fingerprint: {}, state: null }, new Map());`;

  test.each<[string, string, Failure[], RegExp, RegExp]>([
    [
      "with EIO until the end: the file is named, and not the lock",
      locked(save),
      [
        { call: "write", path: "step-", with: "EIO" },
        { call: "unlink", path: "/failing/", with: "EIO" },
      ],
      /step-000000003\.safetensors: cannot be written: the disk reports an input\/output error/,
      /may be failing .* choose another folder with --out/,
    ],
    [
      "over quota, which Node has no name for",
      locked(save),
      [{ call: "fsync", path: "step-", with: "EDQUOT" }],
      /step-000000003\.safetensors: the disk quota is used up: \d+ bytes to write/,
      /Free some space .* --resume/,
    ],
    [
      "over quota in what is written bit by bit",
      `await writeWhole(${JSON.stringify(join(where, "a.zip"))}, [Buffer.from("x")]);`,
      [{ call: "write", path: "/.a.zip.", with: "EDQUOT" }],
      /the disk quota is used up/,
      /free some space/,
    ],
    [
      "without permission for a folder: not a matter of space",
      locked(""),
      [{ call: "mkdir", path: "/failing", with: "EACCES" }],
      /\/failing: cannot be written: permission denied/,
      /write permission there, or choose another folder with --out/,
    ],
    [
      "without permission for a lock",
      locked(""),
      [{ call: "create", path: ".b.lock", with: "EACCES" }],
      /\.b\.lock: cannot be written: permission denied/,
      /write permission there/,
    ],
    [
      "that is read-only",
      `${record} run.writeJson("summary.json", {});`,
      [{ call: "create", path: ".summary.json.", with: "EROFS" }],
      /summary\.json: cannot be written: the file system is read-only/,
      /choose another folder with --out/,
    ],
    [
      "with a file too large for it",
      `${record} run.appendStep({});`,
      [{ call: "write", path: "steps.jsonl", with: "EFBIG" }],
      /steps\.jsonl: cannot be written: the file is larger than/,
      /choose another folder/,
    ],
    [
      "or a process with too many open files",
      `${record} run.appendStep({});`,
      [{ call: "create", path: "steps.jsonl", with: "EMFILE" }],
      /steps\.jsonl: cannot be written: too many files are open/,
      /ulimit -n/,
    ],
    [
      "over the network, and is gone",
      `${record} run.writeJson("config.json", {});`,
      [{ call: "rename", path: "config.json", with: "ESTALE" }],
      /config\.json: cannot be written: the network file system does not respond/,
      /mount it again/,
    ],
  ])("%s", (_name, lines, failures, what, todo) => {
    const { code, stderr } = script(
      `const { mkdirSync } = await import("node:fs");
       if (!${JSON.stringify(failures.some(({ call }) => call === "mkdir"))})
         mkdirSync(${JSON.stringify(join(where, "b/checkpoints"))}, { recursive: true });
       ${lines}`,
      ...failures,
    );
    rmSync(where, { recursive: true, force: true });
    expect(stderr.split("\n")[0]).toMatch(what);
    expect(stderr.split("\n")[1]).toMatch(todo);
    if (!what.source.includes("full") && !what.source.includes("quota")) {
      expect(stderr).not.toMatch(/free some space/i);
    }
    expect(code).toBe(1);
  });
});
