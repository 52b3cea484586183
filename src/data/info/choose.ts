import type { Source } from "../datasets/index.ts";
import { chooseClasses } from "../folders/choose-classes.ts";
import { chosenClasses, withClasses } from "../splits.ts";

/** A source with the named classes alone. @throws UsageError for a name that it does not have. */
export function chooseSource(source: Source, classes: readonly string[] | undefined): Source {
  if (classes === undefined) return source;
  if (source.kind === "files")
    return { ...source, listing: chooseClasses(source.listing, classes) };
  const chosen = chosenClasses(source.train.classes, classes);
  return {
    ...source,
    train: withClasses(source.train, chosen),
    test: withClasses(source.test, chosen),
  };
}
