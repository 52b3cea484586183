import { closeSync, openSync, readSync } from "node:fs";
import { sniffFormat } from "../images/sniff.ts";
import { isImageName } from "./names.ts";

/** As many bytes as `sniffFormat` looks at. */
const HEAD_BYTES = 144;

/** Pictures that are known by their first bytes and not decoded. */
const otherPictures = new Set(["HEIC", "ICO", "JPEG 2000", "JPEG XL", "Photoshop", "TIFF", "BMP"]);

/** What a file is taken for. */
export type FileKind =
  | { readonly kind: "image" }
  /** An image of a format that is not decoded, such as HEIC. */
  | { readonly kind: "picture"; readonly format: string }
  | { readonly kind: "other" };

/**
 * What a file is: an image's extension is believed here, and whether it can be decoded is found out when it is read; of
 * any other file the first bytes decide, whatever it is called.
 */
export function kindOfFile(path: string, name: string): FileKind {
  if (isImageName(name)) return { kind: "image" };
  const head = headOf(path);
  const found = isText(head) ? undefined : sniffFormat(head);
  if (found === undefined) return { kind: "other" };
  if ("format" in found) return { kind: "image" };
  return otherPictures.has(found.refused)
    ? { kind: "picture", format: found.refused }
    : { kind: "other" };
}

/** A text that only begins as a BMP ("BM") or a Netpbm image ("P6") does. */
function isText(head: Uint8Array): boolean {
  const text = Buffer.from(head).toString("latin1");
  if (text.startsWith("BM")) return !text.startsWith("\0\0\0\0", 6);
  return /^P[1-6]\s/.test(text) && !NETPBM.test(text);
}

/** Width and height, between blanks and comments. */
const NETPBM = /^P[1-6](?:\s|#[^\r\n]*[\r\n])+\d+(?:\s|#[^\r\n]*[\r\n])+\d+\s/;

/** Empty where the file cannot be read. */
function headOf(path: string): Uint8Array {
  const head = Buffer.alloc(HEAD_BYTES);
  try {
    const file = openSync(path, "r");
    try {
      return head.subarray(0, readSync(file, head, 0, HEAD_BYTES, 0));
    } finally {
      closeSync(file);
    }
  } catch {
    return head.subarray(0, 0);
  }
}
