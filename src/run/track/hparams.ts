import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { SummaryValue } from "./event.ts";

/** A setting or, in words, a list or group of them. */
export type HParam = string | number | boolean;

const PLUGIN = "hparams";
/** tensorboard.hparams.DataType and Status. (tensorboard/plugins/hparams/api.proto) */
const DataType = { string: 1, boolean: 2, number: 3 } as const;
const Status = { finished: 1, failed: 2 } as const;

/** What columns TensorBoard's HPARAMS tab has: the settings, and the scalars that are results. */
export function hparamsExperiment(
  params: Readonly<Record<string, HParam>>,
  metrics: readonly string[],
): SummaryValue {
  const content = data(2, (writer) => {
    for (const [name, value] of Object.entries(params)) {
      writer.tag(4, WireType.LengthDelimited).fork();
      writer.tag(1, WireType.LengthDelimited).string(name);
      const type = DataType[typeof value as keyof typeof DataType];
      writer.tag(4, WireType.Varint).int32(type).join();
    }
    for (const tag of metrics) {
      writer.tag(5, WireType.LengthDelimited).fork();
      writer.tag(1, WireType.LengthDelimited).fork();
      writer.tag(2, WireType.LengthDelimited).string(tag).join();
      writer.join();
    }
  });
  return { kind: "plugin", tag: "_hparams_/experiment", plugin: PLUGIN, content };
}

/** The settings of the run whose folder this is. */
export function hparamsStart(
  params: Readonly<Record<string, HParam>>,
  name: string,
  seconds: number,
): SummaryValue {
  const content = data(3, (writer) => {
    for (const [key, value] of Object.entries(params)) {
      writer.tag(1, WireType.LengthDelimited).fork();
      writer.tag(1, WireType.LengthDelimited).string(key);
      writer.tag(2, WireType.LengthDelimited).fork();
      // google.protobuf.Value
      if (typeof value === "number") writer.tag(2, WireType.Bit64).double(value);
      else if (typeof value === "string") writer.tag(3, WireType.LengthDelimited).string(value);
      else writer.tag(4, WireType.Varint).bool(value);
      writer.join().join();
    }
    writer.tag(4, WireType.LengthDelimited).string(name);
    writer.tag(5, WireType.Bit64).double(seconds);
  });
  return { kind: "plugin", tag: "_hparams_/session_start_info", plugin: PLUGIN, content };
}

export function hparamsEnd(status: keyof typeof Status, seconds: number): SummaryValue {
  const content = data(4, (writer) => {
    writer.tag(1, WireType.Varint).int32(Status[status]);
    writer.tag(2, WireType.Bit64).double(seconds);
  });
  return { kind: "plugin", tag: "_hparams_/session_end_info", plugin: PLUGIN, content };
}

/** tensorboard.hparams.HParamsPluginData with one of its messages. (tensorboard/plugins/hparams/plugin_data.proto) */
function data(field: number, write: (writer: BinaryWriter) => void): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(field, WireType.LengthDelimited).fork();
  write(writer);
  return writer.join().finish();
}
