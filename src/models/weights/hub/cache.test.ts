import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fakeHub, sha256 } from "../../../../test/support/fake-hub.ts";
import { RepoCache } from "./cache.ts";
import { resolveWeights } from "./resolve.ts";

interface Fixture {
  readonly repo: string;
  readonly commit: string;
  readonly files: Record<string, { base64: string; large: boolean }>;
  readonly tree: Record<string, { link?: string; text?: string; sha256?: string }>;
}

const fixture = JSON.parse(
  readFileSync(new URL("../../../../test/fixtures/hub-cache.json", import.meta.url), "utf8"),
) as Fixture;
const { repo, commit } = fixture;
const files = Object.fromEntries(
  Object.entries(fixture.files).map(([name, { base64, large }]) => [
    name,
    { bytes: Buffer.from(base64, "base64"), large },
  ]),
);

let home: string;
let cache: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "thaw-cache-"));
  cache = join(home, "hub");
});
afterEach(() => rmSync(home, { recursive: true }));

/** As the oracle describes a folder. */
function treeOf(root: string): Fixture["tree"] {
  const entries = readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => !name.startsWith(".locks"))
    .filter((name) => !lstatSync(join(root, name)).isDirectory())
    .map((name) => {
      const path = join(root, name);
      if (lstatSync(path).isSymbolicLink()) return [name, { link: readlinkSync(path) }];
      const bytes = readFileSync(path);
      if (name.includes("/blobs/")) return [name, { sha256: sha256(bytes) }];
      return [name, { text: bytes.toString() }];
    });
  return Object.fromEntries(entries);
}

test("what is downloaded lies as huggingface_hub lays it", async () => {
  const hub = await fakeHub({ [repo]: { commit, files } });
  const env = { HF_HOME: home, HF_ENDPOINT: hub.url, THAW_HOME: home };
  await resolveWeights({ kind: "hub", repo }, { env });
  await hub.close();
  expect(treeOf(cache)).toEqual(fixture.tree);
});

test("what huggingface_hub has downloaded is found without a server", async () => {
  const blobs = new Map(Object.values(files).map(({ bytes }) => [sha256(bytes), bytes]));
  for (const [name, { link, text, sha256: sum }] of Object.entries(fixture.tree)) {
    const path = join(cache, name);
    mkdirSync(dirname(path), { recursive: true });
    if (link !== undefined) symlinkSync(link, path);
    else writeFileSync(path, text ?? blobs.get(sum!)!);
  }
  const env = { HF_HOME: home, HF_HUB_OFFLINE: "1", THAW_HOME: home };
  const found = await resolveWeights({ kind: "hub", repo }, { env });
  expect(found).toMatchObject({ revision: commit, classes: ["cat", "dog"], notes: [] });
  expect(readFileSync(found.path).equals(files["model.safetensors"]!.bytes)).toBe(true);
});

test("where the file system has no links, the snapshot has copies", async () => {
  const own = new RepoCache(cache, "owner/name");
  mkdirSync(dirname(own.blob("e")), { recursive: true });
  writeFileSync(own.blob("e"), "content");
  const refused = () => Promise.reject(Object.assign(new Error("no links"), { code: "EPERM" }));
  const path = await own.link("e", commit, "sub/file", refused);
  expect(lstatSync(path).isSymbolicLink()).toBe(false);
  expect(readFileSync(path, "utf8")).toBe("content");
  expect(await own.link("e", commit, "sub/file")).toBe(path);
  expect(readlinkSync(path)).toBe("../../../blobs/e");
  expect(readdirSync(dirname(path))).toEqual(["file"]);
});

test("a ref that is no commit leads nowhere", async () => {
  const own = new RepoCache(cache, "owner/name");
  await own.saveRef("refs/pr/1", commit);
  expect(own.commitOf("refs/pr/1")).toBe(commit);
  writeFileSync(join(own.folder, "refs", "bad"), "../../../etc");
  expect(own.commitOf("bad")).toBeUndefined();
});
