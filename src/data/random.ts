import { createHash } from "node:crypto";
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";
import type { JumpableRandomGenerator } from "pure-rand/types/JumpableRandomGenerator";
import { ThawError, UsageError } from "../errors.ts";

/** Four int32: all of a stream's future, small enough for a checkpoint's metadata. */
export type RandomState = readonly [number, number, number, number];

/**
 * A stream of random numbers (xoroshiro128+, Blackman & Vigna 2018) whose state can be saved and
 * restored, so that a resumed run draws what the uninterrupted one would have drawn.
 */
export class RandomStream {
  readonly #generator: JumpableRandomGenerator;

  constructor(state: RandomState) {
    if (state.length !== 4 || !state.every((word) => Number.isInteger(word))) {
      throw new ThawError(`random state must be four int32, not ${JSON.stringify(state)}`);
    }
    const words = state.map((word) => word | 0);
    // From the all-zero state xoroshiro yields zeros for ever.
    if (words.every((word) => word === 0)) throw new ThawError("random state must not be all zero");
    this.#generator = xoroshiro128plusFromState(words);
  }

  /** A whole number of low..high-1, each equally likely. */
  int(low: number, high: number): number {
    if (!(high > low)) throw new ThawError(`random int: nothing lies in [${low}, ${high})`);
    return uniformInt(this.#generator, low, high - 1);
  }

  /** A multiple of 2^-53 of [low, high). */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * uniformFloat64(this.#generator);
  }

  state(): RandomState {
    const [a, b, c, d] = this.#generator.getState();
    return [a!, b!, c!, d!];
  }
}

/**
 * The stream called `name` of a run's one seed. Streams of different names are independent, so that
 * drawing more of one (another augmentation, say) never changes another (the split).
 */
export function seedStream(seed: number, name: string): RandomStream {
  const digest = seedDigest(seed, name);
  return new RandomStream([
    digest.readInt32LE(0),
    digest.readInt32LE(4),
    digest.readInt32LE(8),
    digest.readInt32LE(12),
  ]);
}

/**
 * A stream for each sample of an epoch: what is drawn for an image depends on seed, epoch and image,
 * neither on its batch nor on the thread. One digest an epoch; a sample's state is mixed from it.
 */
export function sampleStreams(seed: number, epoch: number): (sample: number) => RandomStream {
  const digest = seedDigest(seed, `augment/${epoch}`);
  const words = [0, 4, 8, 12].map((at) => digest.readInt32LE(at));
  return (sample) =>
    new RandomStream([
      mixed(words[0]! ^ sample),
      mixed(words[1]! + sample),
      mixed(words[2]! ^ ~sample),
      // Never all zero, whatever the others are.
      mixed(words[3]! - sample) | 1,
    ]);
}

/** MurmurHash3's finalizer: every bit of the input changes half of the output's. */
function mixed(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** A standard normal draw. (Box & Muller 1958) */
export function normal(stream: RandomStream): number {
  // Of (0, 1]: the logarithm of 0 is infinite.
  const radius = Math.sqrt(-2 * Math.log(1 - stream.uniform()));
  return radius * Math.cos(2 * Math.PI * stream.uniform());
}

/** A draw of Beta(alpha, alpha): by Jöhnk's method (1964) up to 1, above it as a share of two gammas. */
export function beta(alpha: number, stream: RandomStream): number {
  if (alpha > 1) {
    const a = gamma(alpha, stream);
    return a / (a + gamma(alpha, stream));
  }
  for (;;) {
    const [u, v] = [Math.log(1 - stream.uniform()) / alpha, Math.log(1 - stream.uniform()) / alpha];
    // As logarithms: with a small alpha both powers may be 0.
    const most = Math.max(u, v);
    const sum = most + Math.log(Math.exp(u - most) + Math.exp(v - most));
    if (sum <= 0) return Math.exp(u - sum);
  }
}

/** A draw of Gamma(shape, 1), shape at least 1. (Marsaglia & Tsang 2000) */
function gamma(shape: number, stream: RandomStream): number {
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(stream);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - stream.uniform()) < 0.5 * x * x + d * (1 - v + Math.log(v))) {
      return d * v;
    }
  }
}

/** A stream continued from `stream.state()`. */
export function restoreStream(state: RandomState): RandomStream {
  return new RandomStream(state);
}

/** 0..2^53-1, a seed derived like `seedStream` for generators that are not ours (libtorch's). */
export function streamSeed(seed: number, name: string): number {
  return Number(seedDigest(seed, name).readBigUInt64LE(16) >> 11n);
}

function seedDigest(seed: number, name: string): Buffer {
  if (!Number.isSafeInteger(seed)) {
    throw new UsageError(`--seed ${seed}: a seed is a whole number`, {
      hint: "for example --seed 42",
    });
  }
  return createHash("sha256").update(`thaw stream v1\0${seed}\0${name}`).digest();
}

/** 0..n-1 in an order drawn from `stream`, every order equally likely (Fisher & Yates). */
export function shuffle(n: number, stream: RandomStream): Int32Array {
  const order = new Int32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  return shuffleInPlace(order, stream);
}

/** Shuffles `values` where they lie and returns them. */
/** The order of an epoch's samples: shuffled anew from the seed each epoch, or as they stand. */
export function epochOrder(
  count: number,
  epoch: number,
  options: { readonly shuffle: boolean; readonly seed: number },
): Int32Array {
  if (options.shuffle) return shuffle(count, seedStream(options.seed, `shuffle/${epoch}`));
  return Int32Array.from({ length: count }, (_, i) => i);
}

export function shuffleInPlace(values: Int32Array, stream: RandomStream): Int32Array {
  for (let i = values.length - 1; i > 0; i--) {
    const j = stream.int(0, i + 1);
    const value = values[i]!;
    values[i] = values[j]!;
    values[j] = value;
  }
  return values;
}
