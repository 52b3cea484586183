import { ThawError } from "../../errors.ts";

/** Samples as a file has them: [height, width, channels]. */
export type Samples =
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint16Array
  | Uint32Array
  | Float32Array
  | Float64Array;

export type SampleKind = "unsigned" | "signed" | "float";

/** The values that become black and white. */
export type PixelRange = readonly [black: number, white: number];

/** Of each file its own darkest and brightest value, where it has no range: to look at it, not to train on it. */
export type RangeChoice = PixelRange | "extent";

/** What a file of more than 8 bits a sample holds, and what was made of it. */
export interface Depth {
  readonly kind: SampleKind;
  readonly bits: number;
  /** Of its colours, without transparency. */
  readonly least: number;
  readonly most: number;
  readonly range: PixelRange;
  /** `given` by the caller, the `extent` of its values, said by the `file`, or the whole of its `type`. */
  readonly from: "given" | "extent" | "file" | "type";
}

interface Reading {
  readonly samples: Samples;
  readonly kind: SampleKind;
  readonly bits: number;
  readonly channels: number;
  /** What the file itself says is white. */
  readonly said?: number | undefined;
  readonly given?: RangeChoice | undefined;
}

/**
 * 8 bits of samples that have more: those from black to white become 0 to 255, those beyond are cut off. Unsigned samples of
 * 16 bits have a range of their own, 0 to 65,535 or what the file says; others need one.
 * @throws ThawError for signed and float samples, and for 32 bits, without a range.
 */
export function toLevels(
  reading: Reading,
  where: string,
): { readonly pixels: Uint8Array; readonly depth: Depth } {
  const { samples, kind, bits, channels } = reading;
  const { least, most } = extent(samples, channels);
  const { range, from } = rangeOf(reading, [least, most]);
  if (range === undefined) throw withoutRange(where, reading, least, most);
  const level = levelOf(range, kind);
  const pixels = new Uint8Array(samples.length);
  if (bits === 16) {
    const first = kind === "signed" ? -32_768 : 0;
    const table = Uint8Array.from({ length: 65_536 }, (_, i) => level(i + first));
    for (let i = 0; i < samples.length; i++) pixels[i] = table[samples[i]! - first]!;
  } else {
    for (let i = 0; i < samples.length; i++) pixels[i] = level(samples[i]!);
  }
  // A range of brightness says nothing of transparency.
  if (channels % 2 === 0 && from !== "file") {
    const opacity = levelOf([0, kind === "float" ? 1 : 2 ** bits - 1], kind);
    for (let i = channels - 1; i < samples.length; i += channels) {
      pixels[i] = opacity(samples[i]!);
    }
  }
  return { pixels, depth: { kind, bits, least, most, range, from } };
}

function rangeOf(
  { kind, bits, said, given }: Reading,
  extent: PixelRange,
): { readonly range: PixelRange | undefined; readonly from: Depth["from"] } {
  if (given !== undefined && given !== "extent") return { range: given, from: "given" };
  const hasOwn = kind === "unsigned" && bits === 16;
  if (hasOwn) return { range: [0, said ?? 65_535], from: said === undefined ? "type" : "file" };
  return { range: given === undefined ? undefined : extent, from: "extent" };
}

/** All bits of a whole number are cut to the upper 8, as Pillow and libvips do; other ranges are rounded. */
function levelOf([black, white]: PixelRange, kind: SampleKind): (value: number) => number {
  const bits = Math.log2(white + 1);
  if (kind !== "float" && black === 0 && Number.isInteger(bits) && bits >= 8) {
    const step = 2 ** (bits - 8);
    return (value) => Math.min(255, Math.max(0, Math.floor(value / step)));
  }
  const scale = 255 / (white - black);
  // NaN becomes 0.
  return (value) => Math.min(255, Math.max(0, Math.round((value - black) * scale))) || 0;
}

function extent(samples: Samples, channels: number): { least: number; most: number } {
  const colours = channels % 2 === 0 ? channels - 1 : channels;
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < samples.length; i += channels) {
    for (let c = 0; c < colours; c++) {
      const value = samples[i + c]!;
      if (value < least) least = value;
      if (value > most) most = value;
    }
  }
  return { least, most };
}

function withoutRange(
  where: string,
  { kind, bits }: Reading,
  least: number,
  most: number,
): ThawError {
  const what = {
    unsigned: `${bits}-bit unsigned integers`,
    signed: `${bits}-bit signed integers`,
    float: "floating-point numbers",
  }[kind];
  const shown = (value: number) => Number(value.toPrecision(6));
  return new ThawError(
    `${where}: its samples are ${what} (${shown(least)} to ${shown(most)}), and nothing says which values are black and white`,
    { hint: "set them for all images with --pixel-range BLACK,WHITE" },
  );
}
