import type { Source } from "../datasets/index.ts";
import { chooseClasses } from "../folders/choose-classes.ts";
import { requireClasses } from "../folders/require-classes.ts";
import { chosenClasses, withClasses } from "../splits.ts";

/** A source with the named classes alone. @throws UsageError for a name that it does not have, and for one class. */
export function chooseSource(source: Source, classes: readonly string[] | undefined): Source {
  if (source.kind === "files") {
    const listing = chooseClasses(source.listing, classes);
    requireClasses(listing);
    return { ...source, listing };
  }
  if (classes === undefined) return source;
  const chosen = chosenClasses(source.train.classes, classes);
  return {
    ...source,
    train: withClasses(source.train, chosen),
    test: withClasses(source.test, chosen),
  };
}
