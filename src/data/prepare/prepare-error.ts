import { explained, type WriteContext } from "../../platform/system-error.ts";

/** How a prepared folder gets another place, and what becomes of the work so far. */
export const preparePlace: WriteContext = {
  elsewhere: "choose another folder with --out",
  ifFull:
    "free some space and run it again: it continues where it stopped; or choose another --out",
};

export function prepareError(path: string, cause: unknown): unknown {
  return explained(path, cause, preparePlace);
}
