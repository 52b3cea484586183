import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  type Attribute,
  elementTypes,
  type Graph,
  type Initializer,
  type Node,
  type ValueInfo,
} from "../graph.ts";

/** A message as pieces, so that weights are never copied: a file is their concatenation. */
type Chunks = readonly Uint8Array[];

export interface OnnxFile {
  /** The model file's bytes, in order. */
  readonly model: Chunks;
  /** Of the weights beside it, in order; empty where all are inside. */
  readonly external: Chunks;
}

export interface EncodeOptions {
  readonly producerVersion: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** File name of weights outside. */
  readonly externalName: string;
  /** Above so many bytes of weights they go into the other file: protobuf's limit is 2 GiB for a message. */
  readonly largest?: number;
}

/** Leaves room for names and structure below 2 GiB. */
export const LARGEST_INSIDE = 2 ** 31 - 2 ** 24;
/** Smaller tensors stay inside: shapes are read from them before weights are. */
const ALWAYS_INSIDE = 1024;
/** Where external tensors begin: pages, so that they can be mapped. */
const ALIGNMENT = 4096;

/** onnx.ModelProto as bytes. (onnx/onnx.proto) */
export function encodeModel(graph: Graph, options: EncodeOptions): OnnxFile {
  const { producerVersion, metadata, externalName, largest = LARGEST_INSIDE } = options;
  const total = [...graph.initializers.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
  const outside = new ExternalFile(externalName, total > largest);
  const head = new BinaryWriter();
  head.tag(1, WireType.Varint).int64(irVersion(graph.opset));
  text(head, 2, "thaw");
  text(head, 3, producerVersion);
  const tail = new BinaryWriter();
  tail.tag(8, WireType.LengthDelimited).fork();
  text(tail, 1, "");
  tail.tag(2, WireType.Varint).int64(graph.opset).join();
  for (const [key, value] of Object.entries(metadata)) {
    tail.tag(14, WireType.LengthDelimited).fork();
    text(tail, 1, key);
    text(tail, 2, value);
    tail.join();
  }
  const model = [head.finish(), ...nested(7, graphChunks(graph, outside)), tail.finish()];
  return { model, external: outside.chunks };
}

/** The oldest that has the opset. (onnx/helper.py, VERSION_TABLE) */
export function irVersion(opset: number): number {
  if (opset <= 14) return 7;
  if (opset <= 18) return 8;
  return opset <= 20 ? 9 : 10;
}

class ExternalFile {
  readonly name: string;
  readonly chunks: Uint8Array[] = [];
  readonly #used: boolean;
  #length = 0;

  constructor(name: string, used: boolean) {
    this.name = name;
    this.#used = used;
  }

  takes({ bytes }: Initializer): boolean {
    return this.#used && bytes.length > ALWAYS_INSIDE;
  }

  /** Where the tensor begins. */
  put({ bytes }: Initializer): number {
    const gap = (ALIGNMENT - (this.#length % ALIGNMENT)) % ALIGNMENT;
    const offset = this.#length + gap;
    if (gap > 0) this.chunks.push(new Uint8Array(gap));
    this.chunks.push(bytes);
    this.#length = offset + bytes.length;
    return offset;
  }
}

/** onnx.GraphProto. */
function graphChunks(graph: Graph, outside: ExternalFile): Chunks {
  const head = new BinaryWriter();
  for (const node of graph.nodes) writeNode(head, node);
  text(head, 2, "thaw");
  const tail = new BinaryWriter();
  for (const [field, values] of [
    [11, graph.inputs],
    [12, graph.outputs],
  ] as const) {
    for (const [name, info] of values) writeValueInfo(tail, field, name, info);
  }
  const tensors = [...graph.initializers].flatMap(([name, value]) => [
    ...nested(5, tensorChunks(name, value, outside)),
  ]);
  return [head.finish(), ...tensors, tail.finish()];
}

/** onnx.NodeProto. */
function writeNode(writer: BinaryWriter, { op, name, inputs, outputs, attributes }: Node): void {
  writer.tag(1, WireType.LengthDelimited).fork();
  for (const input of inputs) text(writer, 1, input);
  for (const output of outputs) text(writer, 2, output);
  text(writer, 3, name);
  text(writer, 4, op);
  for (const [key, value] of Object.entries(attributes)) writeAttribute(writer, key, value);
  writer.join();
}

/** AttributeProto.AttributeType */
const attributeTypes = { float: 1, int: 2, string: 3, floats: 6, ints: 7 } as const;

/** onnx.AttributeProto. */
function writeAttribute(writer: BinaryWriter, name: string, attribute: Attribute): void {
  writer.tag(5, WireType.LengthDelimited).fork();
  text(writer, 1, name);
  switch (attribute.kind) {
    case "float":
      writer.tag(2, WireType.Bit32).float(Math.fround(attribute.value));
      break;
    case "int":
      writer.tag(3, WireType.Varint).int64(attribute.value);
      break;
    case "string":
      text(writer, 4, attribute.value);
      break;
    case "floats":
      for (const value of attribute.value) writer.tag(7, WireType.Bit32).float(Math.fround(value));
      break;
    case "ints":
      for (const value of attribute.value) writer.tag(8, WireType.Varint).int64(value);
  }
  writer.tag(20, WireType.Varint).int32(attributeTypes[attribute.kind]);
  writer.join();
}

/** onnx.TensorProto. */
function tensorChunks(name: string, value: Initializer, outside: ExternalFile): Chunks {
  const writer = new BinaryWriter();
  for (const size of value.shape) writer.tag(1, WireType.Varint).int64(size);
  writer.tag(2, WireType.Varint).int32(elementTypes[value.type]);
  text(writer, 8, name);
  if (!outside.takes(value)) return [writer.finish(), ...nested(9, [value.bytes])];
  const entries = {
    location: outside.name,
    offset: String(outside.put(value)),
    length: String(value.bytes.length),
  };
  for (const [key, entry] of Object.entries(entries)) {
    writer.tag(13, WireType.LengthDelimited).fork();
    text(writer, 1, key);
    text(writer, 2, entry);
    writer.join();
  }
  writer.tag(14, WireType.Varint).int32(1);
  return [writer.finish()];
}

/** onnx.ValueInfoProto. */
function writeValueInfo(
  writer: BinaryWriter,
  field: number,
  name: string,
  { type, shape }: ValueInfo,
): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  text(writer, 1, name);
  writer.tag(2, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.Varint).int32(elementTypes[type]);
  writer.tag(2, WireType.LengthDelimited).fork();
  for (const dim of shape) {
    writer.tag(1, WireType.LengthDelimited).fork();
    if (typeof dim === "number") writer.tag(1, WireType.Varint).int64(dim);
    else if ("name" in dim) text(writer, 2, dim.name);
    else text(writer, 2, dim.perImage === 1 ? "batch" : `batch_${dim.perImage}`);
    writer.join();
  }
  writer.join().join().join().join();
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value);
}

/** A message or bytes as a field of another. */
function nested(field: number, chunks: Chunks): Chunks {
  const length = chunks.reduce((sum, { length: own }) => sum + own, 0);
  const header = new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(length).finish();
  return [header, ...chunks];
}
