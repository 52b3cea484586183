import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeSampleRun } from "../../test/support/run-records.ts";
import { fromCell, toCell } from "../data/formats/spreadsheet.ts";
import { readJudgements, surestMistakes } from "./judgements.ts";
import { readRun } from "./read.ts";

let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "thaw-cells-"));
});
afterEach(() => rmSync(out, { recursive: true }));

describe("cells", () => {
  it("hold no formula, and give back what was written", () => {
    const sign = fc.constantFrom("=", "+", "-", "@", "'", "\t", "\r", "a");
    const text = fc
      .tuple(fc.array(sign, { maxLength: 4 }), fc.string())
      .map(([a, b]) => a.join("") + b);
    fc.assert(
      fc.property(text, (given) => {
        expect(fromCell(toCell(given))).toBe(given);
        expect(toCell(given)).not.toMatch(/^[=+\-@\t\r]/);
      }),
    );
  });
});

describe("class names that a spreadsheet or a page would run", () => {
  const classes = [
    '=cmd|" /C calc"!A0',
    "+1",
    "-2",
    "@SUM(A1)",
    "<script>alert(1)</script>",
    'a,"b"\nc',
  ];

  it("are text in every CSV file, and themselves again when the record is read", () => {
    const { dir } = writeSampleRun({ out, name: "a", classes, images: 60 });
    for (const file of ["predictions.csv", "per_class.csv", "confusion_matrix.csv"]) {
      const cells = readFileSync(join(dir, file), "utf8").split(/,|\n|"(?=[^"])/);
      expect(cells.filter((cell) => /^[=+@]/.test(cell) || /^-\D/.test(cell))).toEqual([]);
    }
    const run = readRun(dir);
    expect(run.confusion?.names).toEqual(classes);
    expect(run.perClass?.map((row) => row.name)).toEqual(classes);
    const said = readJudgements(dir, classes)!;
    expect([...said.labels]).toEqual(Array.from({ length: 60 }, (_, i) => i % 6));
    expect(said.images.slice(0, 3)).toEqual(["0", "1", "2"]);
    // What `writeSampleRun` gives the class it says, as float32.
    const sure = new Set(Array.from(said.confidence, (value) => value.toFixed(4)));
    expect(sure).toEqual(new Set([(0.9 + 0.1 / 6).toFixed(4)]));
    const wrong = [...said.labels.keys()].filter((i) => said.labels[i] !== said.predicted[i]);
    expect(surestMistakes(said, 2)).toEqual(wrong.slice(0, 2));
  });

  it.each([
    ["cut", (text: string) => text.slice(0, -5), /last row is cut/],
    ["of another class list", (text: string) => text.replaceAll("+1", "other"), /does not know/],
    ["without a probability", (text: string) => text.replace(/,[\d.]+\n$/, ",\n"), /row 61 has no/],
    ["of a missing column", (text: string) => text.replace("p(+1)", "q"), /has no probability/],
    ["something else", () => "a,b\n1,2\n", /its columns are not/],
  ])("predictions that are %s are refused", (_, change, message) => {
    const { dir } = writeSampleRun({ out, name: "a", classes, images: 60 });
    const file = join(dir, "predictions.csv");
    writeFileSync(file, change(readFileSync(file, "utf8")));
    expect(() => readJudgements(dir, classes)).toThrow(message);
  });
});
