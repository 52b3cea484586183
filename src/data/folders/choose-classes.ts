import { UsageError } from "../../errors.ts";
import { classKey, unknownClass } from "../class-names.ts";
import { inOrder, type Listing, makeListing } from "./listing.ts";

/** Breeds that ImageNet, and so Stanford Dogs, keeps apart by size. */
const kinds: Readonly<Record<string, readonly string[]>> = {
  poodle: ["toy_poodle", "miniature_poodle", "standard_poodle"],
  schnauzer: ["miniature_schnauzer", "giant_schnauzer", "standard_schnauzer"],
};

/** `n02106662-German_shepherd` → `german_shepherd`: without ImageNet's synset, case and separators. */
function folded(name: string): string {
  return classKey(withoutSynset(name))
    .toLowerCase()
    .replaceAll(/[\s-]+/g, "_");
}

/** `n02106662-German_shepherd` → `German_shepherd` */
export function withoutSynset(folder: string): string {
  return folder.replace(/^n\d{8}-(?=.)/, "");
}

/**
 * Only the named classes of a listing, in the order in which they are named. A name is a folder's, or like one but for ImageNet's synset,
 * case and separators, or a breed whose sizes are folders of their own; except in the first case the
 * class is called as the user calls it, so that a model knows it again in other copies of the data.
 * @throws UsageError for a name that fits nothing, with the nearest one, and for fewer than two.
 */
export function chooseClasses(listing: Listing, wanted: readonly string[] | undefined): Listing {
  if (wanted === undefined) return listing;
  const nameOf = new Map<string, string>();
  const notes = [...listing.notes];
  for (const asked of wanted) {
    const name = asked.trim();
    const folders = foldersFor(name, listing.classes);
    if (folders.length === 0)
      throw unknownClass("--classes", name, listing.classes.map(withoutSynset));
    for (const folder of folders) {
      const before = nameOf.get(folder);
      if (before !== undefined) {
        throw new UsageError(
          before === name
            ? `--classes: ${name} is named twice`
            : `--classes: ${before} and ${name} are both the folder ${folder}`,
        );
      }
      nameOf.set(folder, name);
    }
    if (folders.length > 1) notes.push(`${name} is ${folders.join(" and ")} together`);
  }
  if (wanted.length < 2) {
    throw new UsageError(`--classes: ${wanted.length} class is nothing to tell apart`, {
      hint: "name two classes or more, with commas between them",
    });
  }
  const ofThese = <T extends { readonly className: string }>(files: readonly T[]): T[] =>
    files.flatMap((file) => {
      const className = nameOf.get(file.className);
      return className === undefined ? [] : [{ ...file, className }];
    });
  const { name, root, files, passedOver } = listing;
  const chosen = makeListing(
    { name, root, files: ofThese(files), passedOver: ofThese(passedOver), notes },
    new Set(nameOf.values()),
  );
  return inOrder(chosen, [...new Set(nameOf.values())]);
}

function foldersFor(name: string, all: readonly string[]): readonly string[] {
  if (all.includes(name)) return [name];
  const alike = all.filter((folder) => folded(folder) === folded(name));
  if (alike.length > 1) {
    throw new UsageError(`--classes: ${name} could be ${alike.join(" or ")}`, {
      hint: "write it exactly as one of them",
    });
  }
  if (alike.length === 1) return alike;
  const sizes = Object.hasOwn(kinds, folded(name)) ? kinds[folded(name)]! : [];
  return all.filter((folder) => sizes.includes(folded(folder)));
}
