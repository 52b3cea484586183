import type { WriteContext } from "../platform/system-error.ts";

/** How a run whose files cannot be written gets another place, or goes on. */
export const runPlace: WriteContext = {
  elsewhere: "choose another folder with --out",
  ifFull: "Free some space or choose another folder with --out, then go on with --resume.",
};
