import type { Handle } from "../libtorch/native.ts";
import type { Device, MemoryFormat } from "./device.ts";
import { type DType, dtypeOf, type TypedArrayOf, typedArray } from "./dtype.ts";
import { engine } from "./engine.ts";
import { track } from "./scope.ts";

// The safety net for a tensor that nobody disposed: it holds the number, never the object.
const abandoned = new FinalizationRegistry<Handle>((handle) => {
  engine().release(handle);
});

/**
 * A libtorch tensor. It holds one reference; disposing it early cannot dangle, since views and the
 * autograd graph hold their own. Operators are functions in `ops`.
 */
export class Tensor implements Disposable {
  #handle: Handle;
  #shape: readonly number[] | undefined;
  #dtype: DType | undefined;

  /** Takes over a handle that the addon gave out; everyone else calls `Tensor.from` or an operator. */
  constructor(handle: Handle) {
    this.#handle = handle;
    abandoned.register(this, handle, this);
    track(this);
  }

  /** A copy of the array's elements: `from(new Float32Array(6), [2, 3])`. int64 wants BigInt64Array. */
  static from(array: NodeJS.TypedArray, shape: readonly number[], dtype?: DType): Tensor {
    return new Tensor(engine().fromTypedArray(array, dtype ?? dtypeOf(array), shape));
  }

  /**
   * A tensor over the array's own memory, without a copy; it keeps the array alive. The array's
   * buffer must not be transferred or resized while the tensor or a view of it lives.
   */
  static borrow(array: NodeJS.TypedArray, shape: readonly number[], dtype?: DType): Tensor {
    return new Tensor(engine().borrowTypedArray(array, dtype ?? dtypeOf(array), shape));
  }

  /** @internal What stands for the tensor in a call to the addon. */
  get handle(): Handle {
    return this.#handle;
  }

  get shape(): readonly number[] {
    this.#shape ??= engine().shape(this.#handle);
    return this.#shape;
  }

  /** The size of one dimension, counted from the end if negative. */
  size(dimension: number): number {
    const size = this.shape.at(dimension);
    if (size === undefined) {
      throw new RangeError(
        `dimension ${dimension} of a tensor of shape [${this.shape.join(", ")}]`,
      );
    }
    return size;
  }

  get elements(): number {
    return this.shape.reduce((product, size) => product * size, 1);
  }

  get dtype(): DType {
    this.#dtype ??= engine().dtype(this.#handle) as DType;
    return this.#dtype;
  }

  get device(): Device {
    return engine().device(this.#handle) as Device;
  }

  get strides(): readonly number[] {
    return engine().strides(this.#handle);
  }

  isContiguous(format: MemoryFormat = "contiguous"): boolean {
    return engine().isContiguous(this.#handle, format);
  }

  /** The only element as a number; a GPU's work is waited for. */
  item(): number {
    return engine().item(this.#handle);
  }

  /** The elements in row-major order, copied out: `toArray("float32")`. The dtype must be its own. */
  toArray<D extends DType>(dtype: D): TypedArrayOf<D> {
    if (dtype !== this.dtype) throw new TypeError(`toArray("${dtype}") of a ${this.dtype} tensor`);
    return typedArray(dtype, engine().toArrayBuffer(this.#handle));
  }

  /** The elements' bytes in row-major order, copied out. */
  toBytes(): Uint8Array {
    return new Uint8Array(engine().toArrayBuffer(this.#handle));
  }

  get requiresGrad(): boolean {
    return engine().requiresGrad(this.#handle);
  }

  set requiresGrad(requires: boolean) {
    engine().setRequiresGrad(this.#handle, requires);
  }

  /** The accumulated gradient as a new handle on it, or null before the first backward. */
  get grad(): Tensor | null {
    const handle = engine().gradOf(this.#handle);
    return handle === null ? null : new Tensor(handle);
  }

  /** @throws TypeError for a gradient of another shape or dtype, which kernels would read past. */
  set grad(gradient: Tensor | null) {
    if (gradient !== null && describe(gradient) !== describe(this)) {
      throw new TypeError(`a gradient of ${describe(gradient)} for a tensor of ${describe(this)}`);
    }
    engine().setGrad(this.#handle, gradient === null ? null : gradient.#handle);
  }

  /** Gradients of a scalar with respect to every leaf that asks for one, added to its `grad`. */
  backward(options: { retainGraph?: boolean; createGraph?: boolean } = {}): void {
    const createGraph = options.createGraph ?? false;
    engine().backward([this.#handle], [], options.retainGraph ?? createGraph, createGraph, []);
  }

  get disposed(): boolean {
    return !engine().isLive(this.#handle);
  }

  /** Lets the reference go; a second time does nothing. */
  dispose(): void {
    if (engine().release(this.#handle)) abandoned.unregister(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * Gives the handle away, to another thread or another Tensor: this object is as if disposed, and
   * `new Tensor(handle)` takes over.
   */
  release(): Handle {
    abandoned.unregister(this);
    const handle = this.#handle;
    this.#handle = -1;
    return handle;
  }

  /** Becomes `other`, which is used up: how parameters move to another device or memory format. */
  protected become(other: Tensor): void {
    this.dispose();
    this.#handle = other.release();
    this.#shape = undefined;
    this.#dtype = undefined;
    abandoned.register(this, this.#handle, this);
  }
}

const describe = (tensor: Tensor): string => `${tensor.dtype}[${tensor.shape.join(", ")}]`;
