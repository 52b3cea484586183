import { ThawError } from "../../errors.ts";
import { readBytes, withFile } from "./file.ts";
import { inWords } from "./in-words.ts";
import { type PickleWorld, Unpickler } from "./pickle.ts";
import { elementBytes, type TensorData } from "./safetensors.ts";
import { findStateDict } from "./state-dict.ts";
import { unpickleCheckpoint } from "./torch-pickle.ts";
import { materialize, type TorchStorage } from "./torch-tensor.ts";

/** torch.serialization's MAGIC_NUMBER and PROTOCOL_VERSION. */
const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;

/**
 * Reads what torch.save wrote before version 1.6, and writes with `_use_new_zipfile_serialization=False`: pickles of a
 * magic number, the protocol, the machine, the object and the storages' keys, then for each key a count of eight bytes
 * and the elements.
 * @throws ThawError for a damaged file, one of a big-endian machine, or one whose pickle asks for more than weights.
 */
export function readTorchLegacy(path: string): Map<string, TensorData> {
  const bytes = withFile(path, (file) => readBytes(file, 0, file.size));
  let at = 0;
  const next = (): unknown => {
    const unpickler = new Unpickler(bytes, nothing(path), path, at);
    const value = unpickler.load();
    at = unpickler.end;
    return value;
  };
  if (next() !== MAGIC) {
    throw new ThawError(`${path}: a pickle, but not one that torch.save wrote`, {
      hint: "Save a state_dict with torch.save, or with safetensors.",
    });
  }
  const protocol = next();
  if (protocol !== PROTOCOL) {
    throw new ThawError(`${path}: PyTorch's format of version ${inWords(protocol)} is not known`);
  }
  const system = next();
  if (!(system instanceof Map) || system.get("little_endian") !== true) {
    throw new ThawError(`${path}: written on a big-endian machine, which Thaw does not read`);
  }
  const { root, end, storages } = unpickleCheckpoint(bytes, path, at);
  at = end;
  const keys = next();
  if (!Array.isArray(keys)) throw truncated(path, "the list of its storages is missing");
  const places = placesOf(bytes, at, keys, storages, path);
  const budget = { bytes: bytes.length };
  return new Map(
    [...findStateDict(root, path)].map(([key, tensor]) => {
      const storage = places.get(tensor.storage.key);
      if (storage === undefined) {
        throw truncated(path, `the storage of ${JSON.stringify(key)} is missing`);
      }
      return [key, materialize(tensor, storage, { key, file: path, budget })];
    }),
  );
}

/** The pickles around the object's own hold numbers and texts only. */
const nothing = (path: string): PickleWorld => ({
  global: () => undefined,
  persistent: () => {
    throw new ThawError(`${path}: a storage where none can be`);
  },
});

/** The bytes of each storage. They lie one after the other, a count of elements before each. */
function placesOf(
  bytes: Uint8Array,
  start: number,
  keys: readonly unknown[],
  storages: ReadonlyMap<string, TorchStorage>,
  path: string,
): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const places = new Map<string, Uint8Array>();
  let at = start;
  for (const key of keys) {
    const storage = typeof key === "string" ? storages.get(key) : undefined;
    if (storage === undefined) throw truncated(path, `the storage ${inWords(key)} is not used`);
    if (at + 8 > bytes.length) throw truncated(path, "it ends before its last storage");
    const size = storage.dtype === undefined ? 1 : elementBytes[storage.dtype];
    const length = Number(view.getBigInt64(at, true)) * size;
    at += 8;
    if (!(length >= 0 && length <= bytes.length - at)) {
      throw truncated(path, `a storage of ${length} bytes where ${bytes.length - at} are left`);
    }
    places.set(storage.key, bytes.subarray(at, at + length));
    at += length;
  }
  return places;
}

function truncated(path: string, why: string): ThawError {
  return new ThawError(`${path}: not a whole PyTorch file: ${why}`, {
    hint: "The file is damaged or truncated; fetch or write it again.",
  });
}
