import { explained } from "../../platform/system-error.ts";

/** Why a prepared folder cannot be written, and what becomes of the work so far. */
export function prepareError(path: string, cause: unknown): unknown {
  return explained(path, cause, {
    elsewhere: "choose another folder with --out",
    ifFull: "make room and run it again: it goes on from there; or choose another --out",
  });
}
