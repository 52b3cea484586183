import * as zlib from "node:zlib";
import { ThawError } from "../../errors.ts";
import { type OpenFile, withFile } from "./file.ts";
import { MAX_PICKLE_BYTES } from "./pickle.ts";
import { elementBytes, type TensorData } from "./safetensors.ts";
import { findStateDict } from "./state-dict.ts";
import { unpickleCheckpoint } from "./torch-pickle.ts";
import { materialize } from "./torch-tensor.ts";
import { damagedZip, readZipDirectory, readZipEntry, type ZipEntry } from "./zip-directory.ts";

/**
 * Reads what torch.save has written since version 1.6: a zip archive, nothing in it compressed, of `data.pkl` and an
 * entry a storage. Storages that no weight needs, as an optimizer's, are not read.
 * @throws ThawError for a damaged file, one of a big-endian machine, or one whose pickle asks for more than weights.
 */
export function readTorchZip(path: string): Map<string, TensorData> {
  return withFile(path, (file) => {
    const archive = new TorchArchive(file);
    const pickle = archive.read("data.pkl", MAX_PICKLE_BYTES);
    const { root } = unpickleCheckpoint(pickle, path);
    const storages = new Map<string, Uint8Array>();
    const budget = { bytes: file.size };
    const tensors = [...findStateDict(root, path)].map(([key, tensor]): [string, TensorData] => {
      const { dtype, elements, key: id } = tensor.storage;
      const wanted = elements * (dtype === undefined ? 1 : elementBytes[dtype]);
      const storage = storages.get(id) ?? archive.read(`data/${id}`, wanted);
      storages.set(id, storage);
      return [key, materialize(tensor, storage, { key, file: path, budget })];
    });
    return new Map(tensors);
  });
}

class TorchArchive {
  readonly #file: OpenFile;
  readonly #entries: ReadonlyMap<string, ZipEntry>;
  /** The folder that all entries lie in: the file's name when it was saved. */
  readonly #folder: string;
  /** Entries of a hostile archive may overlap: together they must not be more than the file. */
  #left: number;

  constructor(file: OpenFile) {
    this.#file = file;
    this.#left = file.size;
    this.#entries = readZipDirectory(file);
    const names = [...this.#entries.keys()];
    const pickle = names.find((name) => /^[^/]+\/data\.pkl$/.test(name));
    if (pickle === undefined) {
      throw new ThawError(`${file.path}: a zip archive, but not one that torch.save wrote`, {
        hint: "Thaw reads state dicts saved with torch.save, and safetensors.",
      });
    }
    this.#folder = pickle.slice(0, -"data.pkl".length);
    if (names.some((name) => name.startsWith(`${this.#folder}code/`))) {
      throw new ThawError(`${file.path}: a TorchScript archive, which holds a program`, {
        hint: "Save its weights alone: torch.save(model.state_dict(), …).",
      });
    }
    if (this.#entries.has(`${this.#folder}byteorder`)) {
      const order = Buffer.from(this.read("byteorder", 16)).toString("latin1");
      if (order !== "little") {
        throw new ThawError(`${file.path}: its byte order is ${JSON.stringify(order)}, not little`);
      }
    }
  }

  /** The bytes of an entry. @throws ThawError where it is missing, compressed, damaged or larger than `most`. */
  read(name: string, most: number): Uint8Array {
    const { path } = this.#file;
    const entry = this.#entries.get(this.#folder + name);
    if (entry === undefined) throw damagedZip(path, `its entry ${name} is missing`);
    const { size, isStored } = entry;
    if (!isStored) {
      throw damagedZip(path, `its entry ${name} is compressed, which PyTorch never does`);
    }
    if (size > most || size > this.#left) {
      throw damagedZip(path, `its entry ${name} has ${size} bytes, at most ${most} were expected`);
    }
    this.#left -= size;
    const bytes = readZipEntry(this.#file, entry);
    if (crc32 !== undefined && crc32(bytes) !== entry.crc32) {
      throw damagedZip(path, `the content of its entry ${name} does not match its checksum`);
    }
    return bytes;
  }
}

/** Node has it since 20.15; before that, the sizes alone are checked. */
const crc32 = zlib.crc32 as typeof zlib.crc32 | undefined;
