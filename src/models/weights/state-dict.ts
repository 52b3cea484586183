import { ThawError } from "../../errors.ts";
import { inWords } from "./in-words.ts";
import { MAX_TENSORS } from "./safetensors.ts";
import { TorchTensor } from "./torch-tensor.ts";

/** Under which key programs save a state dict, the averaged weights first as timm prefers them. */
const WRAPPERS = ["state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model"];
const MAX_DEPTH = 4;
/** No network has longer names; together with the tensors' number this bounds what is made of them. */
const MAX_NAME = 1000;

type Dict = ReadonlyMap<unknown, unknown>;
type StateDict = ReadonlyMap<string, TorchTensor>;

/**
 * The state dict in what a checkpoint holds: itself, or what lies under one of the usual keys, or the only dict of tensors
 * in it. Of several dicts under other keys, as a generator and a discriminator, it is all tensors, each under the name of
 * its dict. Values that are no tensors are left out, and so are optimizers.
 * @throws ThawError that names the keys there are where no tensors are found.
 */
export function findStateDict(root: unknown, path: string): StateDict {
  const search = { path, seen: new Map(), made: 0 };
  const found = root instanceof Map ? findIn(root, MAX_DEPTH, search) : undefined;
  if (found !== undefined) return found;
  const keys = root instanceof Map ? [...root.keys()].slice(0, 10).map(nameOf) : [];
  const has = root instanceof TorchTensor ? "one tensor" : `the keys ${keys.join(", ") || "none"}`;
  throw new ThawError(`${path}: no state dict in it; it has ${has}`, {
    hint: `Thaw looks for tensors by name, or for them under ${WRAPPERS.join(", ")} or another key.`,
  });
}

/** As it stands before a tensor's name. */
function nameOf(key: unknown): string {
  return typeof key === "string" ? key.slice(0, 80) : inWords(key);
}

interface Search {
  readonly path: string;
  /** What each dict gave, so that one which is shared, or holds itself, is looked at once. */
  readonly seen: Map<Dict, StateDict | undefined>;
  /** Tensors that were put together: dicts that share their parts could make any number of them. */
  made: number;
}

function findIn(dict: Dict, depth: number, search: Search): StateDict | undefined {
  const { seen } = search;
  if (seen.has(dict)) return seen.get(dict);
  seen.set(dict, undefined);
  const found = look(dict, depth, search);
  seen.set(dict, found);
  return found;
}

function look(dict: Dict, depth: number, search: Search): StateDict | undefined {
  const below = (value: unknown): StateDict | undefined =>
    value instanceof Map && depth > 0 && !isOptimizer(value)
      ? findIn(value, depth - 1, search)
      : undefined;
  for (const key of WRAPPERS) {
    const tensors = below(dict.get(key));
    if (tensors !== undefined) return tensors;
  }
  const own = tensorsOf(dict, search);
  if (own.size > 0) return own;
  const dicts = [...dict].flatMap(([key, value]) => {
    const tensors = below(value);
    return tensors === undefined ? [] : [[key, tensors] as const];
  });
  if (dicts.length <= 1) return dicts[0]?.[1];
  // One that stands under several keys is one.
  const distinct = [...new Map(dicts.map(([key, tensors]) => [tensors, key]))];
  const together = new Map<string, TorchTensor>();
  for (const [tensors, key] of distinct) {
    count(search, tensors.size);
    for (const [name, tensor] of tensors) together.set(`${nameOf(key)}.${name}`, tensor);
  }
  return together;
}

/** As `torch.optim` writes its state. */
function isOptimizer(dict: Dict): boolean {
  return dict.has("param_groups") && dict.has("state");
}

function tensorsOf(dict: Dict, search: Search): StateDict {
  const tensors = new Map<string, TorchTensor>();
  for (const [key, value] of dict) {
    if (typeof key !== "string" || !(value instanceof TorchTensor)) continue;
    if (key.length > MAX_NAME) {
      throw new ThawError(`${search.path}: a tensor whose name has ${key.length} characters`);
    }
    tensors.set(key, value);
  }
  count(search, tensors.size);
  return tensors;
}

function count(search: Search, tensors: number): void {
  search.made += tensors;
  if (search.made <= MAX_TENSORS) return;
  throw new ThawError(`${search.path}: it has more than ${MAX_TENSORS} tensors`);
}
