import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  formulaInput,
  formulaLabels,
  formulaTensor,
  formulaUniform,
  sampleIndices,
} from "./formula.ts";

interface FormulaFixture {
  readonly uniform: { readonly stream: number; readonly values: readonly number[] };
  readonly tensors: readonly {
    readonly name: string;
    readonly index: number;
    readonly shape: readonly number[];
    readonly first: readonly number[];
    readonly sha256: string;
  }[];
  readonly input: { readonly shape: readonly number[]; readonly sha256: string };
  readonly labels: { readonly classes: number; readonly values: readonly number[] };
  readonly sampleIndices: readonly { readonly count: number; readonly values: readonly number[] }[];
}

const fixture: FormulaFixture = JSON.parse(
  readFileSync(new URL("fixtures/torch/formula.json", import.meta.url), "utf8"),
);

const sha256 = (values: Float32Array) => createHash("sha256").update(values).digest("hex");

describe("the formula equals its Python twin to the last bit", () => {
  it("uniform", () => {
    const { stream, values } = fixture.uniform;
    expect([...formulaUniform(stream, values.length)]).toEqual(values.map(Math.fround));
  });

  it.each(fixture.tensors)("$name", ({ name, index, shape, first, sha256: expected }) => {
    const values = formulaTensor(name, index, shape);
    expect([...values.subarray(0, 8)]).toEqual(first.map(Math.fround));
    expect(sha256(values)).toBe(expected);
  });

  it("input", () => {
    expect(sha256(formulaInput(fixture.input.shape))).toBe(fixture.input.sha256);
  });

  it("labels", () => {
    const { classes, values } = fixture.labels;
    expect([...formulaLabels(values.length, classes)]).toEqual(values);
  });

  it.each(fixture.sampleIndices)("sample indices of $count", ({ count, values }) => {
    expect(sampleIndices(count)).toEqual(values);
  });
});
