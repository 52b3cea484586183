import { type DType, Tensor } from "../../tensor/index.ts";
import { elementBytes, type SafeDType, type TensorData } from "./safetensors.ts";

const safeNames = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  int64: "I64",
  int32: "I32",
  int16: "I16",
  int8: "I8",
  uint8: "U8",
  bool: "BOOL",
} as const satisfies Record<DType, SafeDType>;

const dtypes = Object.fromEntries(
  Object.entries(safeNames).map(([dtype, name]) => [name, dtype]),
) as Record<SafeDType, DType>;

/** A copy of a tensor's elements, row-major, as they stand in a safetensors file. */
export function toTensorData(tensor: Tensor): TensorData {
  return { dtype: safeNames[tensor.dtype], shape: tensor.shape, bytes: tensor.toBytes() };
}

export function fromTensorData({ dtype, shape, bytes }: TensorData): Tensor {
  // Bytes are copied, so that where they lie in their file need not be aligned.
  return Tensor.from(bytes, shape, dtypes[dtype]);
}

/** A tensor over the file's own bytes where they are aligned, else a copy: to be read from, never written to. */
export function borrowTensorData({ dtype, shape, bytes }: TensorData): Tensor {
  const isAligned = bytes.byteOffset % elementBytes[dtype] === 0;
  if (!isAligned || bytes.length === 0) return fromTensorData({ dtype, shape, bytes });
  return Tensor.borrow(bytes, shape, dtypes[dtype]);
}
