import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { writeTorchZip } from "../../../test/support/torch-checkpoint.ts";
import { ThawError } from "../../errors.ts";
import { readWeights } from "./read.ts";
import { elementBytes, type SafeDType, type TensorData } from "./safetensors.ts";

const fixtures = join(import.meta.dirname, "../../../test/fixtures/checkpoints");
const { files } = JSON.parse(readFileSync(join(fixtures, "expected.json"), "utf8")) as {
  files: Record<string, Record<string, { dtype: SafeDType; shape: number[]; hex: string }>>;
};
const folder = mkdtempSync(join(tmpdir(), "thaw-checkpoints-"));
afterAll(() => rmSync(folder, { recursive: true }));

const written = (name: string, bytes: Uint8Array): string => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};

/** What stands before every name in a file. */
const prefixes: Readonly<Record<string, string>> = {
  ...{ "trained.pth": "module.", "trained.th": "module.", "lightning.ckpt": "net." },
  ...{ "averaged.pth": "_orig_mod.", "averaged.th": "_orig_mod." },
};

describe("what torch.save wrote, in both formats", () => {
  it.each(Object.keys(files))("%s has PyTorch's tensors", (name) => {
    const { tensors, format } = readWeights(join(fixtures, name));
    expect(format).toBe(name.endsWith(".th") ? "torch legacy" : "torch zip");
    const prefix = prefixes[name] ?? "";
    const own = [...tensors].filter(([key]) => key.startsWith(prefix));
    const read = own.map(([key, { dtype, shape, bytes }]) => [
      key.slice(prefix.length),
      { dtype, shape, hex: Buffer.from(bytes).toString("hex") },
    ]);
    expect(Object.fromEntries(read)).toEqual(files[name]);
  });

  it("the averaged weights are preferred", () => {
    const { tensors } = readWeights(join(fixtures, "averaged.pth"));
    expect(tensors.get("_orig_mod.0.weight")!.bytes.some((byte) => byte !== 0)).toBe(true);
  });

  it("beside a network of Lightning, its loss and statistics are read too, optimizers are not", () => {
    const { tensors } = readWeights(join(fixtures, "lightning.ckpt"));
    const beside = [...tensors.keys()].filter((key) => !key.startsWith("net."));
    expect(beside).toEqual(["criterion.weight", "mean", "std"]);
  });
});

it("a safetensors file whose header's length begins as a pickle does is none", () => {
  const json = '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.padEnd(0x80, " ");
  const bytes = Buffer.concat([
    Buffer.from("8000000000000000", "hex"),
    Buffer.from(json),
    Buffer.alloc(4),
  ]);
  expect(readWeights(written("begins.safetensors", bytes)).format).toBe("safetensors");
});

describe("a pickle that asks for more than weights", () => {
  it.each([
    ["evil.pth", "posix.system"],
    ["evil.th", "posix.system"],
    ["evil-eval.pth", "__builtin__.eval"],
    ["evil-protocol0.pt", "posix.system"],
    ["whole-model.pth", "torch.nn.modules.container.Sequential"],
  ])("%s: %s is named, and nothing is executed", (name, global) => {
    const path = join(fixtures, name);
    expect(() => readWeights(path)).toThrow(
      `${path}: the pickle asks for ${global}, which is not allowed`,
    );
    expect(existsSync("thaw-was-here")).toBe(false);
  });

  it("says how to save the weights of a whole model", () => {
    expect(() => readWeights(join(fixtures, "whole-model.pth"))).toThrow(
      expect.objectContaining({
        hint: expect.stringContaining("torch.save(model.state_dict(), …)"),
      }),
    );
  });

  it.each(["(S'true'\nios\nsystem\n.", "\x80\x04\x8c\x02os\x8c\x06system\x93."])(
    "is refused in every way of naming: %j",
    (pickle) => {
      const path = written("named.pt", Buffer.from(pickle, "latin1"));
      expect(() => readWeights(path)).toThrow(/os\.system|0x53 is not known/);
    },
  );
});

describe("what is no whole checkpoint", () => {
  it.each([
    ["big-endian.pth", 'its byte order is "big", not little'],
    ["compressed.pth", "is compressed, which PyTorch never does"],
    ["no-storage.pth", "its entry data/3 is missing"],
    ["script.pth", "a TorchScript archive"],
  ])("%s: %s", (name, message) => {
    expect(() => readWeights(join(fixtures, name))).toThrow(message);
  });

  it.each(["trained.pth", "trained.th"])("%s, cut off anywhere, is an error", (name) => {
    const whole = readFileSync(join(fixtures, name));
    for (let size = 20; size < whole.length; size += 97) {
      expect(() => readWeights(written(name, whole.subarray(0, size)))).toThrow(ThawError);
    }
  });

  it("a changed element is found by the checksum", () => {
    const bytes = readFileSync(join(fixtures, "dtypes.pth"));
    const at = bytes.indexOf(Buffer.from(files["dtypes.pth"]!["t.f64"]!.hex, "hex"));
    bytes[at + 3]! ^= 1;
    expect(() => readWeights(written("flipped.pth", bytes))).toThrow(
      /data\/\d does not match its checksum/,
    );
  });

  it.each([
    ["<!DOCTYPE html><html><body>Sign in</body></html>", "a web page"],
    ["version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer"],
  ])("%j is told for what it is", (text, what) => {
    expect(() => readWeights(written("odd.pth", Buffer.from(text)))).toThrow(what);
  });

  it("a zip of something else, a pickle of something else", () => {
    const zip = Buffer.from("504b0506".padEnd(44, "0"), "hex");
    expect(() => readWeights(written("empty.pth", zip))).toThrow(ThawError);
    const pickle = Buffer.from("\x80\x02K\x01.", "latin1");
    expect(() => readWeights(written("one.pth", pickle))).toThrow(
      "a pickle, but not one that torch.save wrote",
    );
  });
});

describe("hostile pickles stay small", () => {
  const pickle = (text: string): unknown =>
    readWeights(written("hostile.pth", Buffer.from(`\x80\x02${text}`, "latin1")));

  it.each([
    ["a million empty lists", "]".repeat(1_000_000), /makes more than \d+ objects/],
    ["a list that is copied again and again", ordered(20_000), /makes more than \d+ objects/],
    ["an integer of 4 GB", "\x8b\xff\xff\xff\xff", /an integer of 4294967295 bytes/],
    ["a text of 4 GB", "X\xff\xff\xff\xff", /ends within an instruction/],
    ["values that are not there", "\x85.", /takes more values than there are/],
    ["marks without an end", "(".repeat(100_000), /ends within an instruction/],
    ["an unknown instruction", "\xfe", /instruction 0xfe is not known/],
    ["a call of a text", "X\x01\0\0\0a)R.", /calls what cannot be called/],
  ])("%s", (_, text, message) => {
    expect(() => pickle(text)).toThrow(message);
  });

  /** `OrderedDict(pairs)` of one long list, many times: three bytes each. */
  function ordered(times: number): string {
    const magic = readFileSync(join(fixtures, "dtypes.th")).subarray(2, 137).toString("latin1");
    const list = `](${"N".repeat(1000)}eq\x01`;
    const make = "ccollections\nOrderedDict\nq\x02";
    return `${magic}\x80\x02${list}${make}${"h\x02h\x01\x85R".repeat(times)}.`;
  }
});

describe("what is nested or shared without end is not written out, walked or copied", () => {
  /** Texts and marks as protocol 2 has them. */
  const text = (value: string) => `X${String.fromCharCode(value.length)}\0\0\0${value}`;
  /** Kept as 1: a list of a list twice, of a list twice …; written out it has 2^60 elements. */
  const doubling = `](N${"eq\x01](h\x01h\x01".repeat(60)}eq\x01`;
  const doublingTuple = `)q\x01${"h\x01h\x01\x86q\x01".repeat(60)}`;
  const deep = `${"]".repeat(40_000)}${"a".repeat(39_999)}q\x01`;
  const cycle = "]q\x01h\x01a";
  const dictCycle = `}q\x01(${text("w")}h\x01u`;
  const shapes = Object.entries({ doubling, doublingTuple, deep, cycle, dictCycle });

  const before = readFileSync(join(fixtures, "dtypes.th")).subarray(0, 137).toString("latin1");
  const magic = before.slice(0, before.indexOf(".") + 1);
  const storage = (type: string, key: string) =>
    `(${text("storage")}${type}${key}${text("cpu")}K\x01tQ`;
  const places: Readonly<Record<string, (value: string) => string>> = {
    "as the version of the format": (value) => `${magic}\x80\x02${value}.`,
    "as the root": (value) => `${before}\x80\x02${value}.`,
    "as a key of the root": (value) => `${before}\x80\x02}(${value}Nu.`,
    "as a key of a dict in the root": (value) => `${before}\x80\x02}(${text("a")}}(${value}Nuu.`,
    "as a name": (value) => `${before}\x80\x02${value}${text("x")}\x93.`,
    "as a module": (value) => `${before}\x80\x02${text("x")}${value}\x93.`,
    "as a numpy dtype": (value) => `${before}\x80\x02cnumpy\ndtype\n${value}\x85R.`,
    "as a storage": (value) => `${before}\x80\x02${value}Q.`,
    "as a storage's type": (value) => `${before}\x80\x02${storage(value, text("0"))}.`,
    "as a storage's key": (value) =>
      `${before}\x80\x02${storage("ctorch\nFloatStorage\n", value)}.`,
    "as a tensor's shape": (value) =>
      `${before}\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(${storage("ctorch\nFloatStorage\n", text("0"))}K\0${value})tR.`,
    "in the list of storages": (value) => `${before}\x80\x02}.\x80\x02](${value}e.`,
    "as text to encode": (value) =>
      `${before}\x80\x02c_codecs\nencode\n${value}${text("latin1")}\x86R.`,
    "as pairs of a dict": (value) => `${before}\x80\x02ccollections\nOrderedDict\n${value}\x85R.`,
    "as the state of an object": (value) => `${before}\x80\x02cargparse\nNamespace\n)R${value}b.`,
  };

  /** The message of the error that a file gives, which must be ours, name the file and be short. */
  function refusal(name: string, content: string | Uint8Array): string {
    const bytes = typeof content === "string" ? Buffer.from(content, "latin1") : content;
    const path = written(name, bytes);
    try {
      readWeights(path);
    } catch (error) {
      expect(error).toBeInstanceOf(ThawError);
      const { message } = error as ThawError;
      expect(message.startsWith(`${path}: `), message.slice(0, 300)).toBe(true);
      expect(message.length).toBeLessThan(path.length + 400);
      return message;
    }
    throw new Error("it was read");
  }

  it.each(Object.keys(places))("%s", (place) => {
    for (const [, value] of shapes) refusal("shared.th", places[place]!(value));
  });

  it.each([
    ["values kept by MEMOIZE", `N${"\x94".repeat(900_000)}`, /keeps more than \d+ values/],
    [
      "values kept under long numbers",
      `N${Array.from({ length: 9000 }, (_, i) => `r${long(i * 100_000)}`).join("")}`,
      /ends within/,
    ],
    ["a stack of one value", `N${"2".repeat(2_500_000)}`, /a stack of too many values/],
    ["marks", "(".repeat(2_500_000), /too many marks/],
    [
      "a name of a megabyte",
      `X${long(1_000_000)}${"n".repeat(1_000_000)}\x8c\x01x\x93`,
      /asks for n{80}\.x, which is not allowed/,
    ],
  ])("%s are bounded", (_, body, message) => {
    expect(refusal("many.th", `${before}\x80\x04${body}`)).toMatch(message);
  });

  it("dicts that share dicts of tensors are not put together without end", () => {
    const tensor = `ctorch._utils\n_rebuild_tensor_v2\n(${storage("ctorch\nFloatStorage\n", text("0"))}K\0))tRq\x02`;
    const dict = (count: number, first: string) =>
      `}(${Array.from({ length: count }, (_, i) => `${text(`t${i}`)}${i === 0 ? first : "h\x02"}`).join("")}u`;
    const pair = (a: string, b: string) => `}(${text("a")}${a}${text("b")}${b}u`;
    const [a, b] = [`${dict(400, tensor)}q\x03`, `${dict(400, "h\x02")}q\x04`];
    const dicts = Array.from(
      { length: 200 },
      (_, i) => text(`d${i}`) + (i === 0 ? pair(a, b) : pair("h\x03", "h\x04")),
    );
    const message = refusal(
      "many.th",
      `${before}\x80\x02}(${dicts.join("")}u.\x80\x02]${text("0")}a.\x01${"\0".repeat(11)}`,
    );
    expect(message).toContain("it has more than 100000 tensors");
    const tensorOfOne: TensorData = { dtype: "F32", shape: [1], bytes: new Uint8Array(4) };
    const long = new Map([["n".repeat(1001), tensorOfOne]]);
    expect(refusal("long.pt", writeTorchZip(long))).toContain(
      "a tensor whose name has 1001 characters",
    );
  });

  function long(value: number): string {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes.toString("latin1");
  }
});

describe("properties", () => {
  const seeds = readdirSync(fixtures).filter((name) => /\.(pth|th|pt)$/.test(name));
  const mutation = fc.record({
    kind: fc.constantFrom("set", "cut", "insert", "copy"),
    at: fc.nat(),
    value: fc.integer({ min: 0, max: 255 }),
  });

  function mutated(seed: Buffer, steps: readonly { kind: string; at: number; value: number }[]) {
    let bytes = Buffer.from(seed);
    for (const { kind, at, value } of steps) {
      const i = at % bytes.length;
      const [before, after] = [bytes.subarray(0, i), bytes.subarray(i)];
      if (kind === "set") bytes[i] = value;
      else if (kind === "cut") bytes = Buffer.concat([before, after.subarray(value % 24)]);
      else if (kind === "copy") {
        bytes = Buffer.concat([before, after.subarray(0, value % 40), after]);
      } else bytes = Buffer.concat([before, Buffer.from([value]), after]);
    }
    return bytes;
  }

  it("a mutated file gives an error of ours, or tensors that fit their shapes and the file", () => {
    const count = { read: 0, refused: 0 };
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        (name, steps) => {
          const bytes = mutated(readFileSync(join(fixtures, name)), steps);
          try {
            const { tensors } = readWeights(written("mutated.pth", bytes));
            const buffers = new Map<ArrayBufferLike, number>();
            for (const { dtype, shape, bytes: view } of tensors.values()) {
              expect(view.length).toBe(shape.reduce((p, n) => p * n, elementBytes[dtype]));
              buffers.set(view.buffer, view.buffer.byteLength);
            }
            const held = [...buffers.values()].reduce((sum, size) => sum + size, 0);
            // What was read of it once, and what was copied to be in order.
            expect(held).toBeLessThanOrEqual(2 * bytes.length);
            count.read++;
          } catch (error) {
            if (!(error instanceof ThawError)) throw error;
            count.refused++;
          }
        },
      ),
      { seed: 3, numRuns: 2500 },
    );
    expect(count.read).toBeGreaterThan(50);
    expect(count.refused).toBeGreaterThan(500);
  });
});
