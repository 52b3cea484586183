import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hubSettings } from "./environment.ts";

const cacheOf = (env: Record<string, string>) => hubSettings(env, "/home/me").cache;

test.each([
  [{}, "/home/me/.cache/huggingface/hub"],
  [{ XDG_CACHE_HOME: "/xdg" }, "/xdg/huggingface/hub"],
  [{ HF_HOME: "~/hf", XDG_CACHE_HOME: "/xdg" }, "/home/me/hf/hub"],
  [{ HF_HOME: "", XDG_CACHE_HOME: "" }, "/home/me/.cache/huggingface/hub"],
  [{ HUGGINGFACE_HUB_CACHE: "/old", HF_HOME: "/hf" }, "/old"],
  [{ HF_HUB_CACHE: "/new", HUGGINGFACE_HUB_CACHE: "/old" }, "/new"],
])("the cache for %j is %s", (env, cache) => {
  expect(cacheOf(env)).toBe(cache);
});

test("the endpoint, and what is none", () => {
  expect(hubSettings({}).endpoint).toBe("https://huggingface.co");
  expect(hubSettings({ HF_ENDPOINT: "http://mirror:8080/hf/" }).endpoint).toBe(
    "http://mirror:8080/hf",
  );
  expect(() => hubSettings({ HF_ENDPOINT: "mirror" })).toThrow("mirror is not an http or https");
});

test.each([
  ["1", true],
  ["yes", true],
  ["True", true],
  ["on", true],
  ["0", false],
  ["", false],
])("HF_HUB_OFFLINE=%s", (value, offline) => {
  expect(hubSettings({ HF_HUB_OFFLINE: value }).offline).toBe(offline);
});

test("the token: the variable, else the file unless that is forbidden", () => {
  const home = mkdtempSync(join(tmpdir(), "thaw-hf-"));
  const env = { HF_HOME: home };
  expect(hubSettings(env).token).toBeUndefined();
  writeFileSync(join(home, "token"), "hf_file\n");
  expect(hubSettings(env).token).toBe("hf_file");
  expect(hubSettings({ ...env, HF_TOKEN: " hf_variable\r\n" }).token).toBe("hf_variable");
  expect(hubSettings({ ...env, HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }).token).toBeUndefined();
  mkdirSync(join(home, "elsewhere"));
  const path = join(home, "elsewhere", "t");
  writeFileSync(path, "hf_other");
  expect(hubSettings({ ...env, HF_TOKEN_PATH: path }).token).toBe("hf_other");
  rmSync(home, { recursive: true });
});
