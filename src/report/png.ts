import { existsSync, readFileSync } from "node:fs";
import type { PngImage } from "../run/track/event.ts";

const SIGNATURE = "\x89PNG\r\n\x1a\n";

/** A picture and the size that its header says; undefined where there is none, or the file is something else. */
export function readPng(path: string): PngImage | undefined {
  if (!existsSync(path)) return undefined;
  const png = new Uint8Array(readFileSync(path));
  if (Buffer.from(png.subarray(0, 8)).toString("latin1") !== SIGNATURE || png.length < 24) {
    return undefined;
  }
  // Signature, length and name of the first chunk, then both sides.
  const view = new DataView(png.buffer, png.byteOffset);
  return { png, width: view.getUint32(16), height: view.getUint32(20) };
}
