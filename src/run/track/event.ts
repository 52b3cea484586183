import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** Counts of values between limits, as TensorBoard's HistogramProto has them. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
  /** Right edge of each bucket, ascending. */
  readonly limits: ArrayLike<number>;
  readonly buckets: ArrayLike<number>;
}

export interface PngImage {
  readonly png: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** One value of a summary. */
export type SummaryValue =
  | { readonly kind: "scalar"; readonly tag: string; readonly value: number }
  | { readonly kind: "histogram"; readonly tag: string; readonly value: Histogram }
  | { readonly kind: "image"; readonly tag: string; readonly value: PngImage }
  /** A plugin's data, without a value of its own. */
  | {
      readonly kind: "plugin";
      readonly tag: string;
      readonly plugin: string;
      readonly content: Uint8Array;
    };

export type EventContent =
  | { readonly kind: "version" }
  /** What other files of the folder have from this step on is void. */
  | { readonly kind: "restart" }
  | { readonly kind: "summary"; readonly values: readonly SummaryValue[] };

/** tensorflow.Event as bytes; `seconds` since 1970. (tensorflow/core/util/event.proto) */
export function encodeEvent(seconds: number, step: number, content: EventContent): Uint8Array {
  const event = new BinaryWriter();
  event.tag(1, WireType.Bit64).double(seconds);
  event.tag(2, WireType.Varint).int64(step);
  if (content.kind === "version") {
    event.tag(3, WireType.LengthDelimited).string("brain.Event:2");
  } else if (content.kind === "restart") {
    event.tag(7, WireType.LengthDelimited).fork();
    event.tag(1, WireType.Varint).int32(SESSION_START).join();
  } else {
    event.tag(5, WireType.LengthDelimited).fork();
    for (const value of content.values) writeValue(event, value);
    event.join();
  }
  return event.finish();
}

/** tensorflow.SessionLog.START */
const SESSION_START = 1;
/** RGBA in tensorflow.Summary.Image. */
const RGBA = 4;

/** tensorflow.Summary.Value. (tensorflow/core/framework/summary.proto) */
function writeValue(summary: BinaryWriter, value: SummaryValue): void {
  summary.tag(1, WireType.LengthDelimited).fork();
  summary.tag(1, WireType.LengthDelimited).string(value.tag);
  switch (value.kind) {
    case "scalar":
      // A float32: what is larger is infinite, as the loss of a run that diverges.
      summary.tag(2, WireType.Bit32).float(Math.fround(value.value));
      break;
    case "histogram":
      summary.tag(5, WireType.LengthDelimited).fork();
      writeHistogram(summary, value.value);
      summary.join();
      break;
    case "image":
      summary.tag(4, WireType.LengthDelimited).fork();
      summary.tag(1, WireType.Varint).int32(value.value.height);
      summary.tag(2, WireType.Varint).int32(value.value.width);
      summary.tag(3, WireType.Varint).int32(RGBA);
      summary.tag(4, WireType.LengthDelimited).bytes(value.value.png).join();
      break;
    case "plugin":
      summary.tag(9, WireType.LengthDelimited).fork();
      summary.tag(1, WireType.LengthDelimited).fork();
      summary.tag(1, WireType.LengthDelimited).string(value.plugin);
      summary.tag(2, WireType.LengthDelimited).bytes(value.content).join();
      summary.join();
  }
  summary.join();
}

/** tensorflow.HistogramProto. (tensorflow/core/framework/histogram.proto) */
function writeHistogram(writer: BinaryWriter, histogram: Histogram): void {
  const { min, max, count, sum, sumOfSquares, limits, buckets } = histogram;
  for (const [i, value] of [min, max, count, sum, sumOfSquares].entries()) {
    writer.tag(i + 1, WireType.Bit64).double(value);
  }
  for (const [field, values] of [
    [6, limits],
    [7, buckets],
  ] as const) {
    writer.tag(field, WireType.LengthDelimited).fork();
    for (let i = 0; i < values.length; i++) writer.double(values[i]!);
    writer.join();
  }
}
