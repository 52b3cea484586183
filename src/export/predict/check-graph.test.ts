import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { elementTypes, GraphBuilder, int, type ValueInfo } from "../graph.ts";
import { type ExportMetadata, encodeMetadata, readMetadata } from "../metadata.ts";
import { encodeModel } from "../onnx/encode.ts";
import { openFile } from "./predictor.ts";

const folder = mkdtempSync(join(tmpdir(), "thaw-graph-"));
afterAll(() => rmSync(folder, { recursive: true }));

it("refuses a file that says of itself what its graph is not", async () => {
  const ends = (type: "float32" | "uint8" | "float16", ...shape: ValueInfo["shape"]) =>
    ({ type, shape }) satisfies ValueInfo;
  const input = { channels: 3, height: 4, width: 6, mean: [0, 0, 0], std: [1, 1, 1] };
  const image = [{ perImage: 1 }, 3, 4, 6] as const;
  const file = (name: string, takes: ValueInfo, gives: ValueInfo, more = {}): string => {
    const builder = new GraphBuilder(17);
    const to = int(elementTypes[gives.type]);
    const graph = builder.finish(
      new Map([["images", takes]]),
      new Map([[builder.add("Cast", ["images"], { to }), gives]]),
    );
    const metadata: ExportMetadata = {
      ...{ model: "m", classes: ["a", "b"], input, takes: "normalised", gives: "logits" },
      ...{ precision: "fp32", licence: "none", run: "r", data: "d", ...more },
    };
    const options = { producerVersion: "0", metadata: encodeMetadata(metadata) };
    const { model } = encodeModel(graph, { ...options, externalName: `${name}.data` });
    const path = join(folder, name);
    writeFileSync(path, Buffer.concat([...model]));
    return path;
  };
  const good = ends("float32", ...image);
  await using _good = await openFile(file("good.onnx", good, good));
  for (const [name, takes, gives, said, more] of [
    ["type", ends("uint8", ...image), good, "it takes uint8 [batch, 3, 4, 6], and not float32"],
    ["turned", ends("float32", { perImage: 1 }, 3, 6, 4), good, "not float32 [batch, 3, 4, 6]"],
    ["flat", ends("float32", { perImage: 1 }, 72), good, "it takes float32 [batch, 72]"],
    ["seven", ends("float32", 7, 3, 4, 6), good, "it takes 7 images at a time"],
    ["half", good, ends("float16", ...image), "it gives float16 [batch, 3, 4, 6], and not float32"],
    ["fixed", ends("uint8", 1, 4, 6, 3), good, "not uint8 [batch, height, width, 3]", "pictures"],
  ] as const) {
    const path = file(`${name}.onnx`, takes, gives, more && { takes: more });
    await expect(openFile(path)).rejects.toThrow(said);
  }
  const classes = ["a", "\x1b[2Jb"];
  expect(() => readMetadata(file("names.onnx", good, good, { classes }))).toThrow(
    "classes.1: a name has control characters",
  );
});
