import { engine } from "../../tensor/engine.ts";
import type { Handle } from "../../tensor/index.ts";

interface Described {
  readonly shape: readonly number[];
  readonly dtype: string;
}

/** Shape, dtype and on request the elements of a tensor that is known by its handle alone. */
export function describeTensor(handle: Handle): Described;
export function describeTensor(handle: Handle, more: "bytes"): Described & { bytes: Uint8Array };
export function describeTensor(handle: Handle, more?: "bytes"): Described {
  const native = engine();
  const described = { shape: native.shape(handle), dtype: native.dtype(handle) };
  return more === undefined
    ? described
    : { ...described, ...{ bytes: new Uint8Array(native.toArrayBuffer(handle)) } };
}
