import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { licenceOf } from "./licence.ts";

let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "thaw-licence-"));
});
afterEach(() => rmSync(out, { recursive: true }));

const recorded = (name: string, config: Record<string, unknown>) => {
  const dir = join(out, name);
  mkdirSync(join(dir, "checkpoints"), { recursive: true });
  writeFileSync(join(dir, "config.json"), JSON.stringify(config));
  writeFileSync(join(dir, "environment.json"), "{}");
  return { dir, config };
};
const none = "none: trained from random weights";

it("is none of random weights and of pixels", () => {
  expect(licenceOf(recorded("a", { model: "resnet18" }))).toBe(none);
  expect(licenceOf(recorded("b", { model: "logreg", features: "pixels" }))).toBe(none);
});

it("of embeddings is the registry's, whatever run has the model's name", () => {
  recorded("vit_tiny_patch16_224", { model: "simple_cnn" });
  const features = { model: "logreg", features: "vit_tiny_patch16_224" };
  expect(licenceOf(recorded("a", features))).toBe("Apache-2.0");
  // As weights it is the run.
  const weights = { model: "simple_cnn", weights: "vit_tiny_patch16_224" };
  expect(licenceOf(recorded("b", weights))).toBe(none);
});

it("is that of the run before, beside this one, by its name, its folder or its file", () => {
  const { dir } = recorded("first", { model: "vit_tiny_patch16_224", pretrained: true });
  const model = "vit_tiny_patch16_224";
  for (const weights of ["first", dir, join(dir, "checkpoints/best.safetensors")]) {
    expect(licenceOf(recorded("second", { model, weights }))).toBe("Apache-2.0");
  }
});

it("ends for runs that began with each other", () => {
  recorded("a", { model: "resnet18", weights: "b" });
  expect(licenceOf(recorded("b", { model: "resnet18", weights: "a" }))).toBe("unknown: that of b");
  expect(licenceOf(recorded("c", { model: "resnet18", weights: "c" }))).toBe("unknown: that of c");
});

it("is unknown of a run that is damaged, of a file, and of a repository with its owner", () => {
  const { dir } = recorded("first", {});
  writeFileSync(join(dir, "config.json"), "{");
  for (const [weights, said] of [
    ["first", "first"],
    ["/home/me/secret/mine.pth", "mine.pth"],
    ["hf-hub:someone/resnet18-dogs", "someone/resnet18-dogs"],
    ["someone/resnet18-dogs@v2", "someone/resnet18-dogs"],
  ] as const) {
    const run = recorded("second", { model: "resnet18", weights });
    expect(licenceOf(run)).toBe(`unknown: that of ${said}`);
  }
});
