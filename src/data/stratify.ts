import { createHash } from "node:crypto";
import { seedStream, shuffleInPlace } from "./random.ts";

/**
 * Shares each class out among parts of exactly `sizes` images, every class in proportion: with n
 * images of which a class has c, a part of s gets ⌊c·s/n⌋ or ⌈c·s/n⌉ of it. Largest remainders get
 * their extra image first; where that leaves a class or a part short, images are moved along an
 * augmenting path (a whole solution exists: the flow with these shares as capacities).
 *
 * `counts` [classes], `sizes` [parts] adding up to at most all images → [classes][parts].
 */
export function apportion(counts: ArrayLike<number>, sizes: readonly number[]): number[][] {
  const classes = Array.from(counts);
  const total = classes.reduce((sum, count) => sum + count, 0);
  const rest = total - sizes.reduce((sum, size) => sum + size, 0);
  // What is in no part is one more part: only so do rows and columns both come out even.
  const columns = [...sizes, rest];
  if (total === 0) return classes.map(() => sizes.map(() => 0));

  const shares = classes.map((count) => columns.map((size) => (count * size) / total));
  const table = shares.map((row) => row.map(Math.floor));
  const extra = shares.map((row) => row.map(() => false));
  const needed = columns.map((size, j) => size - table.reduce((sum, row) => sum + row[j]!, 0));
  const open = classes.map((count, i) => count - table[i]!.reduce((sum, value) => sum + value, 0));

  const byRemainder = shares
    .flatMap((row, i) => row.map((share, j) => ({ i, j, remainder: share - Math.floor(share) })))
    .filter(({ remainder }) => remainder > 0)
    .sort((a, b) => b.remainder - a.remainder || a.i - b.i || a.j - b.j);
  const give = (i: number, j: number): void => {
    extra[i]![j] = true;
    open[i]!--;
    needed[j]!--;
  };
  for (const { i, j } of byRemainder) {
    if (open[i]! > 0 && needed[j]! > 0) give(i, j);
  }
  const allowed = shares.map((row) => row.map((share) => share > Math.floor(share)));
  for (let i = 0; i < classes.length; i++) {
    while (open[i]! > 0 && augment(i)) open[i]!--;
  }
  return table.map((row, i) => sizes.map((_, j) => row[j]! + (extra[i]![j] ? 1 : 0)));

  /** Finds room for one more extra of class `start`, shifting other classes' extras if it must. */
  function augment(start: number): boolean {
    const cameFrom = new Map<number, { row: number; before: number | undefined }>();
    const queue: { row: number; column: number | undefined }[] = [
      { row: start, column: undefined },
    ];
    for (let head = 0; head < queue.length; head++) {
      const { row, column } = queue[head]!;
      for (let j = 0; j < columns.length; j++) {
        if (!allowed[row]![j] || extra[row]![j] || cameFrom.has(j)) continue;
        cameFrom.set(j, { row, before: column });
        if (needed[j]! > 0) {
          needed[j]!--;
          for (let at: number | undefined = j; at !== undefined; ) {
            const step: { row: number; before: number | undefined } = cameFrom.get(at)!;
            extra[step.row]![at] = true;
            if (step.before !== undefined) extra[step.row]![step.before] = false;
            at = step.before;
          }
          return true;
        }
        for (let i = 0; i < classes.length; i++) {
          if (extra[i]![j]) queue.push({ row: i, column: j });
        }
      }
    }
    return false;
  }
}

/**
 * As `apportion`, but a class's only image goes to the last part, which is trained on: a class that is
 * judged and was never learnt is worse than one that is not judged.
 */
export function shareOut(
  counts: readonly number[],
  sizes: readonly [...number[], number],
): number[][] {
  const alone = counts.map((count) => (count === 1 ? 1 : 0));
  const singles = total(alone);
  const others = total(counts) - singles;
  const last = sizes.at(-1)!;
  const rest = total(sizes) - last;
  if (singles === 0 || last < singles || rest > others) return apportion(counts, sizes);
  const shares = apportion(
    counts.map((count, label) => count - alone[label]!),
    [...sizes.slice(0, -1), last - singles],
  );
  return shares.map((row, label) => [...row.slice(0, -1), row.at(-1)! + alone[label]!]);
}

/**
 * Draws `quotas` [classes][parts] images of each class: the parts are disjoint, each in ascending
 * order. Every class is shuffled by a stream of its own name, so that which of its images are drawn
 * does not depend on the other classes that take part. With `names`, one for each image, a class is ordered by a hash of
 * each name instead: then an image's place does not depend on the other images either. Of that order the second part is
 * taken from the end, so that a part which grows takes from the last one alone.
 */
export function drawStratified(
  labels: ArrayLike<number>,
  classes: readonly string[],
  quotas: readonly (readonly number[])[],
  seed: number,
  purpose: string,
  names?: readonly string[],
): Int32Array[] {
  const parts = quotas[0]?.length ?? 0;
  const drawn: number[][] = Array.from({ length: parts }, () => []);
  classIndices(labels, classes.length).forEach((indices, label) => {
    const stream = `split/${purpose}/${classes[label]}`;
    const take = (part: number, from: number, to: number) => {
      for (const index of indices.subarray(from, to)) drawn[part]!.push(index);
    };
    const own = quotas[label]!;
    if (names === undefined) shuffleInPlace(indices, seedStream(seed, stream));
    else sortByHash(indices, (index) => `${seed}/${stream}/${names[index]}`);
    let at = 0;
    own.forEach((quota, part) => {
      if (names !== undefined && part === 1) {
        take(part, indices.length - quota, indices.length);
        return;
      }
      take(part, at, at + quota);
      at += quota;
    });
  });
  return drawn.map((indices) => Int32Array.from(indices).sort());
}

function sortByHash(indices: Int32Array, keyOf: (index: number) => string): void {
  const hashes = new Map(
    Array.from(indices, (index) => {
      const digest = createHash("sha256").update(keyOf(index)).digest();
      // 48 bits: exact as a number.
      return [index, digest.readUIntBE(0, 6)];
    }),
  );
  indices.sort((a, b) => hashes.get(a)! - hashes.get(b)! || a - b);
}

/** [classes][images of it], ascending. */
function classIndices(labels: ArrayLike<number>, classes: number): Int32Array[] {
  const lists: number[][] = Array.from({ length: classes }, () => []);
  for (let i = 0; i < labels.length; i++) lists[labels[i]!]!.push(i);
  return lists.map((list) => Int32Array.from(list));
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
