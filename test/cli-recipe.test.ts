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
import { afterAll, beforeAll, expect, test } from "vitest";
import { readComparison } from "../src/run/comparison.ts";
import { lrFindSchema } from "../src/run/lr-find.ts";
import { readProfile } from "../src/run/profile.ts";
import { openRun } from "../src/run/read.ts";
import { makeHome, type Outcome, thaw } from "./support/thaw-process.ts";

let folder: string;
let file: string;
let env: Record<string, string>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-cli-recipe-"));
  const { THAW_HOME } = await makeHome(join(folder, "home"), 400);
  env = { THAW_HOME, HF_HOME: join(folder, "hub"), HF_HUB_CACHE: "" };
  file = join(folder, "r.yaml");
});
afterAll(() => rmSync(folder, { recursive: true }));

const base =
  "data: fashion-mnist, trainSize: 64, valSize: 40, epochs: 1, batchSize: 16, precision: fp32, threads: 1";
const compare = (text: string, out: string, ...flags: string[]): Outcome => {
  writeFileSync(file, text);
  return thaw(["compare", file, "--out", join(folder, out), "--offline", ...flags], env);
};

test("a rate is found once for all seeds, kept, named in the report, and the same when gone on with", () => {
  const text = `
base: {${base}, lr: find}
matrix: {model: [simple_cnn, logreg], seed: [1, 2]}
`;
  const place = join(folder, "rates");
  const first = compare(text, "rates");
  expect([first.code, first.stderr]).toEqual([0, expect.stringContaining("looking for its")]);
  expect(first.stderr.match(/: learning rate/g)).toHaveLength(1);
  const [kept] = readdirSync(join(place, "lr-find"));
  const found = join(place, "lr-find", kept!);
  expect(existsSync(join(found, "lr-find.png"))).toBe(true);
  const { suggestion } = lrFindSchema.parse(
    JSON.parse(readFileSync(join(found, "lr-find.json"), "utf8")),
  );
  const lr = Number(suggestion.lr.toPrecision(2));
  const rates = ["s1", "s2"].map(
    (seed) => openRun(`fashion-mnist-simple_cnn-scratch-${seed}`, place).config["lr"],
  );
  expect(rates).toEqual([lr, lr]);
  expect(first.stdout).toContain(
    `had the learning rate that thaw lr-find suggested for it: simple_cnn (scratch, adam) ${lr}.`,
  );
  expect(compare(text, "rates", "--dry-run").stderr.match(/^finished /gm)).toHaveLength(4);
  const again = compare(text, "rates", "--json");
  expect(again.stderr).toContain(`learning rate ${lr} was found before`);
  expect(JSON.parse(again.stdout)).toMatchObject({ skipped: 4, failed: [] });
});

test("what fails its sanity check is not trained, and named; the others are exported and profiled", () => {
  const text = `
sanity: true
lrFind: true
base: {${base}}
matrix: {model: [{name: good, model: simple_cnn}, {name: wild, model: simple_cnn, lr: 1.0e30}]}
evaluate: [{runs: [good-s42], tta: flip}]
export: {precisions: [fp32, fp16], opset: 15}
profile: {batchSizes: [4], steps: 3, warmup: 1, seconds: 1, trace: 1}
`;
  const place = join(folder, "checked");
  const { code, stderr, stdout } = compare(text, "checked");
  expect(code).toBe(1);
  expect(stderr).toMatch(/✓ overfit[\s\S]*✗ /);
  expect(stderr).toMatch(/failed: wild-s42: its sanity check failed: /);
  expect(existsSync(join(place, "wild-s42"))).toBe(false);
  // The range test was made, once for what differs in its rate alone, and changed no rate.
  expect(readdirSync(join(place, "lr-find"))).toHaveLength(1);
  expect(openRun("good-s42", place).config["lr"]).toBe(0.01);
  expect(JSON.parse(readFileSync(join(place, "sanity/wild.json"), "utf8"))).toMatchObject({
    ok: false,
  });
  expect(stdout).toMatch(/- wild-s42 has no result: its sanity check failed/);
  expect(stdout).toMatch(/- Exported as ONNX, opset 15.*good-s42 \(.*good-s42 in fp16 \(/);
  expect(readdirSync(join(place, "exports"))).toEqual(["good-s42", "good-s42-fp16"]);
  expect(readProfile(join(place, "profile"))).toMatchObject({
    status: "finished",
    models: [{ model: "simple_cnn", input: [1, 28, 28], classes: 10 }],
  });
  expect(readFileSync(join(place, "report.md"), "utf8")).toContain("Speed and memory");
  expect(stderr).toMatch(/good-s42-flip: judging the test images[\s\S]*test accuracy /);
  const flipped = openRun("good-s42-flip", place);
  expect(flipped.summary).toMatchObject({ status: "finished", strategy: "flip" });
  expect(readFileSync(join(place, "report.md"), "utf8")).toContain("good-s42-flip");
  const again = compare(text, "checked");
  // The one that failed may be mended: it is looked at again. All else is there.
  expect(again.stderr.match(/: sanity$/gm)).toHaveLength(1);
  expect(again.stderr).not.toMatch(/profiling|judging|epoch 1 /);
});

test("a stand-in is taken where weights cannot be had, and where none can, the member fails by name", () => {
  const text = `
base: {${base}, pretrained: true}
matrix:
  model:
    - {name: helped, model: resnet18, standIn: [{model: resnet34}, {model: simple_cnn, strategy: scratch}]}
    - {name: alone, model: resnet18, epochs: 2}
`;
  const { code, stderr, stdout } = compare(text, "stand-ins");
  expect(code).toBe(1);
  const sentence =
    /resnet18: its weights timm\/resnet18\.a1_in1k could not be had \(.*offline\); simple_cnn starts from random weights instead\./;
  expect(stderr).toMatch(sentence);
  expect(stdout.split("\n")[0]).toMatch(sentence);
  expect(openRun("helped-simple_cnn-s42", join(folder, "stand-ins")).summary?.status).toBe(
    "finished",
  );
  expect(stderr).toMatch(/failed: alone-s42: .*is not in /);
  // What is said of it is in the folder, for any later report.
  const report = thaw(["report", "--out", join(folder, "stand-ins"), "--json"], env);
  expect(JSON.parse(report.stdout).findings[0]).toMatch(sentence);
  // A dry run shows it in its member's place, and either name chooses it.
  const only = compare(text, "stand-ins", "--dry-run", "--only", "helped-simple_cnn");
  expect(only.stderr).toBe("finished  helped-simple_cnn-s42\n");
  // A call of the other member alone leaves what is known of this one.
  const before = readComparison(join(folder, "stand-ins"));
  expect(before?.standIns).toHaveLength(1);
  expect(compare(text, "stand-ins", "--only", "alone").code).toBe(1);
  expect(readComparison(join(folder, "stand-ins"))).toEqual(before);
});

test("an export that fails is named and stops no other; data in the place of a step are not touched", () => {
  const text = `
base: {${base}}
matrix: {model: [logreg, knn]}
export: {which: all}
`;
  const place = join(folder, "exports-fail");
  expect(compare(text, "exports-fail").code).toBe(0);
  const file = join(place, "exports", "fashion-mnist-logreg-pixels-s42", "export.json");
  const stamp = () => statSync(file).mtimeMs;
  const kept = stamp();
  expect(compare(text, "exports-fail").code).toBe(0);
  expect(stamp()).toBe(kept);
  // By another plan it is made anew, and where it is damaged.
  expect(compare(text.replace("all", "all, opset: 15"), "exports-fail").code).toBe(0);
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ opset: 15 });
  writeFileSync(file, "{");
  expect(compare(text, "exports-fail").code).toBe(0);
  expect(JSON.parse(readFileSync(file, "utf8"))).not.toMatchObject({ opset: 15 });
  const exported = join(place, "exports", "fashion-mnist-knn-pixels-s42");
  rmSync(exported, { recursive: true });
  writeFileSync(exported, "mine");
  const { code, stderr, stdout } = compare(text, "exports-fail");
  expect(code).toBe(1);
  expect(stderr).toMatch(/not exported: fashion-mnist-knn-pixels-s42 \(fp32\): .*is no export/);
  expect(stdout).toContain("Exported as ONNX");
  expect(readFileSync(exported, "utf8")).toBe("mine");
  const archive = join(folder, "mine.zip");
  writeFileSync(archive, "mine");
  const packing = compare(
    `prepare: [{pack: fashion-mnist, trainSize: 20, out: ${archive}}]\nbase: {${base}, model: knn}`,
    "packed",
  );
  expect([packing.code, packing.stderr]).toEqual([
    2,
    expect.stringContaining("mine.zip is there, and was not packed by this step"),
  ]);
  expect(readFileSync(archive, "utf8")).toBe("mine");
  // What a step says that was killed once its archive was there.
  const step = { pack: "fashion-mnist", out: archive, seed: 42, trainSize: 20, valSize: 10 };
  writeFileSync(`${archive}.json`, JSON.stringify({ step }));
  const anew = compare(
    `prepare: [{pack: fashion-mnist, trainSize: 20, valSize: 10, out: ${archive}}]\nbase: {data: ${archive}, model: knn}`,
    "packed-anew",
  );
  expect([anew.code, anew.stderr]).toEqual([0, expect.stringContaining("110 images in ")]);
  const preparing = compare(
    `prepare: [{prepare: fashion-mnist, out: ${join(folder, "p")}}]\nbase: {${base}, model: knn}`,
    "prepared",
  );
  expect(preparing.stderr).toContain("fashion-mnist is whole and split already");
});
