import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { ThawError } from "../../errors.ts";
import {
  elementBytes,
  encodeSafetensors,
  MAX_HEADER_BYTES,
  parseSafetensors,
  readSafetensors,
  readSafetensorsHeader,
  type SafeDType,
  type TensorData,
} from "./safetensors.ts";

const fixtures = join(import.meta.dirname, "../../../test/fixtures/safetensors");
interface Expected {
  readonly files: Record<
    string,
    {
      readonly metadata: Record<string, string>;
      readonly tensors: Record<string, { dtype: SafeDType; shape: number[]; hex: string }>;
    }
  >;
  readonly odd: Record<string, { readonly hex: string; readonly official: string }>;
}
const expected = JSON.parse(readFileSync(join(fixtures, "expected.json"), "utf8")) as Expected;
const folder = mkdtempSync(join(tmpdir(), "thaw-safetensors-"));
afterAll(() => rmSync(folder, { recursive: true }));

function fixtureTensors(name: string): Map<string, TensorData> {
  return new Map(
    Object.entries(expected.files[name]!.tensors).map(([key, { dtype, shape, hex }]) => [
      key,
      { dtype, shape, bytes: new Uint8Array(Buffer.from(hex, "hex")) },
    ]),
  );
}

function file(header: string, data = new Uint8Array(0)): Uint8Array {
  const json = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return new Uint8Array(Buffer.concat([length, json, data]));
}

describe("against the official library", () => {
  it.each(Object.keys(expected.files))("reads %s", (name) => {
    const path = join(fixtures, `${name}.safetensors`);
    const read = readSafetensors(path);
    expect(read.metadata).toEqual(expected.files[name]!.metadata);
    const wanted = fixtureTensors(name);
    expect([...read.tensors.keys()].sort()).toEqual([...wanted.keys()].sort());
    for (const [key, tensor] of wanted) {
      const got = read.tensors.get(key)!;
      expect({ ...got, bytes: Buffer.from(got.bytes) }).toEqual({
        ...tensor,
        bytes: Buffer.from(tensor.bytes),
      });
    }
    expect(readSafetensorsHeader(path).metadata).toEqual(read.metadata);
  });

  it.each(Object.keys(expected.files))("writes %s byte for byte", (name) => {
    const { chunks, byteLength } = encodeSafetensors(
      fixtureTensors(name),
      expected.files[name]!.metadata,
    );
    const ours = Buffer.concat(chunks);
    expect(ours.length).toBe(byteLength);
    expect(ours.equals(readFileSync(join(fixtures, `${name}.safetensors`)))).toBe(true);
  });

  it.each(Object.entries(expected.odd))("agrees on a file with: %s", (name, { hex, official }) => {
    const bytes = new Uint8Array(Buffer.from(hex, "hex"));
    // The official reader takes this one, though the format says that the header begins with {.
    if (official === "read" && name !== "no brace") {
      expect(() => parseSafetensors(bytes)).not.toThrow();
    } else {
      expect(() => parseSafetensors(bytes)).toThrow(ThawError);
    }
  });
});

describe("reading", () => {
  it("gives aligned tensors though the header's length is odd", () => {
    const path = join(folder, "odd.safetensors");
    const data = new Uint8Array(new Float32Array([1, 2]).buffer);
    writeFileSync(path, file('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} ', data));
    const { bytes } = readSafetensors(path).tensors.get("a")!;
    expect([...new Float32Array(bytes.buffer, bytes.byteOffset, 2)]).toEqual([1, 2]);
  });

  it("names the file that is missing or is a folder", () => {
    expect(() => readSafetensors(join(folder, "none"))).toThrow(/none: cannot be opened/);
    expect(() => readSafetensors(folder)).toThrow(/not a file/);
  });

  it("refuses a header above the limit without reading it", () => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(MAX_HEADER_BYTES + 1), true);
    expect(() => parseSafetensors(bytes)).toThrow(/header of 10000001 bytes \(limit/);
    bytes.fill(255);
    expect(() => parseSafetensors(bytes)).toThrow(/18446744073709551615/);
  });

  it("names a dtype it does not have", () => {
    const bytes = file(
      '{"w":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}',
      new Uint8Array(1),
    );
    expect(() => parseSafetensors(bytes, "m.safetensors")).toThrow(
      'm.safetensors: tensor "w" has dtype "F8_E4M3"',
    );
    const inherited = '{"w":{"dtype":"toString","shape":[],"data_offsets":[0,0]}}';
    expect(() => parseSafetensors(file(inherited))).toThrow(/has dtype "toString"/);
  });

  it.each(["__proto__", "a.__proto__.b", "constructor.prototype"])("refuses the name %s", (key) => {
    const header = `{${JSON.stringify(key)}:{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`;
    expect(() => parseSafetensors(file(header))).toThrow(/is not allowed/);
    const metadata = `{"__metadata__":{${JSON.stringify(key)}:"1"}}`;
    expect(() => parseSafetensors(file(metadata))).toThrow(/is not allowed/);
  });

  it.each([
    [
      '{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
      "w",
    ],
    ['{"w":{"dtype":"U8","shape":[1],"dtype":"I8","data_offsets":[0,1]}}', "dtype"],
    [
      '{"__metadata__":{"a":"1","\\u0061":"2"},"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
      "a",
    ],
  ])("refuses a key that stands twice: %s", (header, key) => {
    expect(() => parseSafetensors(file(header, new Uint8Array(1)))).toThrow(
      `"${key}" appears twice in its header`,
    );
  });

  it("takes the same key in two objects, and quotes and brackets in names", () => {
    const place = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}';
    const header = `{"a\\"{,":${place},"b":${place}}`;
    expect([...parseSafetensors(file(header)).tensors.keys()]).toEqual(['a"{,', "b"]);
  });

  it("survives JSON nested a million deep", () => {
    const header = `{"a":${"[".repeat(1_000_000)}`;
    expect(() => parseSafetensors(file(header))).toThrow(ThawError);
  });
});

describe("JSON that is nested deep where a value is", () => {
  const deep = `${"[".repeat(200_000)}1${"]".repeat(200_000)}`;
  const deepObject = `${'{"a":'.repeat(200_000)}1${"}".repeat(200_000)}`;
  const good = { dtype: '"F32"', shape: "[1]", data_offsets: "[0,4]" };
  const tensor = (change: Partial<typeof good>) =>
    `{"w":{${Object.entries({ ...good, ...change })
      .map(([key, value]) => `"${key}":${value}`)
      .join()}}}`;

  it.each<[string, (value: string) => string]>([
    ["a dtype", (dtype) => tensor({ dtype })],
    ["a shape", (shape) => tensor({ shape })],
    ["a size", (size) => tensor({ shape: `[1,${size}]` })],
    ["offsets", (data_offsets) => tensor({ data_offsets })],
    ["a tensor", (value) => `{"w":${value}}`],
    ["a text of the metadata", (value) => `{"__metadata__":{"a":${value}}}`],
    ["the metadata", (value) => `{"__metadata__":${value}}`],
    ["the header", (value) => value],
  ])("%s is refused in a line that names the file", (_, header) => {
    for (const value of [deep, deepObject]) {
      let refusal: unknown;
      try {
        parseSafetensors(file(header(value), new Uint8Array(4)), "deep.safetensors");
      } catch (error) {
        refusal = error;
      }
      expect(refusal).toBeInstanceOf(ThawError);
      expect((refusal as ThawError).message).toMatch(/^deep\.safetensors: .{1,250}$/);
    }
  });
});

describe("writing", () => {
  it("refuses bytes that do not fit the shape", () => {
    const wrong = new Map([
      ["w", { dtype: "F32", shape: [3], bytes: new Uint8Array(8) } as TensorData],
    ]);
    expect(() => encodeSafetensors(wrong)).toThrow("w: F32 [3] takes 12 bytes, 8 given");
  });

  it("does not copy the tensors", () => {
    const bytes = new Uint8Array(16);
    const { chunks } = encodeSafetensors(new Map([["w", { dtype: "F32", shape: [4], bytes }]]));
    expect(chunks[1]).toBe(bytes);
  });
});

const dtype = fc.constantFrom(...(Object.keys(elementBytes) as SafeDType[]));
const name = fc
  .string({ unit: "binary", maxLength: 12 })
  .filter((text) => !/__proto__|constructor|prototype|__metadata__/.test(text));
const tensor = fc
  .tuple(dtype, fc.array(fc.nat(4), { maxLength: 3 }))
  .map(([type, shape]): TensorData => {
    const count = shape.reduce((product, size) => product * size, elementBytes[type]);
    return { dtype: type, shape, bytes: Uint8Array.from({ length: count }, (_, i) => i) };
  });

describe("properties", () => {
  it("reads back what it wrote", () => {
    const content = fc.tuple(
      fc.dictionary(name, tensor, { noNullPrototype: true }),
      fc.dictionary(name, fc.string({ unit: "binary" }), { noNullPrototype: true }),
    );
    fc.assert(
      fc.property(content, ([tensors, metadata]) => {
        const { chunks } = encodeSafetensors(new Map(Object.entries(tensors)), metadata);
        expect(chunks[0]!.length % 8).toBe(0);
        const read = parseSafetensors(new Uint8Array(Buffer.concat(chunks)));
        expect(Object.fromEntries(read.tensors)).toEqual(tensors);
        expect(read.metadata).toEqual(metadata);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it("answers a mutated file with an error of ours or a read that fits the file", () => {
    const seeds = ["dtypes", "shapes", "none"].map((n) =>
      readFileSync(join(fixtures, `${n}.safetensors`)),
    );
    const mutation = fc.oneof(
      fc.record({
        kind: fc.constant("set"),
        at: fc.nat(),
        value: fc.integer({ max: 255, min: 0 }),
      }),
      fc.record({ kind: fc.constant("cut"), at: fc.nat(), value: fc.nat(20) }),
      fc.record({
        kind: fc.constant("insert"),
        at: fc.nat(),
        value: fc.integer({ min: 0, max: 255 }),
      }),
    );
    const path = join(folder, "mutated.safetensors");
    const count = { read: 0, refused: 0 };
    fc.assert(
      fc.property(fc.nat(2), fc.array(mutation, { minLength: 1, maxLength: 4 }), (which, steps) => {
        let bytes: Buffer = Buffer.from(seeds[which]!);
        for (const { kind, at, value } of steps) {
          const i = at % (bytes.length + 1);
          if (kind === "set" && i < bytes.length) bytes[i] = value;
          else if (kind === "cut")
            bytes = Buffer.concat([bytes.subarray(0, i), bytes.subarray(i + value)]);
          else
            bytes = Buffer.concat([bytes.subarray(0, i), Buffer.from([value]), bytes.subarray(i)]);
        }
        writeFileSync(path, bytes);
        for (const read of [() => readSafetensors(path), () => parseSafetensors(bytes)]) {
          try {
            for (const { dtype: type, shape, bytes: view } of read().tensors.values()) {
              const wanted = shape.reduce((product, size) => product * size, elementBytes[type]);
              expect(view.length).toBe(wanted);
            }
            count.read++;
          } catch (error) {
            if (!(error instanceof ThawError)) throw error;
            count.refused++;
          }
        }
      }),
      { seed: 2, numRuns: 3000 },
    );
    // Both must happen, or the mutations test nothing.
    expect(count.read).toBeGreaterThan(50);
    expect(count.refused).toBeGreaterThan(1000);
  });
});
