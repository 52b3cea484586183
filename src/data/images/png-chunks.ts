/** Signature, then chunks of length, type, payload and checksum. */
function* chunks(bytes: Uint8Array): Generator<readonly [type: number, payload: Uint8Array]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    yield [view.getUint32(at + 4), bytes.subarray(at + 8, at + 8 + length)];
    at += 12 + length;
  }
}

const END = 0x49454e44; // "IEND"
const DATA = 0x49444154; // "IDAT"
const SIGNIFICANT_BITS = 0x73424954; // "sBIT"

/** Whether a PNG has its end: libpng is content without it, Pillow is not. */
export function hasPngEnd(bytes: Uint8Array): boolean {
  for (const [type] of chunks(bytes)) if (type === END) return true;
  return false;
}

/**
 * What is white in a PNG of 16 bits whose sBIT chunk says that fewer are used. A writer that follows the specification
 * has scaled such samples to 16 bits, so that white is 65,535 and the lower bits are zeros or repeat the upper ones. Others
 * store them as they are: then none is as large as 2^bits, and 2^bits - 1 is white.
 */
export function significantWhite(bytes: Uint8Array, samples: Uint16Array): number | undefined {
  const bits = significantBits(bytes);
  if (bits === undefined || bits >= 16 || bits < 8) return undefined;
  const spare = 16 - bits;
  const lower = 2 ** spare - 1;
  let isScaled = true;
  for (const sample of samples) {
    if (sample >= 2 ** bits) return undefined;
    const rest = sample & lower;
    if (rest !== 0 && rest !== sample >> bits) isScaled = false;
  }
  return isScaled ? undefined : 2 ** bits - 1;
}

/** The most of any channel. */
function significantBits(bytes: Uint8Array): number | undefined {
  for (const [type, payload] of chunks(bytes)) {
    if (type === DATA) return undefined;
    if (type === SIGNIFICANT_BITS && payload.length > 0) return Math.max(...payload.subarray(0, 4));
  }
  return undefined;
}
