import type { TensorData } from "../../src/models/weights/index.ts";
import { makeZip } from "../zip.ts";

/** What `writeTorchZip` can pickle. */
export type Picklable =
  | number
  | string
  | TensorData
  | Map<string, Picklable>
  | readonly Picklable[];

/** A checkpoint as torch.save writes one since version 1.6: of float32 tensors, dicts, lists, whole numbers and texts. */
export function writeTorchZip(root: Picklable): Uint8Array<ArrayBuffer> {
  const storages: Uint8Array[] = [];
  const pickle = `\x80\x02${pickled(root, storages)}.`;
  return makeZip([
    { name: "archive/data.pkl", content: Buffer.from(pickle, "latin1") },
    ...storages.map((content, i) => ({ name: `archive/data/${i}`, content })),
  ]);
}

function pickled(value: Picklable, storages: Uint8Array[]): string {
  if (typeof value === "number") return int32(value, "J");
  if (typeof value === "string") return text(value);
  if (value instanceof Map) {
    const items = [...value].map(([key, item]) => text(key) + pickled(item, storages));
    return `}(${items.join("")}u`;
  }
  if ("bytes" in value) return tensor(value, storages);
  return `](${value.map((item) => pickled(item, storages)).join("")}e`;
}

function tensor({ dtype, shape, bytes }: TensorData, storages: Uint8Array[]): string {
  const [type, size] = dtype === "I64" ? ["LongStorage", 8] : ["FloatStorage", 4];
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((product, n) => product * n, 1));
  const sizes = (values: readonly number[]) => `(${values.map((n) => int32(n, "J")).join("")}t`;
  const key = String(storages.push(bytes) - 1);
  const id = `(${text("storage")}ctorch\n${type}\n${text(key)}${text("cpu")}${int32(bytes.length / Number(size), "J")}tQ`;
  return `ctorch._utils\n_rebuild_tensor_v2\n(${id}K\0${sizes(shape)}${sizes(strides)}\x89}tR`;
}

function text(value: string): string {
  const bytes = Buffer.from(value, "utf8");
  return int32(bytes.length, "X") + bytes.toString("latin1");
}

function int32(value: number, instruction: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return instruction + bytes.toString("latin1");
}
