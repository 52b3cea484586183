import { ThawError } from "../../errors.ts";
import { inWords } from "./in-words.ts";
import type { Buildable, PickleGlobal } from "./pickle.ts";

type ReadScalar = (view: DataView, little: boolean) => number;

const readers: Readonly<Record<string, ReadScalar>> = {
  f8: (view, little) => view.getFloat64(0, little),
  f4: (view, little) => view.getFloat32(0, little),
  i8: (view, little) => Number(view.getBigInt64(0, little)),
  i4: (view, little) => view.getInt32(0, little),
  i2: (view, little) => view.getInt16(0, little),
  i1: (view) => view.getInt8(0),
  u8: (view, little) => Number(view.getBigUint64(0, little)),
  u4: (view, little) => view.getUint32(0, little),
  u2: (view, little) => view.getUint16(0, little),
  u1: (view) => view.getUint8(0),
  b1: (view) => view.getUint8(0),
};

/** `dtype('f8')`; the byte order comes with its state. */
class NumpyDType implements Buildable {
  readonly code: string;
  little: boolean;

  constructor(code: string) {
    this.code = code.replace(/^[<>|=]/, "");
    this.little = !code.startsWith(">");
  }

  setState(state: unknown): void {
    if (Array.isArray(state) && state[1] === ">") this.little = false;
  }
}

/** numpy's scalars, which trainers save as the best accuracy: `scalar(dtype('f8'), bytes)` → a number. */
export function numpyGlobals(file: string): [string, PickleGlobal][] {
  const scalar = ([dtype, bytes]: readonly unknown[]): number => {
    const read = dtype instanceof NumpyDType ? readers[dtype.code] : undefined;
    const wanted = dtype instanceof NumpyDType ? Number(dtype.code.slice(1)) : 0;
    if (read === undefined || !(bytes instanceof Uint8Array) || bytes.length !== wanted) {
      throw new ThawError(`${file}: a numpy scalar that is no number`);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return read(view, (dtype as NumpyDType).little);
  };
  const calls: Readonly<Record<string, PickleGlobal["call"]>> = {
    "numpy.core.multiarray.scalar": scalar,
    "numpy._core.multiarray.scalar": scalar,
    "numpy.dtype": ([code]) => {
      if (typeof code === "string") return new NumpyDType(code);
      throw new ThawError(`${file}: a numpy dtype that is ${inWords(code)}`);
    },
    // How protocol 2 writes bytes: as a text whose characters are they.
    "_codecs.encode": ([text, encoding], spend) => {
      if (typeof text !== "string" || encoding !== "latin1") {
        throw new ThawError(`${file}: bytes in an encoding other than latin1`);
      }
      spend(text.length);
      return new Uint8Array(Buffer.from(text, "latin1"));
    },
  };
  return Object.entries(calls).map(([name, call]) => [name, { name, ...(call && { call }) }]);
}
