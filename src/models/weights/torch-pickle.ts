import { ThawError } from "../../errors.ts";
import { Unpickler } from "./pickle.ts";
import { storageDType, torchGlobals } from "./torch-globals.ts";
import type { TorchStorage } from "./torch-tensor.ts";

export interface UnpickledCheckpoint {
  /** The object that was saved, its tensors without their elements. */
  readonly root: unknown;
  /** Every storage that it speaks of, by key. */
  readonly storages: ReadonlyMap<string, TorchStorage>;
  /** Where the pickle ends. */
  readonly end: number;
}

/** Reads the pickle that describes a checkpoint, from `at` on. @throws ThawError as `Unpickler`. */
export function unpickleCheckpoint(bytes: Uint8Array, path: string, at = 0): UnpickledCheckpoint {
  const globals = torchGlobals(path);
  const storages = new Map<string, TorchStorage>();
  const unpickler = new Unpickler(
    bytes,
    {
      global: (module, name) => globals.get(`${module}.${name}`),
      persistent: (id) => {
        const storage = storageOf(id, path);
        storages.set(storage.key, storage);
        return storage;
      },
    },
    path,
    at,
  );
  const root = unpickler.load();
  return { root, storages, end: unpickler.end };
}

/** `("storage", type, key, device, elements)`, in old files with a sixth: `(key, offset, elements)` of a view, or None. */
function storageOf(id: unknown, path: string): TorchStorage {
  const [kind, type, key, , elements, view] = Array.isArray(id) ? (id as unknown[]) : [];
  const window = Array.isArray(view) ? (view as unknown[]) : [key, 0, elements];
  const [, offset, count] = window;
  const isSize = (value: unknown): value is number =>
    Number.isSafeInteger(value) && Number(value) >= 0;
  if (kind !== "storage" || typeof key !== "string" || !isSize(offset) || !isSize(count)) {
    throw new ThawError(`${path}: a tensor's storage is not described as PyTorch does`);
  }
  return { key, dtype: storageDType(type, path), elements: count, offset };
}
