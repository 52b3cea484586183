import { extname } from "node:path";

/** torchvision's `IMG_EXTENSIONS`, and what it leaves out of the formats that are decoded here. */
const extensions = new Set(
  [".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"].concat(
    ".gif",
    ".avif",
  ),
);

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
