import { scope, type Tensor } from "../tensor/index.ts";
import type { Module } from "./module.ts";

export type Step = Module | ((x: Tensor) => Tensor) | null;

/**
 * Feeds `x` through the steps in order; a null is no step. What a step was given and what it made on
 * the way are freed after it (but never `x`), so that no more than two activations are held.
 */
export function chain(x: Tensor, ...steps: readonly Step[]): Tensor {
  let y = x;
  for (const step of steps) {
    if (step === null) continue;
    const input = y;
    y = scope(() => (typeof step === "function" ? step(input) : step.forward(input)));
    if (input !== x && input !== y) input.dispose();
  }
  return y;
}
