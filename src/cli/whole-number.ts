import { UsageError } from "../errors.ts";

/** A flag's value as commander is to read it. */
export function wholeNumber(flag: string, least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && Number.isSafeInteger(value)) return value;
    throw new UsageError(`${flag}: "${text}" given; allowed: a whole number, ${least} or more`);
  };
}
