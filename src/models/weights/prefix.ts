import { ThawError } from "../../errors.ts";

/** The part of a file's tensors that is a network's. */
export interface Placed<T> {
  /** What stands before each of the network's names in the file, as `model.`; mostly nothing. */
  readonly prefix: string;
  /** Under the network's own names; also those that it does not have. */
  readonly tensors: ReadonlyMap<string, T>;
  /** Names of the file that belong to something else: a loss, statistics, another network. */
  readonly leftOut: readonly string[];
}

/** Tables that old checkpoints carry and networks compute themselves. */
export function isDerived(name: string): boolean {
  return /(^|\.)(relative_position_index|attn_mask)$/.test(name);
}

interface Shaped {
  readonly shape: readonly number[];
}

/** Names that files may lack: counted since PyTorch 0.4.1, and used by nothing. */
export function isOptional(name: string): boolean {
  return name.endsWith(".num_batches_tracked");
}

/**
 * Finds a network's tensors in a file whose names may stand under a prefix that a trainer, a wrapper or an attribute put
 * before them: the one under which all of the network's names are found, whatever it is called, else the one with most.
 *
 * @param own The network's tensors by name.
 * @param optional Names that the file may lack besides, as the head's.
 * @throws ThawError where the network is found under several prefixes: it names them.
 */
export function placeUnder<T extends Shaped>(
  tensors: ReadonlyMap<string, T>,
  own: ReadonlyMap<string, Shaped>,
  optional: ReadonlySet<string>,
  from: string,
): Placed<T> {
  const needed = new Set(
    [...own.keys()].filter((name) => !isOptional(name) && !optional.has(name)),
  );
  const counts = countPrefixes(tensors, needed);
  const whole = [...counts].filter(([, count]) => count === needed.size).map(([prefix]) => prefix);
  const placed = whole.map((prefix) => placeAt(prefix, tensors, own));
  // Of another network that has all these names and more, or of other sizes, the prefix is not meant.
  const fitting = placed.filter(({ tensors: found }) => fits(found, own));
  if (fitting.length > 1) throw ambiguous(fitting, from);
  const [best] = [...counts].sort(([a, m], [b, n]) => n - m || a.length - b.length);
  return fitting[0] ?? placed[0] ?? placeAt(best?.[0] ?? "", tensors, own);
}

/** How many of `names` stand under each prefix. */
export function countPrefixes(
  tensors: ReadonlyMap<string, unknown>,
  names: { has(name: string): boolean } & Iterable<string>,
): Map<string, number> {
  const parts = Math.max(0, ...[...names].map((name) => name.split(".").length));
  const counts = new Map<string, number>();
  for (const key of tensors.keys()) {
    for (const start of startsOf(key, parts)) {
      if (!names.has(key.slice(start))) continue;
      const prefix = key.slice(0, start);
      counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
    }
  }
  return counts;
}

/** Where the last one, two … `parts` parts of a dotted name begin. */
function* startsOf(key: string, parts: number): Generator<number> {
  let end = key.length;
  for (let i = 0; i < parts && end > 0; i++) {
    const dot = key.lastIndexOf(".", end - 1);
    yield dot + 1;
    if (dot < 0) return;
    end = dot;
  }
}

function placeAt<T>(
  prefix: string,
  tensors: ReadonlyMap<string, T>,
  own: ReadonlyMap<string, unknown>,
): Placed<T> {
  const modules = new Set([...own.keys()].map(firstPart));
  const found = new Map<string, T>();
  const leftOut: string[] = [];
  for (const [key, tensor] of tensors) {
    const name = key.slice(prefix.length);
    if (key.startsWith(prefix) && modules.has(firstPart(name))) found.set(name, tensor);
    else leftOut.push(key);
  }
  return { prefix, tensors: found, leftOut };
}

const firstPart = (name: string): string => name.split(".", 1)[0]!;

/** Nothing of the network's modules is too much, and most shapes are the same: some may be adapted. */
function fits(found: ReadonlyMap<string, Shaped>, own: ReadonlyMap<string, Shaped>): boolean {
  let same = 0;
  for (const [name, { shape }] of found) {
    const wanted = own.get(name);
    if (wanted === undefined && !isDerived(name)) return false;
    if (shape.join() === wanted?.shape.join()) same++;
  }
  return 2 * same > found.size;
}

function ambiguous(placed: readonly Placed<unknown>[], from: string): ThawError {
  const [first, ...others] = placed.map(({ prefix }) => prefix || "no prefix");
  const prefix = placed.find((one) => one.prefix !== "")!.prefix;
  return new ThawError(
    `${from}: it contains the network ${1 + others.length} times, under ${[first, ...others].join(" and ")}`,
    {
      hint: `Save only the one you want: torch.save({k: v for k, v in state_dict.items() if k.startswith(${JSON.stringify(prefix)})}, …).`,
    },
  );
}
