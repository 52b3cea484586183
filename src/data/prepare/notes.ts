import type { Listing, SplitName } from "../folders/listing.ts";

interface Noted {
  readonly file: { readonly name: string; readonly className: string };
  readonly image: { readonly pixels: string };
}

/** Classes that have lost all their images, or all that could be trained on. */
export function classNotes(
  { classes }: Listing,
  good: readonly Noted[],
  splits: readonly SplitName[],
): string[] {
  const having = (wanted: (split: SplitName) => boolean) =>
    new Set(good.filter((_, i) => wanted(splits[i]!)).map(({ file }) => file.className));
  const [some, trained] = [having(() => true), having((split) => split === "train")];
  const gone = classes.filter((name) => !some.has(name));
  const unlearnt = classes.filter((name) => some.has(name) && !trained.has(name));
  return [
    ...(gone.length > 0 ? [`warning: no usable image of: ${gone.join(", ")}`] : []),
    ...(unlearnt.length > 0 ? [`warning: no training image of: ${unlearnt.join(", ")}`] : []),
  ];
}

/** Says what the same picture in two places means. */
export function duplicateNotes(good: readonly Noted[], splits: readonly SplitName[]): string[] {
  const groups = new Map<string, number[]>();
  good.forEach(({ image }, i) => {
    const group = groups.get(image.pixels);
    if (group) group.push(i);
    else groups.set(image.pixels, [i]);
  });
  const repeated = [...groups.values()].filter(({ length }) => length > 1);
  const across = (of: (i: number) => string) =>
    repeated.filter((group) => new Set(group.map(of)).size > 1).map((group) => group[0]!);
  const notes: string[] = [];
  if (repeated.length > 0) {
    const extra = repeated.reduce((sum, { length }) => sum + length - 1, 0);
    notes.push(`${extra} images have the same pixels as another; each stays in the other's split`);
  }
  const leaks = across((i) => splits[i]!);
  if (leaks.length > 0) {
    notes[0] = `warning: ${leaks.length} images stand in two splits with the same pixels, as in the source: --split makes new splits`;
  }
  const conflicts = across((i) => good[i]!.file.className);
  if (conflicts.length > 0) {
    const example = good[conflicts[0]!]!.file.name;
    notes.push(
      `warning: ${conflicts.length} images stand in more than one class, as ${example} does`,
    );
  }
  return notes;
}
