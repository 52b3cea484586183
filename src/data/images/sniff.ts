/** Image formats that are decoded. */
export type ImageFormat = "jpeg" | "png" | "webp" | "gif" | "avif" | "tiff" | "bmp" | "ppm";

/** Formats known by their first bytes, so that a refusal can name them. */
const REFUSED: readonly (readonly [name: string, offset: number, bytes: string])[] = [
  ["ICO", 0, "\0\0\x01\0"],
  ["JPEG 2000", 4, "jP  "],
  ["JPEG XL", 0, "\xff\x0a"],
  ["JPEG XL", 4, "JXL "],
  ["Photoshop", 0, "8BPS"],
  ["PDF", 0, "%PDF"],
  ["HTML or XML", 0, "<"],
  ["zip archive", 0, "PK\x03\x04"],
  ["PAM", 0, "P7\n"],
  ["floating-point PFM", 0, "PF\n"],
  ["floating-point PFM", 0, "Pf\n"],
];

/** By the first bytes, whatever the file is called; else what it is, or undefined where nothing is known. */
export function sniffFormat(
  bytes: Uint8Array,
): { readonly format: ImageFormat } | { readonly refused: string } | undefined {
  const starts = (text: string, offset = 0): boolean => {
    for (let i = 0; i < text.length; i++) {
      if (bytes[offset + i] !== text.charCodeAt(i)) return false;
    }
    return true;
  };
  if (starts("\xff\xd8\xff")) return { format: "jpeg" };
  if (starts("\x89PNG\r\n\x1a\n")) return { format: "png" };
  if (starts("GIF87a") || starts("GIF89a")) return { format: "gif" };
  if (starts("RIFF") && starts("WEBP", 8)) return { format: "webp" };
  if (TIFF.some((signature) => starts(signature))) return { format: "tiff" };
  if (starts("BM")) return { format: "bmp" };
  if (starts("P") && isNetpbm(bytes)) return { format: "ppm" };
  if (starts("ftyp", 4)) {
    // The major brand, then (after its version) the compatible ones, to the end of the box.
    const end = Math.min(bytes.length, 16 + 4 * 32, boxLength(bytes));
    for (let at = 8; at + 4 <= end; at += at === 8 ? 8 : 4) {
      if (starts("avif", at) || starts("avis", at)) return { format: "avif" };
    }
    return { refused: starts("hei", 8) || starts("mif1", 8) ? "HEIC" : "video or HEIF" };
  }
  const known = REFUSED.find(([, offset, text]) => starts(text, offset));
  return known === undefined ? undefined : { refused: known[0] };
}

/** Little- and big-endian, and BigTIFF. */
const TIFF = ["II*\0", "MM\0*", "II+\0", "MM\0+"];

/** P1 to P6, then a blank or a comment. */
function isNetpbm(bytes: Uint8Array): boolean {
  const [, number = 0, after = 0] = bytes;
  return number >= 0x31 && number <= 0x36 && [0x20, 0x09, 0x0a, 0x0d, 0x23].includes(after);
}

function boxLength(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
}
