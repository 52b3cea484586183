import { ThawError } from "../../errors.ts";
import { elementBytes, type SafeDType, type TensorData } from "./safetensors.ts";

/** A run of elements in a checkpoint; tensors are windows on it and may share it. */
export interface TorchStorage {
  /** Its name within the file. */
  readonly key: string;
  /** Undefined where the file's tensors say it themselves. */
  readonly dtype: SafeDType | undefined;
  /** Of `dtype`, or bytes where that is undefined. */
  readonly elements: number;
  /** Elements before this storage's own in the one that is stored: old files keep views so. */
  readonly offset: number;
}

/** A tensor as a checkpoint describes it. Offset and strides count elements. */
export class TorchTensor {
  readonly storage: TorchStorage;
  readonly dtype: SafeDType;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  /** @throws ThawError for what is no description of a tensor. */
  constructor(
    storage: unknown,
    layout: { offset: unknown; shape: unknown; strides: unknown; dtype: SafeDType | undefined },
    file: string,
  ) {
    const { offset, shape, strides } = layout;
    const dtype = layout.dtype ?? (storage as TorchStorage | null)?.dtype;
    if (!isStorage(storage) || dtype === undefined) {
      throw new ThawError(`${file}: a tensor without a storage or a dtype`);
    }
    if (!isSize(offset) || !isSizes(shape) || !isSizes(strides)) {
      throw new ThawError(
        `${file}: a tensor whose shape or strides are not lists of up to ${MAX_RANK} sizes`,
      );
    }
    if (shape.length !== strides.length) {
      throw new ThawError(
        `${file}: a tensor of ${shape.length} sizes and ${strides.length} strides`,
      );
    }
    this.storage = storage;
    this.dtype = dtype;
    this.offset = offset;
    this.shape = Object.freeze([...shape]);
    this.strides = strides;
  }
}

const MAX_RANK = 64;

/** Bytes that may still be copied to bring tensors into row-major order. */
export interface CopyBudget {
  bytes: number;
}

/**
 * A tensor in row-major order: a view of its storage where it lies so, else a copy, which `budget` has to allow.
 * @throws ThawError that names `key` where the tensor leaves its storage.
 */
export function materialize(
  tensor: TorchTensor,
  storage: Uint8Array,
  { key, file, budget }: { key: string; file: string; budget: CopyBudget },
): TensorData {
  const { dtype, shape, strides } = tensor;
  const size = elementBytes[dtype];
  const refuse = (why: string) =>
    new ThawError(`${file}: tensor ${JSON.stringify(key)} [${shape.join(", ")}] ${why}`, {
      hint: "The file is damaged or truncated; fetch or write it again.",
    });
  const count = shape.reduce((product, n) => product * n, 1);
  if (count === 0) return { dtype, shape, bytes: new Uint8Array(0) };
  const start = tensor.storage.offset + tensor.offset;
  const last = shape.reduce((at, n, i) => at + (n - 1) * strides[i]!, start);
  if (!Number.isSafeInteger(count * size) || !((last + 1) * size <= storage.length)) {
    throw refuse(`reaches past its storage of ${storage.length} bytes`);
  }
  if (isRowMajor(shape, strides)) {
    return { dtype, shape, bytes: storage.subarray(start * size, (start + count) * size) };
  }
  if (count * size > budget.bytes) throw refuse("takes more bytes than the file has");
  budget.bytes -= count * size;
  return { dtype, shape, bytes: gather(tensor, storage, start, count) };
}

/** Sizes of 1 may have any stride. */
function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== expected) return false;
    expected *= shape[i]!;
  }
  return true;
}

/** Walks the tensor in row-major order, as an odometer. */
function gather(
  { dtype, shape, strides }: TorchTensor,
  storage: Uint8Array,
  start: number,
  count: number,
): Uint8Array {
  const size = elementBytes[dtype];
  const result = new Uint8Array(count * size);
  const index = shape.map(() => 0);
  let at = start;
  for (let to = 0; to < result.length; to += size) {
    for (let b = 0; b < size; b++) result[to + b] = storage[at * size + b]!;
    for (let i = shape.length - 1; i >= 0; i--) {
      at += strides[i]!;
      index[i]!++;
      if (index[i]! < shape[i]!) break;
      at -= strides[i]! * shape[i]!;
      index[i] = 0;
    }
  }
  return result;
}

function isStorage(value: unknown): value is TorchStorage {
  return typeof value === "object" && value !== null && "key" in value && "elements" in value;
}

function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length <= MAX_RANK && value.every(isSize);
}
