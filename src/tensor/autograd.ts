import { type Device, deviceType } from "./device.ts";
import { engine } from "./engine.ts";
import { Tensor } from "./tensor.ts";

/** Runs `body` without recording for autograd. Synchronous, since the mode is the thread's. */
export function noGrad<T>(body: () => T): T {
  const before = engine().setGradMode(false);
  try {
    return body();
  } finally {
    engine().setGradMode(before);
  }
}

/** As `noGrad`, and cheaper: what is made inside can never take part in autograd afterwards. */
export function inference<T>(body: () => T): T {
  const depth = engine().enterInference();
  try {
    return body();
  } finally {
    engine().leaveInference(depth);
  }
}

/** What autocast computes in now, by device type; none while it is off. */
const autocasting = new Map<string, "bfloat16" | "float16">();

/**
 * Runs `body` with autocast: matrix products and convolutions in `dtype`, the rest where it is safe.
 * A region inside another of the same device suspends it, and the outer one goes on afterwards.
 */
export function autocast<T>(
  options: { device: Device; dtype: "bfloat16" | "float16" },
  body: () => T,
): T {
  const device = deviceType(options.device);
  const outer = autocasting.get(device);
  try {
    switchAutocast(device, options.dtype);
    return body();
  } finally {
    switchAutocast(device, outer);
  }
}

/** What autocast computes in on a type of device now; undefined while it is off. */
export function autocastDtype(device: "cpu" | "cuda"): "bfloat16" | "float16" | undefined {
  return autocasting.get(device);
}

/** Each region is left before the next is entered, so that libtorch drops the weights cast for it. */
function switchAutocast(device: string, dtype: "bfloat16" | "float16" | undefined): void {
  const before = autocasting.get(device);
  if (before !== undefined) engine().setAutocast(device, false, before);
  autocasting.delete(device);
  if (dtype === undefined) return;
  engine().setAutocast(device, true, dtype);
  autocasting.set(device, dtype);
}

/** Gradients of the outputs with respect to the inputs, accumulated nowhere (`torch.autograd.grad`). */
export function grad(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  options: { gradients?: readonly Tensor[]; retainGraph?: boolean; createGraph?: boolean } = {},
): Tensor[] {
  const createGraph = options.createGraph ?? false;
  const handles = engine().grad(
    outputs.map((tensor) => tensor.handle),
    inputs.map((tensor) => tensor.handle),
    (options.gradients ?? []).map((tensor) => tensor.handle),
    options.retainGraph ?? createGraph,
    createGraph,
    false,
  );
  return handles.map((handle) => new Tensor(handle as number));
}

/** Every tensor's accumulated gradient as a new handle on it, or null, in one call. */
export function gradsOf(tensors: readonly Tensor[]): (Tensor | null)[] {
  const handles = engine().gradsOf(tensors.map((tensor) => tensor.handle));
  return handles.map((handle) => (handle === null ? null : new Tensor(handle)));
}

/** `optimizer.zero_grad(set_to_none=True)`: the gradients' memory goes back before the next step. */
export function clearGrads(tensors: readonly Tensor[]): void {
  engine().clearGrads(tensors.map((tensor) => tensor.handle));
}
