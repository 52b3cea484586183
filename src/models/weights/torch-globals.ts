import { ThawError } from "../../errors.ts";
import { inWords } from "./in-words.ts";
import { numpyGlobals } from "./numpy-globals.ts";
import type { PickleGlobal } from "./pickle.ts";
import type { SafeDType } from "./safetensors.ts";
import { TorchTensor } from "./torch-tensor.ts";

/** A type of storage; null marks one that says no dtype, undefined one that Thaw does not have. */
export interface StorageType extends PickleGlobal {
  readonly storageOf: SafeDType | null | undefined;
}

const storages: Readonly<Record<string, SafeDType | undefined>> = {
  FloatStorage: "F32",
  DoubleStorage: "F64",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
  ComplexFloatStorage: undefined,
  ComplexDoubleStorage: undefined,
  QInt8Storage: undefined,
  QUInt8Storage: undefined,
  QInt32Storage: undefined,
};

const dtypes: Readonly<Record<string, SafeDType>> = {
  float32: "F32",
  float64: "F64",
  float16: "F16",
  bfloat16: "BF16",
  int64: "I64",
  int32: "I32",
  int16: "I16",
  int8: "I8",
  uint8: "U8",
  bool: "BOOL",
};

interface TorchDType extends PickleGlobal {
  readonly dtype: SafeDType;
}

/** A dict that knows its order is a Map; old Pythons hand its pairs in as a list. */
const orderedDict =
  (file: string): PickleGlobal["call"] =>
  ([pairs = []], spend) => {
    if (!Array.isArray(pairs)) {
      throw new ThawError(`${file}: an OrderedDict of ${inWords(pairs)}, not of a list`);
    }
    spend(pairs.length);
    const map = new Map<unknown, unknown>();
    for (const pair of pairs) if (Array.isArray(pair)) map.set(pair[0], pair[1]);
    return map;
  };

/** What no weights are read from: the command line that timm saves beside them, or a path. */
class Namespace {
  setState(): void {}
}

const first = (args: readonly unknown[]): unknown => args[0];

const plain: Readonly<Record<string, PickleGlobal["call"]>> = {
  "collections.defaultdict": () => new Map(),
  "argparse.Namespace": () => new Namespace(),
  // Old Lightnings' hyperparameters, and paths among them.
  "pytorch_lightning.utilities.parsing.AttributeDict": () => new Map(),
  "lightning.fabric.utilities.data.AttributeDict": () => new Map(),
  "lightning_fabric.utilities.data.AttributeDict": () => new Map(),
  "pathlib.PosixPath": () => new Namespace(),
  "pathlib.PurePosixPath": () => new Namespace(),
  "pathlib.WindowsPath": () => new Namespace(),
  "pathlib.PureWindowsPath": () => new Namespace(),
  "torch.Size": first,
  "torch.device": first,
  "builtins.set": first,
  "__builtin__.set": first,
  "torch._utils._rebuild_parameter": first,
  "torch._utils._rebuild_parameter_with_state": first,
};

/**
 * Every name that a checkpoint may use: tensors and their parts, containers, numpy's scalars. `file` stands in messages.
 * Each builds plain values out of plain values; none reaches the system.
 */
export function torchGlobals(file: string): ReadonlyMap<string, PickleGlobal> {
  const globals = new Map<string, PickleGlobal>(numpyGlobals(file));
  const add = (name: string, rest: object) => globals.set(name, { name, ...rest });
  for (const [name, call] of Object.entries(plain)) add(name, { call });
  add("collections.OrderedDict", { call: orderedDict(file) });
  for (const [name, storageOf] of Object.entries(storages)) add(`torch.${name}`, { storageOf });
  for (const name of ["torch.storage.UntypedStorage", "torch.storage._UntypedStorage"]) {
    add(name, { storageOf: null });
  }
  add("torch.UntypedStorage", { storageOf: null });
  for (const [name, dtype] of Object.entries(dtypes)) add(`torch.${name}`, { dtype });
  const tensor: PickleGlobal["call"] = ([storage, offset, shape, strides]) =>
    new TorchTensor(storage, { offset, shape, strides, dtype: undefined }, file);
  add("torch._utils._rebuild_tensor", { call: tensor });
  add("torch._utils._rebuild_tensor_v2", { call: tensor });
  add("torch._utils._rebuild_tensor_v3", {
    call: ([storage, offset, shape, strides, , , type]: readonly unknown[]) => {
      const { dtype } = (type ?? {}) as Partial<TorchDType>;
      return new TorchTensor(storage, { offset, shape, strides, dtype }, file);
    },
  });
  return globals;
}

/** The dtype of a storage's type. @throws ThawError for what is no such type, or one that Thaw does not have. */
export function storageDType(type: unknown, file: string): SafeDType | undefined {
  const { name, storageOf } = (type ?? {}) as Partial<StorageType>;
  if (storageOf === undefined) {
    throw new ThawError(`${file}: a storage of type ${inWords(name)}, which Thaw does not have`, {
      hint: `Thaw reads ${Object.values(dtypes).join(", ")}.`,
    });
  }
  return storageOf ?? undefined;
}
