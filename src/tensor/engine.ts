import { loadNative } from "../libtorch/load.ts";
import type { Native, NativeSchema } from "../libtorch/native.ts";

let native: Native | undefined;

/** The addon, loaded at the first use and the same for all that follow. */
export function engine(): Native {
  native ??= loadNative();
  return native;
}

/** Names of the operators that were resolved, by index. */
const names: string[] = [];

/** A call of an operator that has returned. */
export interface OperatorCall {
  /** `aten::conv2d` */
  readonly name: string;
  readonly schema: NativeSchema;
  /** As they were given to the addon: tensors by handle, undefined for a default. */
  readonly values: readonly unknown[];
  /** Handles of fresh tensors; nothing for an operator that writes into an argument. */
  readonly result: unknown;
}

/** Runs `body` and tells of every operator that is called meanwhile. Synchronous, as the calls are. */
export function observeCalls<T>(observer: (call: OperatorCall) => void, body: () => T): T {
  const plain = engine();
  const schemas = new Map<string, NativeSchema>();
  const schemaOf = (name: string): NativeSchema => {
    const known = schemas.get(name) ?? plain.schema(name);
    schemas.set(name, known);
    return known;
  };
  native = {
    ...plain,
    call(index, ...values) {
      const result = plain.call(index, ...values);
      const name = names[index]!;
      observer({ name, schema: schemaOf(name), values, result });
      return result;
    },
  };
  try {
    return body();
  } finally {
    native = plain;
  }
}

/** An operator by its schema's name; the dispatcher is asked at the first call. */
export class Operator {
  readonly name: string;
  #index = -1;

  constructor(name: string) {
    this.name = name;
  }

  get index(): number {
    if (this.#index < 0) {
      this.#index = engine().resolve(this.name);
      names[this.#index] = this.name;
    }
    return this.#index;
  }
}

/** Does this libtorch know the operator (`aten::…`), with a kernel for the backend (`CPU`, `CUDA`)? */
export function hasOperator(name: string, backend?: "CPU" | "CUDA" | "MPS"): boolean {
  return engine().hasOperator(name, backend);
}
