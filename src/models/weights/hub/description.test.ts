import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { imagenetPreprocessing } from "../../imagenet.ts";
import { readDescription } from "./description.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-description-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function read(files: { config?: unknown; preprocessor?: unknown }, usual?: unknown) {
  const write = (name: string, value: unknown) => {
    if (value === undefined) return undefined;
    const path = join(folder, name);
    writeFileSync(path, typeof value === "string" ? value : JSON.stringify(value));
    return path;
  };
  return readDescription(
    { config: write("c.json", files.config), preprocessor: write("p.json", files.preprocessor) },
    usual === undefined ? undefined : imagenetPreprocessing(),
  );
}

/** As `timm.models.save_for_hf` writes it, and with `pretrained_cfg` at the top as older versions did. */
const timm = {
  input_size: [3, 224, 224],
  test_input_size: [3, 288, 288],
  fixed_input_size: false,
  interpolation: "bicubic",
  crop_pct: 0.95,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  num_classes: 1000,
  first_conv: "conv1",
};

test("timm's config.json, new and old", async () => {
  const preprocessing = imagenetPreprocessing({ crop: 0.95, interpolation: "bicubic" });
  const fresh = { architecture: "resnet50", num_classes: 1000, pretrained_cfg: timm };
  expect(await read({ config: fresh })).toEqual({ preprocessing, notes: [] });
  expect(await read({ config: { architecture: "resnet50", ...timm } })).toEqual({
    preprocessing,
    notes: [],
  });
});

test("transformers' ViT: squeezed to 224 pixels, classes by number", async () => {
  const config = { model_type: "vit", id2label: { 1: "goldfish", 0: "tench", 2: "shark" } };
  const preprocessor = {
    do_resize: true,
    size: 224,
    resample: 2,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  };
  const half = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
  const vit = imagenetPreprocessing({ crop: 1, ...half });
  const classes = ["tench", "goldfish", "shark"];
  expect(await read({ config, preprocessor })).toEqual({ preprocessing: vit, classes, notes: [] });
  const inWords = { ...preprocessor, size: { height: 224, width: 224 } };
  expect((await read({ preprocessor: inWords })).preprocessing).toEqual(vit);
});

test("transformers' shorter edge, and a centre cut out of it", async () => {
  const statistics = { image_mean: [0.1, 0.1, 0.1], image_std: [0.2, 0.2, 0.2], resample: 3 };
  const whole = { ...statistics, size: { shortest_edge: 224 }, crop_pct: 0.875 };
  expect((await read({ preprocessor: whole })).preprocessing).toMatchObject({
    size: [224, 224],
    crop: 0.875,
    interpolation: "bicubic",
  });
  const cut = {
    ...statistics,
    size: { shortest_edge: 256 },
    crop_size: { height: 224, width: 224 },
    do_center_crop: true,
  };
  expect((await read({ preprocessor: cut })).preprocessing).toMatchObject({
    size: [224, 224],
    crop: 0.875,
  });
});

test("what is missing is as usual", async () => {
  const config = { num_classes: 2, pretrained_cfg: { crop_pct: 0.5 } };
  expect((await read({ config })).preprocessing).toBeUndefined();
  expect((await read({ config }, "imagenet")).preprocessing).toEqual(
    imagenetPreprocessing({ crop: 0.5 }),
  );
  expect((await read({}, "imagenet")).preprocessing).toEqual(imagenetPreprocessing());
});

test.each([
  ["{", /is not understood and is ignored/],
  [{ pretrained_cfg: { mean: "grey" } }, /is not understood and is ignored: .*mean/],
  [{ pretrained_cfg: { input_size: [3, -1, 1e9] } }, /is not understood/],
  [{ num_classes: 3, label_names: ["a", "b"] }, /do not fit its number of classes/],
  [{ id2label: { 0: "a", 7: "b" } }, /do not fit its number of classes/],
  [{ pretrained_cfg: { interpolation: "lanczos" } }, /lanczos is not supported/],
])("%j becomes a note", async (config, note) => {
  const { notes, classes } = await read({ config });
  expect(notes).toHaveLength(1);
  expect(notes[0]).toMatch(note);
  expect(classes).toBeUndefined();
});

test("names that nobody gave are none", async () => {
  const { classes } = await read({ config: { id2label: { 0: "LABEL_0", 1: "LABEL_1" } } });
  expect(classes).toBeUndefined();
});
