import { UsageError } from "../../errors.ts";
import type { Listing } from "./listing.ts";
import { someOf } from "./names.ts";

/**
 * A classifier tells classes apart: there must be images of two.
 * @throws UsageError that names the one, and what lies beside it that may have labels.
 */
export function requireClasses({ name, root, files, tables = [] }: Listing): void {
  const classes = new Set(files.map(({ className }) => className));
  if (classes.size > 1) return;
  throw tooFewClasses(
    name,
    [...classes],
    [
      ...(tables.length > 0
        ? [`if ${someOf(tables)} beside the images has the labels, give it as --data`]
        : []),
      `images are read from ${root}`,
    ],
  );
}

/** The error for data in which there is nothing to tell apart. */
export function tooFewClasses(
  where: string,
  classes: readonly string[],
  ways: readonly string[] = [],
): UsageError {
  const [only] = classes;
  const what =
    only === undefined
      ? "there is no image of any class"
      : `all images are of one class, ${only}: there is nothing to tell apart`;
  const wanted = "two classes or more are needed: a folder for each, or two labels in a CSV";
  return new UsageError(`${where}: ${what}`, { hint: [wanted, ...ways].join("; ") });
}
