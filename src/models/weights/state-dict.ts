import { ThawError } from "../../errors.ts";
import { TorchTensor } from "./torch-tensor.ts";

/** Under which key programs save a state dict, the averaged weights first as timm prefers them. */
const WRAPPERS = ["state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model"];
const MAX_DEPTH = 4;

/** What wrappers of a model write before every key. */
const PREFIXES = ["module.", "_orig_mod.", "model."];

/**
 * The state dict in what a checkpoint holds: itself, or what lies under one of the usual keys, or the only dict of
 * tensors in it. Values that are no tensors are left out.
 * @throws ThawError that names the keys there are where no tensors are found.
 */
export function findStateDict(root: unknown, path: string): Map<string, TorchTensor> {
  let value = root;
  for (let depth = 0; depth < MAX_DEPTH && value instanceof Map; depth++) {
    const map: ReadonlyMap<unknown, unknown> = value;
    const wrapper = WRAPPERS.find((key) => map.get(key) instanceof Map);
    if (wrapper !== undefined) {
      value = map.get(wrapper);
      continue;
    }
    const tensors = tensorsOf(map);
    if (tensors.size > 0) return tensors;
    const dicts = [...map.values()].filter((v) => v instanceof Map && tensorsOf(v).size > 0);
    if (dicts.length !== 1) break;
    value = dicts[0];
  }
  const keys = root instanceof Map ? [...root.keys()].map(String).slice(0, 10) : [];
  const has = root instanceof TorchTensor ? "one tensor" : `the keys ${keys.join(", ") || "none"}`;
  throw new ThawError(`${path}: no state dict in it; it has ${has}`, {
    hint: `Thaw looks for tensors by name, or for them under ${WRAPPERS.join(", ")}.`,
  });
}

function tensorsOf(map: ReadonlyMap<unknown, unknown>): Map<string, TorchTensor> {
  const tensors = new Map<string, TorchTensor>();
  for (const [key, value] of map) {
    if (typeof key === "string" && value instanceof TorchTensor) tensors.set(key, value);
  }
  return tensors;
}

/** Without the prefixes that DataParallel, torch.compile and trainers put before every key. */
export function withoutPrefixes<T>(tensors: ReadonlyMap<string, T>): Map<string, T> {
  let entries = [...tensors];
  for (;;) {
    const prefix = PREFIXES.find((p) => entries.every(([key]) => key.startsWith(p)));
    if (prefix === undefined || entries.length === 0) return new Map(entries);
    entries = entries.map(([key, value]) => [key.slice(prefix.length), value]);
  }
}
