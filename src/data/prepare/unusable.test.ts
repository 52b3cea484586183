import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { writeTiny, writeTinyFolder } from "../../../test/support/tiny-images.ts";
import type { ThawError, UsageError } from "../../errors.ts";
import { loadNative } from "../../libtorch/index.ts";
import { openDataset } from "../datasets/index.ts";
import { listImageFolder } from "../folders/image-folder.ts";
import { JOURNAL } from "../folders/unfinished.ts";
import { DEFAULT_MIN_SIZE } from "./defaults.ts";
import { type PrepareOptions, prepareImages } from "./prepare.ts";

beforeAll(() => loadNative());
let root: string;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "thaw-unusable-"));
  await writeTinyFolder(join(root, "in"), { cat: 20, dog: 20 }, { width: 70, height: 66 });
});
afterEach(() => rmSync(root, { recursive: true }));

const out = () => join(root, "out");
const prepare = (options: Partial<PrepareOptions> = {}, source = "in") =>
  prepareImages(listImageFolder(join(root, source)), {
    ...{ out: out(), seed: 42, minSize: 64 },
    ...options,
  });

test("an unfinished folder is refused wherever it is met, with the latest command", async () => {
  const stopAt = (at: number, command: string) =>
    prepare({
      command,
      onProgress: (done) => {
        if (done === at) throw new Error("killed");
      },
    });
  const whole = await prepare();
  const journal = join(out(), JOURNAL);
  rmSync(join(out(), "manifest.json"));
  rmSync(join(out(), whole.manifest.files[0]!.file));
  // All images but one are in place, as of a process that was killed while it linked them.
  writeFileSync(journal, "");
  await expect(stopAt(1, "thaw data prepare first")).rejects.toThrow("killed");
  await expect(stopAt(2, "thaw data prepare second")).rejects.toThrow("killed");
  const open = (data: string) =>
    openDataset({ data, seed: 1, cache: join(root, "cache") }).then(
      () => undefined,
      (error: ThawError) => `${error.message.slice(root.length)} → ${error.hint}`,
    );
  const said =
    "/out: `thaw data prepare` has not finished here: images are missing → continue with `thaw data prepare second`";
  expect(await open(out())).toBe(said);
  // From inside and from outside.
  for (const inner of ["train", "train/cat"]) expect(await open(join(out(), inner))).toBe(said);
  cpSync(out(), join(root, "outer/a/out"), { recursive: true });
  expect(await open(join(root, "outer"))).toBe(said.replace("/out", "/outer/a/out"));
  // A journal of an earlier version has no command.
  writeFileSync(join(root, "outer/a/out", JOURNAL), '{"path":"/x","stamp":"stat:1:1"');
  expect(await open(join(root, "outer/a/out"))).toContain(
    `run the same \`thaw data prepare … --out ${root}/outer/a/out\` again`,
  );
  await prepare({ command: "thaw data prepare third" });
  expect(await open(out())).toBe(undefined);

  // Killed between the manifest and the removal of the journal: all is there, and the next run says so.
  writeFileSync(journal, '{"command":"thaw data prepare fourth"}\n');
  expect(await open(out())).toContain("prepare fourth");
  expect(await prepare()).toMatchObject({ linked: 0, copied: 0 });
  expect(await open(out())).toBe(undefined);
});

test("where no two classes have usable images, the images' sizes are said", async () => {
  const refusal = async (options: Partial<PrepareOptions> = {}) => {
    const { message, hint } = (await prepare(options).catch(
      (error: unknown) => error,
    )) as UsageError;
    return [message, hint];
  };
  expect(await refusal({ minSize: 100 })).toEqual([
    "in: none of 40 files can be used: 40 images are smaller than --min-size 100 (70 × 66 pixels)",
    "--min-size 66 accepts all images that can be read",
  ]);
  for (let i = 0; i < 20; i++) writeFileSync(join(root, "in/dog", `${i}.png`), "no image");
  await writeTiny(join(root, "in/dog/0.png"), { width: 20, height: 40, seed: 900 });
  await writeTiny(join(root, "in/dog/1.png"), { width: 31, height: 50, seed: 901 });
  expect(await refusal({ minSize: 64 })).toEqual([
    "in: only images of one class, cat, can be used; at least two classes are needed: 2 images are smaller than --min-size 64 (20 × 40 to 31 × 50 pixels), 18 files cannot be read as images",
    "--min-size 20 accepts all images that can be read",
  ]);
  rmSync(join(root, "in/dog"), { recursive: true });
  expect((await refusal())[0]).toBe("in: all images belong to one class, cat");
});

test("by default the images of 28 and of 8 pixels are kept", async () => {
  for (const size of [28, 8]) {
    const source = `small-${size}`;
    await writeTinyFolder(join(root, source), { a: 4, b: 4 }, { width: size, height: size });
    const to = join(root, `out-${size}`);
    const { manifest } = await prepare({ out: to, minSize: DEFAULT_MIN_SIZE }, source);
    expect(manifest.files).toHaveLength(8);
  }
});
