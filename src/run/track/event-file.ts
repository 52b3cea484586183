import { closeSync, ftruncateSync, openSync, readdirSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { maskedCrc32c } from "./crc32c.ts";

/** Written together at the latest when they are so many bytes. */
const BUFFER = 256 * 1024;

/** A record of a TFRecord file: length, its checksum, the bytes, their checksum; little-endian. */
export function tfRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(data.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return record;
}

/** The name TensorBoard looks for; a later one of the folder sorts behind it, also within the same second. */
export function eventFileName(dir: string, seconds: number): string {
  const earlier = readdirSync(dir).filter((file) => file.startsWith("events.out.tfevents.")).length;
  const time = String(Math.floor(seconds)).padStart(10, "0");
  return `events.out.tfevents.${time}.${hostname()}.${process.pid}.${earlier}`;
}

/** Appends records to a file. What could not be written as a whole is cut off again: a reader sees whole records only. */
export class EventFile {
  readonly path: string;
  #fd: number | undefined;
  #buffered: Uint8Array[] = [];
  #bytes = 0;
  #length = 0;

  /** @throws what the file system says, where the file cannot be made. */
  constructor(dir: string, seconds: number) {
    this.path = join(dir, eventFileName(dir, seconds));
    this.#fd = openSync(this.path, "wx");
  }

  append(data: Uint8Array): void {
    const record = tfRecord(data);
    this.#buffered.push(record);
    this.#bytes += record.length;
    if (this.#bytes >= BUFFER) this.flush();
  }

  /** @throws what the file system says, as that the disk is full. */
  flush(): void {
    const bytes = Buffer.concat(this.#buffered);
    this.#buffered = [];
    this.#bytes = 0;
    if (this.#fd === undefined || bytes.length === 0) return;
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done);
      this.#length += bytes.length;
    } catch (error) {
      ftruncateSync(this.#fd, this.#length);
      throw error;
    }
  }

  /** Closes the file without what is still buffered. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
