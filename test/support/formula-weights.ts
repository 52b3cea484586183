import type { Module } from "../../src/nn/index.ts";
import { Tensor } from "../../src/tensor/index.ts";
import { formulaTensor } from "../formula.ts";

export type State = readonly (readonly [key: string, values: Float32Array | BigInt64Array])[];

/** The oracle's weights by the formula; its index counts floating tensors only. */
export function formulaState(model: Module): State {
  let index = 0;
  return [...model.stateDict()].map(([key, { dtype, shape }]) => [
    key,
    dtype === "int64" ? new BigInt64Array(1) : formulaTensor(key, index++, shape),
  ]);
}

/** Inside a scope, which frees what is made on the way. */
export function loadState(model: Module, state: State): void {
  const own = model.stateDict();
  const tensors = state.map(([key, values]): [string, Tensor] => [
    key,
    Tensor.from(values, own.get(key)!.shape),
  ]);
  model.loadStateDict(new Map(tensors));
}
