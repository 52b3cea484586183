/**
 * Reads TensorBoard's files without any of the writer's code: TFRecord's frames with their checksums, and protobuf's wire
 * format by hand.
 */

/** Fields of a message: numbers, byte strings, in the order of the bytes. */
export type Fields = ReadonlyMap<number, readonly (number | Uint8Array)[]>;

/** The records of a file. @throws where a length, a checksum or the end does not fit. */
export function readRecords(file: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = [];
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (let at = 0; at < file.length; ) {
    const length = Number(view.getBigUint64(at, true));
    if (unmask(view.getUint32(at + 8, true)) !== crc(file.subarray(at, at + 8))) {
      throw new Error(`the checksum of the length at ${at} is wrong`);
    }
    const data = file.subarray(at + 12, at + 12 + length);
    if (data.length < length) throw new Error(`the record at ${at} is cut off`);
    if (unmask(view.getUint32(at + 12 + length, true)) !== crc(data)) {
      throw new Error(`the checksum of the record at ${at} is wrong`);
    }
    records.push(data);
    at += length + 16;
  }
  return records;
}

export function readMessage(bytes: Uint8Array): Fields {
  const fields = new Map<number, (number | Uint8Array)[]>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const value = (type: number): number | Uint8Array => {
    if (type === 0) return varint();
    if (type !== 1 && type !== 5 && type !== 2) throw new Error(`wire type ${type}`);
    const length = type === 2 ? varint() : type === 1 ? 8 : 4;
    const start = at;
    at += length;
    if (type === 2) return bytes.subarray(start, at);
    return type === 1 ? view.getFloat64(start, true) : view.getFloat32(start, true);
  };
  while (at < bytes.length) {
    const key = varint();
    const list = fields.get(key >> 3) ?? [];
    fields.set(key >> 3, list);
    list.push(value(key & 7));
  }
  return fields;
}

export const numberOf = (fields: Fields, field: number): number =>
  (fields.get(field)?.[0] as number | undefined) ?? 0;
export const bytesOf = (fields: Fields, field: number): Uint8Array =>
  fields.get(field)?.[0] as Uint8Array;
export const textOf = (fields: Fields, field: number): string =>
  Buffer.from(bytesOf(fields, field)).toString();
export const messagesOf = (fields: Fields, field: number): Fields[] =>
  ((fields.get(field) ?? []) as Uint8Array[]).map(readMessage);
export function doublesOf(fields: Fields, field: number): number[] {
  const packed = bytesOf(fields, field);
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  return Array.from({ length: packed.length / 8 }, (_, i) => view.getFloat64(8 * i, true));
}

export interface ReadEvent {
  readonly seconds: number;
  readonly step: number;
  readonly version: string | undefined;
  /** A session log's status. */
  readonly session: number | undefined;
  readonly values: readonly { readonly tag: string; readonly fields: Fields }[];
}

export function readEvents(file: Uint8Array): ReadEvent[] {
  return readRecords(file).map((record) => {
    const event = readMessage(record);
    const [session] = messagesOf(event, 7);
    return {
      seconds: numberOf(event, 1),
      step: numberOf(event, 2),
      version: event.has(3) ? textOf(event, 3) : undefined,
      session: session && numberOf(session, 1),
      values: messagesOf(event, 5).flatMap((summary) =>
        messagesOf(summary, 1).map((fields) => ({ tag: textOf(fields, 1), fields })),
      ),
    };
  });
}

/** (step, value) of a tag's scalars over all files, in order, without what a restart has voided. */
export function scalars(files: readonly Uint8Array[], tag: string): [number, number][] {
  let points: [number, number][] = [];
  for (const { step, session, values } of files.flatMap(readEvents)) {
    if (session === 1) points = points.filter(([at]) => at < step);
    for (const value of values) {
      if (value.tag === tag) points.push([step, numberOf(value.fields, 2)]);
    }
  }
  return points;
}

function unmask(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

/** Bit by bit, without a table. */
function crc(bytes: Uint8Array): number {
  let remainder = 0xffffffff;
  for (const byte of bytes) {
    remainder ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      remainder = (remainder >>> 1) ^ (0x82f63b78 & -(remainder & 1));
    }
  }
  return ~remainder >>> 0;
}
