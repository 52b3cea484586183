import { nearest, UsageError } from "../errors.ts";

/**
 * What tells a class from others. Names of one class may differ in Unicode form ("ä" as one code point or as two), in
 * letter case, and in how a whole number was written: pandas writes 1 as 1.0 where a column has a gap. Single letters
 * keep their case: "a" and "A" are two classes of handwriting.
 */
export function classKey(name: string): string {
  const composed = name.normalize("NFC");
  const whole = /^([+-]?\d+)\.0+$/.exec(composed)?.[1];
  if (whole !== undefined) return whole;
  return [...composed].length === 1 ? composed : composed.toLowerCase().normalize("NFC");
}

/** The place of a name among class names: of the very same, else of the only one with the same key; else -1. */
export function classFinder(classes: readonly string[]): (name: string) => number {
  const exact = new Map(classes.map((name, c) => [name, c]));
  const byKey = new Map<string, number>();
  classes.forEach((name, c) => {
    const key = classKey(name);
    byKey.set(key, byKey.has(key) ? -1 : c);
  });
  return (name) => exact.get(name) ?? byKey.get(classKey(name)) ?? -1;
}

/** The classes of `given` that `known` has none for. */
export function unknownClasses(given: readonly string[], known: readonly string[]): string[] {
  const find = classFinder(known);
  return given.filter((name) => find(name) < 0);
}

/** @param where As `--classes`. */
export function unknownClass(where: string, name: string, known: readonly string[]): UsageError {
  const near = nearest(name, known);
  const suggestion = near === undefined ? "" : `did you mean ${JSON.stringify(near)}? `;
  return new UsageError(`${where}: there is no class ${JSON.stringify(name)}`, {
    hint: `${suggestion}the classes are ${known.join(", ")}`,
  });
}

export interface UnitedNames {
  /** Only names that become another one. */
  readonly nameOf: ReadonlyMap<string, string>;
  readonly notes: readonly string[];
}

/** Finds the names that mean one class. `counts` has the images of each name. */
export function uniteNames(counts: ReadonlyMap<string, number>): UnitedNames {
  const groups = new Map<string, string[]>();
  for (const name of counts.keys()) {
    const key = classKey(name);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [name]);
    else group.push(name);
  }
  const nameOf = new Map<string, string>();
  const notes: string[] = [];
  for (const group of groups.values()) {
    if (group.length === 1) continue;
    const isPlain = (name: string) =>
      name === name.normalize("NFC") && !/^[+-]?\d+\.0+$/.test(name);
    const [best, ...others] = group.sort(
      (a, b) =>
        Number(isPlain(b)) - Number(isPlain(a)) ||
        counts.get(b)! - counts.get(a)! ||
        (a < b ? -1 : 1),
    ) as [string, ...string[]];
    for (const other of others) nameOf.set(other, best);
    notes.push(uniteNote(group, best));
  }
  return { nameOf, notes };
}

function uniteNote(group: readonly string[], best: string): string {
  const shown = (name: string) => `${JSON.stringify(name)} (${codePoints(name)})`;
  const composed = new Set(group.map((name) => name.normalize("NFC")));
  const named = group.map(composed.size === 1 ? shown : (name) => JSON.stringify(name));
  const why =
    composed.size === 1
      ? "they are two Unicode forms of one name"
      : "the names differ only in letter case or in how a number is written; if they are two classes, rename one";
  return `${named.join(" and ")} are treated as one class, ${JSON.stringify(best)}: ${why}`;
}

/** `U+0042 U+00E4` */
export function codePoints(text: string): string {
  return Array.from(
    text,
    (letter) => `U+${letter.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`,
  ).join(" ");
}
