/** How a picture is to be turned: EXIF's tag 0x0112, 1 (as it is) to 8. */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

const START_OF_SCAN = 0xda;
const END_OF_IMAGE = 0xd9;
const APP1 = 0xe1;

/** The segments before the pixels: marker and payload. Ends silently where the file is not as it should be. */
function* segments(bytes: Uint8Array): Generator<readonly [marker: number, payload: Uint8Array]> {
  for (let at = 2; at + 4 <= bytes.length; ) {
    if (bytes[at] !== 0xff) return;
    const marker = bytes[at + 1]!;
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === START_OF_SCAN || marker === END_OF_IMAGE) return;
    const length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    if (length < 2) return;
    yield [marker, bytes.subarray(at + 4, at + 2 + length)];
    at += 2 + length;
  }
}

/** The EXIF orientation of a JPEG; 1 where there is none or the block cannot be read. */
export function jpegOrientation(bytes: Uint8Array): Orientation {
  for (const [marker, payload] of segments(bytes)) {
    if (marker === APP1 && Buffer.from(payload.subarray(0, 6)).toString("latin1") === "Exif\0\0") {
      return tiffOrientation(payload.subarray(6));
    }
  }
  return 1;
}

/** Tag 0x0112 of the first directory of a TIFF block. */
function tiffOrientation(block: Uint8Array): Orientation {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  if (block.length < 8) return 1;
  const order = view.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return 1;
  const little = order === 0x4949;
  if (view.getUint16(2, little) !== 42) return 1;
  const directory = view.getUint32(4, little);
  if (directory + 2 > block.length) return 1;
  const entries = view.getUint16(directory, little);
  for (let i = 0; i < entries; i++) {
    const at = directory + 2 + 12 * i;
    if (at + 12 > block.length) return 1;
    if (view.getUint16(at, little) !== 0x0112) continue;
    const isShort = view.getUint16(at + 2, little) === 3;
    const value = isShort ? view.getUint16(at + 8, little) : view.getUint32(at + 8, little);
    return value >= 1 && value <= 8 ? (value as Orientation) : 1;
  }
  return 1;
}

/** Markers of the whole file, those between and after scans too, without stuffed zeros and restarts. */
function* markers(bytes: Uint8Array): Generator<number> {
  for (let at = 2; at + 1 < bytes.length; ) {
    at = bytes.indexOf(0xff, at);
    if (at < 0) return;
    const marker = bytes[at + 1];
    const isSegment =
      marker !== undefined && marker >= 0xc0 && marker < 0xff && (marker & 0xf8) !== 0xd0;
    if (isSegment || marker === END_OF_IMAGE) yield marker;
    const length = isSegment ? (bytes[at + 2]! << 8) | bytes[at + 3]! : 0;
    // Between scans come segments with a length; within them are stuffed zeros and restart markers.
    at += length >= 2 ? 2 + length : marker === 0xff ? 1 : 2;
  }
}

/**
 * Whether the file has its end. libjpeg invents a missing one with a warning that an earlier warning
 * can hide, so that after any warning the markers themselves are asked.
 */
export function hasEndOfImage(bytes: Uint8Array): boolean {
  for (const marker of markers(bytes)) if (marker === END_OF_IMAGE) return true;
  return false;
}

export function hasMoreScans(bytes: Uint8Array, most: number): boolean {
  let scans = 0;
  for (const marker of markers(bytes)) {
    if (marker === END_OF_IMAGE) return false;
    if (marker === START_OF_SCAN && ++scans > most) return true;
  }
  return false;
}
