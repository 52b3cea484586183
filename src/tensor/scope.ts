import type { Steps } from "../platform/stop.ts";
import type { Tensor } from "./tensor.ts";

/** What a scope may return: its tensors are found in it and survive. */
type Keepable = unknown;
type NotPromise<T> = T extends PromiseLike<unknown> ? never : T;

/**
 * Frees, when disposed, every tensor made since it was opened, but those kept. Scopes nest and close
 * in stack order; each belongs to one stretch of synchronous code.
 *
 * ```ts
 * using scope = new TensorScope();
 * const loss = scope.keep(crossEntropy(model.forward(x), y));
 * ```
 */
export class TensorScope implements Disposable {
  #outer = current;
  readonly #tensors = new Set<Tensor>();
  #open = true;

  constructor() {
    current = this;
  }

  /** Lets the tensors in `value` (a tensor, or arrays and plain objects of them) outlive the scope. */
  keep<T extends Keepable>(value: T): T {
    forEachTensor(value, (tensor) => {
      if (this.#tensors.delete(tensor)) this.#outer?.track(tensor);
    });
    return value;
  }

  track(tensor: Tensor): void {
    this.#tensors.add(tensor);
  }

  /** Stays open, out of the way of other code, until it is entered again. */
  leave(): void {
    current = this.#outer;
  }

  enter(): void {
    this.#outer = current;
    current = this;
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    // Still open after the throw: it can be closed once those inside it are.
    if (current !== this) {
      throw new Error("a TensorScope was closed before one that was opened inside it");
    }
    this.#open = false;
    current = this.#outer;
    for (const tensor of this.#tensors) tensor.dispose();
    this.#tensors.clear();
  }
}

let current: TensorScope | undefined;

/** Called by each new tensor. */
export function track(tensor: Tensor): void {
  current?.track(tensor);
}

/**
 * Runs `body` and frees every tensor made in it except those it returns. Synchronous by type and by
 * check: a scope that stays open over an `await` would free other code's tensors.
 */
export function scope<T>(body: () => NotPromise<T>): T {
  const opened = new TensorScope();
  try {
    const result: T = body();
    if (result instanceof Promise) throw new TypeError("scope() takes a synchronous function");
    return opened.keep(result);
  } finally {
    opened[Symbol.dispose]();
  }
}

/** {@link scope} for work in pieces: frees, at its end, what all pieces have made. Between two of them it is left. */
export function* scopeInSteps<T>(body: () => Steps<T>): Steps<T> {
  const opened = new TensorScope();
  let pieces: Steps<T> | undefined;
  try {
    pieces = body();
    for (;;) {
      const { done, value } = pieces.next();
      if (done) return opened.keep(value);
      opened.leave();
      try {
        yield;
      } finally {
        opened.enter();
      }
    }
  } finally {
    // Left early, the scopes inside are closed first.
    pieces?.return(undefined as T);
    opened[Symbol.dispose]();
  }
}

/** Runs `body` outside all scopes: what it makes lives until it is disposed by name. */
export function unscoped<T>(body: () => T): T {
  const outer = current;
  current = undefined;
  try {
    return body();
  } finally {
    current = outer;
  }
}

function forEachTensor(value: Keepable, visit: (tensor: Tensor) => void): void {
  if (typeof value !== "object" || value === null) return;
  if (isTensor(value)) visit(value);
  else if (Array.isArray(value)) for (const element of value) forEachTensor(element, visit);
  else if (value instanceof Map)
    for (const element of value.values()) forEachTensor(element, visit);
  else if (Object.getPrototypeOf(value) === Object.prototype) {
    for (const element of Object.values(value)) forEachTensor(element, visit);
  }
}

// By brand and not by instanceof: tensor.ts imports this file.
function isTensor(value: object): value is Tensor {
  return "handle" in value && "dispose" in value;
}
