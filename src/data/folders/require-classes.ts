import { UsageError } from "../../errors.ts";
import type { Listing } from "./listing.ts";
import { someOf } from "./names.ts";

/**
 * A classifier tells classes apart: there must be images of two.
 * @throws UsageError that names the one, and what lies beside it that may have labels.
 */
export function requireClasses({ name, files, layout }: Listing): void {
  const classes = new Set(files.map(({ className }) => className));
  if (classes.size > 1) return;
  const ways: string[] = [];
  if (layout) ways.push(`class folders were looked for in ${layout.place}`);
  if (layout?.tables.length) {
    ways.push(`if ${someOf(layout.tables)} has the labels, give it as --data`);
  }
  throw tooFewClasses(name, [...classes], ways);
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
      ? "there are no images in any class"
      : `all images belong to one class, ${only}`;
  const wanted = "at least two classes are needed: a folder for each, or two labels in a CSV";
  return new UsageError(`${where}: ${what}`, { hint: [wanted, ...ways].join("; ") });
}
