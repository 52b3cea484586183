import type { SplitShares } from "./assign.ts";

/** Where neither the source nor the user has splits. */
export const defaultSplit: SplitShares = [0.7, 0.15, 0.15];

/** Pixels of width and height: lets the digits of scikit-learn (8 × 8) pass, and not the one pixel of a web page. */
export const DEFAULT_MIN_SIZE = 8;
