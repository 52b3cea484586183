import { join } from "node:path";
import { expect, test } from "vitest";
import { prepareCommand } from "./command.ts";

const here = process.cwd();

test("paths are absolute, names of data sets stay, and every word is one for a shell", () => {
  const request = { source: "stanford-dogs", out: "dogs", seed: 42, minSize: 8 };
  expect(prepareCommand(request)).toBe(
    `thaw data prepare stanford-dogs --out ${join(here, "dogs")} --seed 42 --min-size 8`,
  );
  const more = {
    ...{ source: "src", classes: ["it's", "a b"], mirror: "http://x.example/a?b" },
    csv: { labelColumn: "the label", imageFolder: "img" },
    ...{ split: [0.7, 0.2, 0.1] as const, overwrite: true },
  };
  expect(prepareCommand({ ...request, ...more })).toBe(
    `thaw data prepare ${join(here, "src")} --out ${join(here, "dogs")} --classes 'it'\\''s,a b' --label-column 'the label' --image-folder img --mirror 'http://x.example/a?b' --split 0.7/0.2/0.1 --seed 42 --min-size 8 --overwrite`,
  );
});
