import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { writeSampleRun } from "../../test/support/run-records.ts";
import { DamagedFileError } from "../data/formats/damaged.ts";
import { ThawError, UsageError } from "../errors.ts";
import { standInSentences } from "../run/comparison.ts";
import type { TrainConfig } from "../run/config.ts";
import { loadMatrix } from "../run/matrix.ts";
import { chooseWeights } from "./choose-weights.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-choose-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const text = `
base: {data: fashion-mnist, pretrained: true, strategy: freeze}
matrix:
  model:
    - name: wanted
      model: vit_small_patch16_224
      standIn: [{name: tiny, model: deit_tiny_patch16_224}, {pretrained: false}]
    - {name: tiny-itself, model: deit_tiny_patch16_224}
  seed: [1, 2]
`;
const load = () => {
  const file = join(folder, "m.yaml");
  writeFileSync(file, text);
  return loadMatrix(file, { out: join(folder, "runs") });
};
const absent = new ThawError(`${join(homedir(), "hub")}: not there\nand more`);
/** Opens all but those models, and counts. */
const opener = (failing: Readonly<Record<string, Error>>, asked: string[] = []) => {
  return async ({ model }: TrainConfig) => {
    asked.push(model);
    const error = failing[model];
    if (error !== undefined) throw error;
  };
};
const names = ({ members }: { members: readonly { name: string }[] }) =>
  members.map(({ name }) => name);

it("takes the first whose weights can be had, once for all seeds, and a member that is there already once", async () => {
  const { members, out } = load();
  const asked: string[] = [];
  const chosen = await chooseWeights(
    members,
    out,
    opener({ vit_small_patch16_224: absent }, asked),
  );
  expect(names(chosen)).toEqual(["tiny-s1", "tiny-s2"]);
  expect(asked).toEqual(["vit_small_patch16_224", "deit_tiny_patch16_224"]);
  const told = standInSentences(chosen.standIns.map((one) => ({ ...one, run: "" })));
  expect(told).toEqual([
    "vit_small_patch16_224: its weights timm/vit_small_patch16_224.augreg_in21k_ft_in1k could not be had " +
      `(${join("~", "hub")}: not there); deit_tiny_patch16_224 with timm/deit_tiny_patch16_224.fb_in1k stands in.`,
  ]);
});

it.skipIf(process.platform === "win32")(
  "leaves paths whole where a person has no home",
  async () => {
    const { members, out } = load();
    vi.stubEnv("HOME", "/");
    const failing = { vit_small_patch16_224: new ThawError("/a/b: not there") };
    const [told] = (await chooseWeights(members, out, opener(failing))).standIns;
    vi.stubEnv("HOME", "/a");
    const [beside] = (await chooseWeights(members, out, opener(failing))).standIns;
    vi.unstubAllEnvs();
    expect([told!.reason, beside!.reason]).toEqual(["/a/b: not there", "~/b: not there"]);
  },
);

it("falls back to random weights, and says what that is worth where they stay frozen", async () => {
  const { members, out } = load();
  const failing = { vit_small_patch16_224: absent, deit_tiny_patch16_224: absent };
  const chosen = await chooseWeights(members, out, opener(failing));
  // The one without a stand-in stays, and will fail by its name.
  expect(names(chosen)).toEqual([
    ...["wanted-random-s1", "wanted-random-s2"],
    ...["tiny-itself-s1", "tiny-itself-s2"],
  ]);
  const [sentence] = standInSentences(chosen.standIns.map((one) => ({ ...one, run: "" })));
  expect(sentence).toMatch(
    /\); it starts from random weights instead: what freeze keeps frozen of it has learned nothing/,
  );
});

it.each([
  ["a slip of the pen", new UsageError("no such repository: did you mean …")],
  ["a damaged file", new DamagedFileError("its content does not match its checksum")],
])("%s is no absence: the member stays, and fails by its name", async (_, error) => {
  const { members, out } = load();
  const chosen = await chooseWeights(members, out, opener({ vit_small_patch16_224: error }));
  expect(names(chosen)).toEqual(["wanted-s1", "wanted-s2", "tiny-itself-s1", "tiny-itself-s2"]);
  expect(chosen.standIns).toEqual([]);
});

it("keeps what has been trained with its own weights, wherever those are today", async () => {
  const { members, out } = load();
  const [first] = members;
  const environment = { configDigest: first!.digest };
  writeSampleRun({
    out,
    name: "earlier",
    images: 20,
    environment,
    summary: { status: "finished" },
  });
  const chosen = await chooseWeights(members, out, opener({ vit_small_patch16_224: absent }));
  expect(names(chosen)).toEqual(["wanted-s1", "tiny-s2", "tiny-itself-s1"]);
});
