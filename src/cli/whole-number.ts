import { UsageError } from "../errors.ts";

/** A flag's value as commander is to read it. `most`: where more would be made than anything can hold. */
export function wholeNumber(
  flag: string,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    const range =
      most === Number.MAX_SAFE_INTEGER ? `, ${least} or more` : ` from ${least} to ${most}`;
    throw new UsageError(`${flag}: "${text}" given; allowed: a whole number${range}`);
  };
}
