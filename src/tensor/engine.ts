import { loadNative } from "../libtorch/load.ts";
import type { Native } from "../libtorch/native.ts";

let native: Native | undefined;

/** The addon, loaded at the first use and the same for all that follow. */
export function engine(): Native {
  native ??= loadNative();
  return native;
}

/** An operator by its schema's name; the dispatcher is asked at the first call. */
export class Operator {
  readonly name: string;
  #index = -1;

  constructor(name: string) {
    this.name = name;
  }

  get index(): number {
    if (this.#index < 0) this.#index = engine().resolve(this.name);
    return this.#index;
  }
}

/** Does this libtorch know the operator (`aten::…`), with a kernel for the backend (`CPU`, `CUDA`)? */
export function hasOperator(name: string, backend?: "CPU" | "CUDA" | "MPS"): boolean {
  return engine().hasOperator(name, backend);
}
