import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UsageError } from "../../../errors.ts";
import { formatReference, parseWeightsReference, pretrainedReference } from "./reference.ts";

let folder: string;
const before = process.cwd();
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-reference-"));
  process.chdir(folder);
});
afterEach(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

function refusal(text: string): UsageError {
  try {
    parseWeightsReference(text);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return error as UsageError;
  }
  throw new Error(`${text} was taken`);
}

test.each([
  ["hf-hub:WinKawaks/vit-small-patch16-224", "WinKawaks/vit-small-patch16-224", undefined],
  ["hf_hub:gpt2", "gpt2", undefined],
  ["timm/resnet50.a1_in1k", "timm/resnet50.a1_in1k", undefined],
  ["timm/resnet50.a1_in1k@v1.0", "timm/resnet50.a1_in1k", "v1.0"],
  ["hf-hub:owner/name@refs/pr/3", "owner/name", "refs/pr/3"],
  [`owner/name@${"a".repeat(40)}`, "owner/name", "a".repeat(40)],
])("%s is a repository", (text, repo, revision) => {
  const reference = parseWeightsReference(text);
  expect(reference).toEqual({ kind: "hub", repo, ...(revision && { revision }) });
  expect(formatReference(reference)).toBe(text.replace(/^hf[-_]hub:/, ""));
});

test("a model's name means its default weights", () => {
  expect(parseWeightsReference("resnet50")).toEqual({ kind: "hub", repo: "timm/resnet50.a1_in1k" });
  expect(parseWeightsReference("resnet56_cifar")).toEqual({
    kind: "hub",
    repo: "akamaster/resnet56_cifar",
  });
});

test("--pretrained: the model's default weights, or who has some", () => {
  expect(pretrainedReference("vit_tiny_patch16_224")).toEqual({
    kind: "hub",
    repo: "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k",
  });
  expect(() => pretrainedReference("simple_cnn")).toThrow(
    expect.objectContaining({
      message: "--pretrained: simple_cnn has no published weights",
      hint: expect.stringMatching(/take one of convnext_tiny, .*resnet56_cifar/),
    }),
  );
});

test("a run by its name in the folder of the runs", () => {
  mkdirSync("mine/first/checkpoints", { recursive: true });
  writeFileSync("mine/first/checkpoints/best.safetensors", "");
  mkdirSync("mine/begun");
  const run = { kind: "run", path: join("mine", "first") };
  expect(parseWeightsReference("first", { out: "mine" })).toEqual(run);
  // A folder of the name that has no weights is not what was meant.
  mkdirSync("first");
  expect(parseWeightsReference("first", { out: "mine" })).toEqual(run);
  const parse = (text: string) => () => parseWeightsReference(text, { out: "mine" });
  expect(parse("begun")).toThrow(`--weights ${join("mine", "begun")}: no weights in that folder`);
  expect(parse("frist")).toThrow(
    expect.objectContaining({ hint: expect.stringContaining("runs in mine: first; --weights") }),
  );
});

test.each([".safetensors", ".pth", ".th", ".pt", ".bin", ".PTH"])("a %s file", (extension) => {
  writeFileSync(`x${extension}`, "");
  const path = join(folder, `x${extension}`);
  expect(parseWeightsReference(path)).toEqual({ kind: "file", path });
});

test("what exists wins over a repository of that name", () => {
  mkdirSync("runs/first/checkpoints", { recursive: true });
  writeFileSync("runs/first/checkpoints/best.safetensors", "");
  expect(parseWeightsReference("runs/first")).toEqual({ kind: "run", path: "runs/first" });
  expect(parseWeightsReference("hf-hub:runs/first")).toEqual({ kind: "hub", repo: "runs/first" });
  mkdirSync("owner/name", { recursive: true });
  writeFileSync("owner/name/pytorch_model.bin", "");
  const path = join("owner", "name", "pytorch_model.bin");
  expect(parseWeightsReference("owner/name")).toEqual({ kind: "file", path });
  writeFileSync("owner/name/model.safetensors", "");
  const safe = join("owner", "name", "model.safetensors");
  expect(parseWeightsReference("owner/name")).toEqual({ kind: "file", path: safe });
});

test.each([
  ["", "is empty", "hf-hub:owner/name"],
  ["resnet50.a1_in1k", "neither a file", "did you mean timm/resnet50.a1_in1k? "],
  ["resnet5O", "neither a file", "did you mean resnet50? "],
  ["./nothing", "no such file or folder", "check the path"],
  ["a/b/c", "no such file or folder", "check the path"],
  ["net.pth", "no such file or folder", "check the path"],
  ["~/net.pth", "no such file or folder", "check the path"],
  ["https://huggingface.co/timm/x", "addresses are not fetched", "hf-hub:owner/name"],
  ["hf-hub:../../etc/passwd", '"../../etc/passwd" cannot be a repository', "hf-hub:owner/name"],
  ["hf-hub:owner/../name", "cannot be a repository", ""],
  ["hf-hub:a--b/c", "cannot be a repository", ""],
  ["hf-hub:", '"" cannot be a repository', ""],
  ["owner/name@", '"" cannot be a revision', "a branch, a tag or a commit"],
  ["hf-hub:owner/name@../../main", "cannot be a revision", ""],
  ["hf-hub:owner/name@a//b", "cannot be a revision", ""],
])("%s is refused", (text, message, hint) => {
  const error = refusal(text);
  expect(error.message).toContain(message);
  expect(error.hint).toContain(hint);
});

test("a run that is not there, beside others, is not looked for on the hub", () => {
  mkdirSync("runs/other", { recursive: true });
  const error = refusal("runs/first");
  expect(error.message).toBe("--weights runs/first: there is no such file or folder");
  expect(error.hint).toContain("a repository of that name is hf-hub:runs/first");
  expect(refusal("runs/other").message).toContain("no weights in that folder");
});

test("a file of another kind", () => {
  writeFileSync("model.onnx", "");
  expect(refusal("model.onnx").hint).toContain(".safetensors");
});
