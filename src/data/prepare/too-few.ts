import { UsageError } from "../../errors.ts";
import type { Listing } from "../folders/listing.ts";
import { countOf } from "../folders/not-classes.ts";
import type { Examined } from "./examine.ts";

/** The error where the images that can be used are not of two classes: says why the others are not. */
export function tooFewUsable(
  { name }: Pick<Listing, "name">,
  verdicts: readonly { readonly examined: Examined }[],
  classes: readonly string[],
  minSize: number,
): UsageError {
  const sides = verdicts.flatMap(({ examined }) =>
    examined.kind === "image" ? [[examined.width, examined.height] as const] : [],
  );
  const small = sides.filter((size) => Math.min(...size) < minSize);
  const damaged = verdicts.length - sides.length;
  const why = [
    ...(small.length > 0
      ? [
          `${countOf(small.length)} ${small.length === 1 ? "is" : "are"} smaller than --min-size ${minSize} (${rangeOf(small)} pixels)`,
        ]
      : []),
    ...(damaged > 0
      ? [`${damaged === 1 ? "1 file" : `${damaged} files`} cannot be read as images`]
      : []),
  ].join(", ");
  const kept =
    classes.length === 0
      ? `none of ${verdicts.length} files can be used`
      : `only images of one class, ${classes.join()}, can be used; at least two classes are needed`;
  const least = Math.min(...small.map((size) => Math.min(...size)));
  return new UsageError(`${name}: ${kept}${why === "" ? "" : `: ${why}`}`, {
    hint:
      small.length > 0
        ? `--min-size ${least} accepts all images that can be read`
        : "see the reasons with `thaw data info`",
  });
}

type Size = readonly [width: number, height: number];

/** "28 × 28" or "8 × 8 to 20 × 31" */
function rangeOf(sizes: readonly Size[]): string {
  const byArea = [...sizes].sort((a, b) => a[0] * a[1] - b[0] * b[1]);
  const [first, last] = [byArea[0]!, byArea.at(-1)!].map((size) => size.join(" × "));
  return first === last ? first! : `${first} to ${last}`;
}
