import type { ImageSet } from "../imageset.ts";
import { DamagedFileError } from "./damaged.ts";

/** An IDX array of unsigned bytes; `data` is a view of the bytes it was read from. */
export interface IdxArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

const UNSIGNED_BYTE = 0x08;
const MAX_DIMENSIONS = 8;

/**
 * Reads an IDX file (two zero bytes, element type, number of dimensions, big-endian uint32 sizes,
 * elements; LeCun, Cortes & Burges, "The MNIST database"). Only unsigned bytes are read. The sizes
 * must come to exactly the bytes that follow: nothing is allocated on a header's word.
 */
export function parseIdx(bytes: Uint8Array, where: string): IdxArray {
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0) {
    throw new DamagedFileError(`${where}: not an IDX file (it does not begin with two zero bytes)`);
  }
  const type = bytes[2]!;
  const dimensions = bytes[3]!;
  if (type !== UNSIGNED_BYTE) {
    throw new DamagedFileError(
      `${where}: IDX element type 0x${type.toString(16).padStart(2, "0")}, only 0x08 (unsigned byte) is read`,
    );
  }
  if (dimensions < 1 || dimensions > MAX_DIMENSIONS) {
    throw new DamagedFileError(`${where}: IDX file with ${dimensions} dimensions`);
  }
  const headerBytes = 4 + 4 * dimensions;
  if (bytes.length < headerBytes) {
    throw new DamagedFileError(
      `${where}: IDX header of ${headerBytes} bytes cut off at ${bytes.length}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape: number[] = [];
  let elements = 1;
  for (let i = 0; i < dimensions; i++) {
    const size = view.getUint32(4 + 4 * i);
    shape.push(size);
    elements *= size;
  }
  const have = bytes.length - headerBytes;
  // In doubles an absurd product only loses low digits: it still differs from a real length.
  if (elements !== have) {
    throw new DamagedFileError(
      `${where}: IDX header says [${shape.join(", ")}], ${elements} bytes, but ${have} follow`,
    );
  }
  // Not `subarray`, which of a Buffer gives a Buffer, with other ideas of slice and constructor.
  return { shape, data: new Uint8Array(bytes.buffer, bytes.byteOffset + headerBytes, have) };
}

/** Puts an IDX file of images ([n, h, w]) and one of labels ([n]) together as greyscale images. */
export function idxImageSet(
  images: { bytes: Uint8Array; where: string },
  labels: { bytes: Uint8Array; where: string },
  classes: readonly string[],
): ImageSet {
  const pixels = parseIdx(images.bytes, images.where);
  const classIndices = parseIdx(labels.bytes, labels.where);
  if (pixels.shape.length !== 3) {
    throw new DamagedFileError(
      `${images.where}: images want 3 dimensions [n, h, w], the file has [${pixels.shape.join(", ")}]`,
    );
  }
  if (classIndices.shape.length !== 1) {
    throw new DamagedFileError(
      `${labels.where}: labels want 1 dimension, the file has [${classIndices.shape.join(", ")}]`,
    );
  }
  const [count, height, width] = pixels.shape as [number, number, number];
  if (classIndices.shape[0] !== count) {
    throw new DamagedFileError(
      `${images.where} has ${count} images, but ${labels.where} has ${classIndices.shape[0]} labels`,
    );
  }
  return {
    images: pixels.data,
    labels: classIndices.data,
    count,
    channels: 1,
    height,
    width,
    classes,
  };
}
