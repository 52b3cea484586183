import { readdirSync } from "node:fs";
import { extname } from "node:path";
import { UsageError } from "../../errors.ts";

/** Names under which what is decoded here is found, torchvision's `IMG_EXTENSIONS` among them; the content decides. */
const extensions = new Set([
  ...[".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".avif", ".avifs"],
  ...[".tif", ".tiff", ".bmp", ".dib", ".ppm", ".pgm", ".pbm", ".pnm"],
]);

export function isImageName(name: string): boolean {
  return extensions.has(extname(name).toLowerCase());
}

/** `.ipynb_checkpoints`, `.DS_Store`, `._photo.jpg` and what macOS packs beside a folder. */
export function isHidden(name: string): boolean {
  return name.startsWith(".") || name === "__MACOSX";
}

/** Order by code point, as Python's `sorted`: JavaScript's own is by UTF-16 unit. */
export function byCodePoint(a: string, b: string): number {
  if (a === b) return 0;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** "a, b, c and 4 more" */
export function someOf(names: readonly string[], most = 5): string {
  const shown = names.slice(0, most).join(", ");
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}

/**
 * Refuses names whose bytes are no UTF-8: Node shows every bad byte as U+FFFD, so that two folders could become one class
 * and none could be opened.
 * @throws UsageError that shows the bytes.
 */
export function refuseUndecodable(folder: string, names: readonly string[]): void {
  if (!names.some((name) => name.includes("\ufffd"))) return;
  const bytes = readdirSync(folder, { encoding: "buffer" }).find((name) =>
    name.toString("utf8").includes("\ufffd"),
  );
  if (bytes === undefined) return;
  const shown = Array.from(bytes, (byte) =>
    byte > 0x1f && byte < 0x7f
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, "0")}`,
  ).join("");
  throw new UsageError(`${folder}: the name ${shown} is not valid UTF-8, or has lost a character`, {
    hint: "rename it; names in another encoding: convmv -r -f cp1252 -t utf8 --notest .",
  });
}
